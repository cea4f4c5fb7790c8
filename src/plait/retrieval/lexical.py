"""Full-text search: BM25 over the items' text by tantivy (Robertson and Zaragoza, 2009; k1 = 1.2,
b = 0.75).

The index in a bundle is read-only. Items that came or changed after the fit are scored outside of
it, with the document frequencies and mean lengths of the bundle, so that scores are comparable.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import tantivy

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array, UInt64Array
from plait.data.candidates import CandidateLists
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.features.incremental_updates import ItemUpdates, field_hashes, updates_in
from plait.features.language_detection import AUTO, FALLBACK, Language, resolve_language
from plait.features.text import Analyzer, document, title_field, word_fields, word_values
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.pipeline.stage import Stage
from plait.retrieval.bm25_overlay import IndexStatistics, Postings, Terms, extend_postings
from plait.utils.owned_folders import make_owned_folder

__all__ = ["Lexical", "LexicalConfig"]

_INDEX_FIELDS = ("title", "body")
_MAX_TERMS = 64
_MIN_FUZZY_LENGTH = 4

Updates = ItemUpdates[Postings]


@dataclass(frozen=True, slots=True)
class LexicalConfig:
    """Settings of `lexical`."""

    fields: tuple[str, ...] = ()
    """Fields to read; none: all of type text, category and set."""
    language: Language = "auto"
    """The stemmer, as tantivy names it; "auto": that of the catalogue's language; empty: none."""
    title_boost: float = bounded_field(2.0, Limit(least=0))
    """The weight of a word in the title, relative to one elsewhere."""
    fuzzy: bool = True
    """Whether a word that no item contains may match one that differs by one letter."""


class Lexical(Stage[LexicalConfig]):
    """Scores items by BM25 of the words of the query.

    Scores are 0 where no word matches, NaN where query or item has no text.
    """

    Config = LexicalConfig
    fusion_defaults = FusionDefaults(text_query_weight=1.0, must_match_text=True)
    reason_templates = ReasonTemplates(
        text=(Claim.WORDS, Claim.SEARCH), like_query_item="", default=Claim.INTEREST
    )
    test_variants = ({"fuzzy": False, "language": ""},)
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_is_indexed": BoolArray,
        "_field_hashes": UInt64Array,
        "_statistics": IndexStatistics,
        "_language": str,
    }

    def __init__(self, config: LexicalConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._folder: Path | None = None
        self._index: tantivy.Index | None = None
        self._is_indexed: BoolArray = np.zeros(0, np.bool_)
        self._field_hashes: UInt64Array = np.zeros(0, np.uint64)
        self._statistics = IndexStatistics(dict.fromkeys(_INDEX_FIELDS, 1.0), 0)
        self._language = FALLBACK if self.config.language == AUTO else self.config.language

    @property
    def analyzer(self) -> Analyzer:
        """How text becomes terms."""
        return Analyzer(self._language)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        dataset.catalogue.check_fields(self.config.fields, "fields")
        fitted = self.clone()
        fitted._language = resolve_language(self.config.language, dataset.catalogue)
        folder = make_owned_folder("words")
        weakref.finalize(fitted, folder.close)
        index_folder = folder.path / "index"
        index_folder.mkdir()
        fitted._build_index(index_folder, dataset.catalogue)
        return fitted

    def describe(self) -> dict[str, Any]:
        """The language of the stemmer, for `plait info`."""
        return {"language": self._language or "none"}

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self._folder is not None:
            # Names with a dot are tantivy's own: locks, and files about to be removed.
            ignored = shutil.ignore_patterns(".*")
            shutil.copytree(self._folder, folder / "index", ignore=ignored)

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        loaded = super().load(config, name, folder)
        if (folder / "index").is_dir():
            loaded._open(folder / "index", tantivy.Index.open(str(folder / "index")))
        return loaded

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        numbers = np.full((len(queries.users), k), ABSENT, np.int32)
        for row, text in enumerate(queries.texts):
            if text:
                matches = self._best_matches(queries, row, text, k)
                numbers[row, : len(matches)] = matches
        return CandidateLists(numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        scores = np.full(numbers.shape, np.nan, np.float32)
        for row, text in enumerate(queries.texts):
            if text:
                scores[row] = self._scores(queries, text, numbers[row])
        return scores

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Updates:
        is_first = not isinstance(previous, ItemUpdates)
        updates: Updates = Updates.empty(version, Postings()) if is_first else previous
        fields = word_fields(catalogue, self.config.fields)
        numbers, hashes = updates.outdated_items(catalogue, fields, self._field_hashes)
        terms = self._terms_of_items(catalogue, numbers)
        postings = extend_postings(updates, terms, self._statistics)
        return updates.extended(catalogue, numbers, postings, hashes)

    def _terms_of_items(self, catalogue: Catalogue, numbers: Int32Array) -> Mapping[int, Terms]:
        """By item its terms; each value alone, since many items share one."""
        analyzer, item_fields = self.analyzer, self._item_fields(catalogue)
        return {
            number: {
                index_field: [
                    *chain(*analyzer.terms_of_texts(word_values(catalogue, number, fields)))
                ]
                for index_field, fields in item_fields.items()
            }
            for number in numbers.tolist()
        }

    def _item_fields(self, catalogue: Catalogue) -> dict[str, list[str]]:
        """By field of the index the fields of items that it holds."""
        title = title_field(catalogue)
        fields = word_fields(catalogue, self.config.fields)
        return {
            "title": [name for name in fields if name == title],
            "body": [name for name in fields if name != title],
        }

    def _build_index(self, folder: Path, catalogue: Catalogue) -> None:
        """Index all living items in a folder."""
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer("plait", self.analyzer.tantivy)
        writer = index.writer(heap_size=64_000_000, num_threads=1)
        is_indexed = np.zeros(len(catalogue), np.bool_)
        total_lengths = dict.fromkeys(_INDEX_FIELDS, 0)
        item_fields = self._item_fields(catalogue)
        for number in np.flatnonzero(catalogue.alive).tolist():
            texts = {
                index_field: self.analyzer.normalize(document(catalogue, number, fields))
                for index_field, fields in item_fields.items()
            }
            if any(text.strip() for text in texts.values()):
                is_indexed[number] = True
                for index_field, text in texts.items():
                    total_lengths[index_field] += self.analyzer.count(text)
                writer.add_document(tantivy.Document(number=number, **texts))
        writer.commit()
        writer.wait_merging_threads()
        self._is_indexed = is_indexed
        fields = word_fields(catalogue, self.config.fields)
        self._field_hashes = field_hashes(catalogue, fields, range(len(catalogue)))
        count = int(is_indexed.sum())
        self._statistics = IndexStatistics(
            {name: total / max(count, 1) for name, total in total_lengths.items()}, count
        )
        self._open(folder, index)

    def _open(self, folder: Path, index: tantivy.Index) -> None:
        index.register_tokenizer("plait", self.analyzer.tantivy)
        index.reload()
        self._folder, self._index = folder, index

    def _best_matches(self, queries: QueryBatch, row: int, text: str, k: int) -> Int32Array:
        """The k best items, best first, that a query allows."""
        updates = self._updates(queries)
        limit = k if queries.blocked is None else k + len(queries.blocked[row])
        while True:  # excluded items leave gaps: search deeper until k are left
            numbers, scores = self._search_index(text, limit, None)
            is_complete = len(numbers) < limit
            allowed = _is_allowed(numbers, queries, row)
            allowed &= ~np.isin(numbers, updates.item_numbers)
            if is_complete or allowed.sum() >= k:
                break
            limit *= 4
        new_numbers, new_scores = updates.values.search(
            self._query_terms(text), self._idf, self._boosts
        )
        new_allowed = _is_allowed(new_numbers, queries, row)
        numbers = np.concatenate([numbers[allowed], new_numbers[new_allowed]])
        scores = np.concatenate([scores[allowed], new_scores[new_allowed]])
        best: Int32Array = numbers[np.argsort(-scores, kind="stable")[:k]]
        return best

    def _scores(self, queries: QueryBatch, text: str, numbers: Int32Array) -> Float32Array:
        """The scores of some items, float32 like `numbers` [K]."""
        scores = np.full(len(numbers), np.nan, np.float32)
        terms = self._query_terms(text)
        if not terms:
            return scores
        updates = self._updates(queries)
        inside = (numbers >= 0) & (numbers < len(self._is_indexed))
        indexed = np.zeros(len(numbers), np.bool_)
        indexed[inside] = self._is_indexed[numbers[inside]]
        indexed &= ~np.isin(numbers, updates.item_numbers)
        with_terms = updates.item_numbers[updates.values.has_terms]
        scores[indexed | np.isin(numbers, with_terms)] = 0
        matches, match_scores = self._search_index(text, len(numbers), numbers[indexed])
        _write_scores(scores, numbers, matches, match_scores)
        matches, match_scores = updates.values.search(terms, self._idf, self._boosts)
        _write_scores(scores, numbers, matches, match_scores)
        return scores

    def _updates(self, queries: QueryBatch) -> Updates:
        return updates_in(queries, self.name) or Updates.empty(-1, Postings())

    @property
    def _boosts(self) -> dict[str, float]:
        return {"title": self.config.title_boost, "body": 1.0}

    def _query_terms(self, text: str) -> list[str]:
        return list(dict.fromkeys(self.analyzer.terms(text)))[:_MAX_TERMS]

    def _idf(self, index_field: str, term: str) -> float:
        """The inverse document frequency as tantivy computes it, from the bundle's counts."""
        if self._index is None:
            return 1.0
        frequency = self._index.searcher().doc_freq(index_field, term)
        others = max(self._statistics.n_documents - frequency, 0)
        return float(np.log1p((others + 0.5) / (frequency + 0.5)))

    def _search_index(
        self, text: str, limit: int, candidates: Int32Array | None
    ) -> tuple[Int32Array, Float32Array]:
        """Numbers and BM25 of at most `limit` matches, best first; only of `candidates` if set."""
        terms = self._query_terms(text)
        has_candidates = candidates is None or len(candidates) > 0
        if self._index is None or not terms or limit < 1 or not has_candidates:
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        schema, searcher = self._index.schema, self._index.searcher()
        query = self._term_query(schema, searcher, terms)
        if candidates is not None:
            chosen = tantivy.Query.term_set_query(schema, "number", candidates.tolist())
            unscored = tantivy.Query.const_score_query(chosen, 0.0)
            clauses = [(tantivy.Occur.Must, query), (tantivy.Occur.Must, unscored)]
            query = tantivy.Query.boolean_query(clauses)
        hits = searcher.search(query, limit=limit, count=False).hits
        numbers = searcher.fast_field_values("number", [address for _, address in hits])
        return np.array(numbers, np.int32), np.array([score for score, _ in hits], np.float32)

    def _term_query(
        self, schema: tantivy.Schema, searcher: tantivy.Searcher, terms: Sequence[str]
    ) -> tantivy.Query:
        """A query for any of the terms in any field; fuzzy for long terms that no item contains."""
        clauses = []
        for term in terms:
            is_known = any(searcher.doc_freq(name, term) for name in _INDEX_FIELDS)
            for name, boost in self._boosts.items():
                if is_known or not self.config.fuzzy or len(term) < _MIN_FUZZY_LENGTH:
                    clause = tantivy.Query.term_query(schema, name, term)
                else:
                    clause = tantivy.Query.fuzzy_term_query(schema, name, term, distance=1)
                clauses.append((tantivy.Occur.Should, tantivy.Query.boost_query(clause, boost)))
        return tantivy.Query.boolean_query(clauses)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", stored=False, indexed=True, fast=True)
    for name in _INDEX_FIELDS:
        builder.add_text_field(name, stored=False, tokenizer_name="plait", index_option="freq")
    return builder.build()


def _is_allowed(numbers: Int32Array, queries: QueryBatch, row: int) -> BoolArray:
    """Which of `numbers` a query allows, bool [N]."""
    allowed = np.ones(len(numbers), np.bool_)
    if queries.blocked is not None and len(queries.blocked[row]):
        allowed &= ~np.isin(numbers, queries.blocked[row])
    if queries.mask is not None:
        mask = queries.mask[row if len(queries.mask) > 1 else 0]
        inside = numbers < len(mask)
        allowed[~inside] = False
        allowed[inside] &= mask[numbers[inside]]
    return allowed


def _write_scores(
    scores: Float32Array, numbers: Int32Array, matches: Int32Array, match_scores: Float32Array
) -> None:
    """Write the scores of `matches` to their positions in `numbers`."""
    if len(matches):
        order = np.argsort(matches)
        positions = np.searchsorted(matches, numbers, sorter=order)
        positions = order[np.minimum(positions, len(matches) - 1)]
        is_match = matches[positions] == numbers
        scores[is_match] = match_scores[positions[is_match]]
