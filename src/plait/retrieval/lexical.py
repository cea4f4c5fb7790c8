"""Words: BM25 over the items' text by tantivy (Robertson & Zaragoza, 2009, k1 1.2, b 0.75).

The index in a bundle is read-only. Items that came or changed after the fit are scored beside it,
with the document frequencies and mean lengths of the bundle, so that old and new are comparable.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import tantivy

from plait.data.catalogue import Catalogue
from plait.data.types import (
    ABSENT,
    BoolArray,
    CandidateLists,
    Dataset,
    Float32Array,
    Int32Array,
    QueryBatch,
)
from plait.features.item_changes import Changes, Prints, prints
from plait.features.text import Analyzer, document, title_field, word_fields
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.model_defaults import FusionDefaults, ReasonTemplates
from plait.pipeline.stage import Stage
from plait.retrieval.bm25_overlay import Late, Norms, Words

__all__ = ["Lexical", "LexicalConfig"]

PARTS = ("title", "body")
_MANY_TERMS = 64


@dataclass(frozen=True, slots=True)
class LexicalConfig:
    """What `lexical` can be told."""

    fields: tuple[str, ...] = ()
    """Fields to read; none: all of type text, category and set."""
    language: str = "english"
    """The stemmer, as tantivy names it; empty for none."""
    title_boost: float = bounded_field(2.0, Limit(least=0))
    """What a word in the title is worth against one elsewhere."""
    fuzzy: bool = True
    """Whether a word that no item has may match one that differs by a letter."""


class Lexical(Stage[LexicalConfig]):
    """Scores items by the words of the query; knows nothing where the query has no text."""

    Config = LexicalConfig
    fusion_defaults = FusionDefaults(text_query_weight=1.0, must_match_text=True)
    reason_templates = ReasonTemplates(text="Matches your words '{words}'")
    test_variants = ({"fuzzy": False, "language": ""},)

    def __init__(self, config: LexicalConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._folder: Path | None = None
        self._index: tantivy.Index | None = None
        self._known: BoolArray = np.zeros(0, np.bool_)
        self._prints: Prints = np.zeros(0, np.uint64)
        self._norms = Norms(dict.fromkeys(PARTS, 1.0), 0)

    @property
    def analyzer(self) -> Analyzer:
        """How text becomes terms."""
        return Analyzer(self.config.language)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Index the words of every living item; `seed` plays no part."""
        dataset.catalogue.check_fields(self.config.fields, "fields")
        fitted = type(self)(self.config, name=self.name)
        folder = tempfile.mkdtemp(prefix="plait-words-")
        weakref.finalize(fitted, shutil.rmtree, folder, ignore_errors=True)
        fitted._fill(Path(folder), dataset.catalogue)
        return fitted

    def save(self, folder: Path) -> None:
        """Copy the index."""
        if self._folder is None:
            return
        # What begins with a dot is the writer's own: locks, and files that are gone in a moment.
        shutil.copytree(self._folder, folder / "index", ignore=shutil.ignore_patterns(".*"))
        told = {"known": self._known, "prints": self._prints}
        write_arrays(folder / "known.safetensors", told)
        text = json.dumps({"lengths": self._norms.lengths, "documents": self._norms.documents})
        (folder / "norms.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Open the index that `save` left."""
        loaded = cls(config, name=name)
        if (folder / "index").is_dir():
            norms = json.loads((folder / "norms.json").read_text(encoding="utf-8"))
            loaded._norms = Norms(norms["lengths"], norms["documents"])
            told = read_arrays(folder / "known.safetensors")
            loaded._known, loaded._prints = told["known"], told["prints"]
            loaded._open(folder / "index", tantivy.Index.open(str(folder / "index")))
        return loaded

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """The k best matches of each query that has text."""
        found = np.full((len(queries), k), ABSENT, np.int32)
        for row, text in enumerate(queries.texts):
            if text:
                numbers = self._best(queries, row, text, k)
                found[row, : len(numbers)] = numbers
        return CandidateLists(found)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """BM25 of `numbers`; 0 where no word matches, NaN without text on either side."""
        scores = np.full(numbers.shape, np.nan, np.float32)
        for row, text in enumerate(queries.texts):
            if text:
                scores[row] = self._rated(queries, text, numbers[row])
        return scores

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Late:
        """The words of items that say something else than at the fit; `previous` is built upon."""
        late = previous if isinstance(previous, Late) else Late(Changes.none(version))
        fields = word_fields(catalogue, self.config.fields)
        numbers = late.changes.altered(catalogue, fields, self._prints)
        words = {one: self._words(catalogue, one) for one in numbers.tolist()}
        return late.extended(late.changes.extended(catalogue, numbers), words, self._norms)

    def _words(self, catalogue: Catalogue, number: int) -> Words:
        return {
            part: self.analyzer.terms(document(catalogue, number, fields))
            for part, fields in zip(PARTS, self._fields(catalogue), strict=True)
        }

    def _fields(self, catalogue: Catalogue) -> tuple[list[str], list[str]]:
        title = title_field(catalogue)
        fields = word_fields(catalogue, self.config.fields)
        return [one for one in fields if one == title], [one for one in fields if one != title]

    def _fill(self, folder: Path, catalogue: Catalogue) -> None:
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer("plait", self.analyzer.tantivy)
        writer = index.writer(heap_size=64_000_000, num_threads=1)
        known = np.zeros(len(catalogue), np.bool_)
        lengths = dict.fromkeys(PARTS, 0)
        titles, bodies = self._fields(catalogue)
        for number in np.nonzero(catalogue.alive)[0].tolist():
            parts = {
                "title": self.analyzer.spaced(document(catalogue, number, titles)),
                "body": self.analyzer.spaced(document(catalogue, number, bodies)),
            }
            if any(text.strip() for text in parts.values()):
                known[number] = True
                for part, text in parts.items():
                    lengths[part] += self.analyzer.count(text)
                writer.add_document(tantivy.Document(number=number, **parts))
        writer.commit()
        writer.wait_merging_threads()
        self._known = known
        fields = word_fields(catalogue, self.config.fields)
        self._prints = prints(catalogue, fields, range(len(catalogue)))
        count = int(known.sum())
        self._norms = Norms({part: lengths[part] / max(count, 1) for part in PARTS}, count)
        self._open(folder, index)

    def _open(self, folder: Path, index: tantivy.Index) -> None:
        index.register_tokenizer("plait", self.analyzer.tantivy)
        index.reload()
        self._folder, self._index = folder, index

    def _best(self, queries: QueryBatch, row: int, text: str, k: int) -> Int32Array:
        late = self._late(queries)
        room = k if queries.blocked is None else k + len(queries.blocked[row])
        while True:  # what is ruled out leaves gaps: search deeper until k are left
            numbers, scores = self._search(text, room, None)
            whole = len(numbers) < room
            allowed = _allowed(numbers, queries, row) & ~np.isin(numbers, late.numbers)
            if whole or allowed.sum() >= k:
                break
            room *= 4
        fresh, worth = late.scored(self._terms(text), self._idf, self._boosts)
        taken = _allowed(fresh, queries, row)
        numbers = np.concatenate([numbers[allowed], fresh[taken]])
        scores = np.concatenate([scores[allowed], worth[taken]])
        order = np.argsort(-scores, kind="stable")[:k]
        best: Int32Array = numbers[order]
        return best

    def _rated(self, queries: QueryBatch, text: str, numbers: Int32Array) -> Float32Array:
        scores = np.full(len(numbers), np.nan, np.float32)
        terms = self._terms(text)
        if not terms:
            return scores
        late = self._late(queries)
        inside = (numbers >= 0) & (numbers < len(self._known))
        known = np.zeros(len(numbers), np.bool_)
        known[inside] = self._known[numbers[inside]]
        known &= ~np.isin(numbers, late.numbers)
        scores[known | np.isin(numbers, late.numbers[late.worded])] = 0
        _put(scores, numbers, *self._search(text, len(numbers), numbers[known]))
        _put(scores, numbers, *late.scored(terms, self._idf, self._boosts))
        return scores

    def _late(self, queries: QueryBatch) -> Late:
        found = None if queries.live is None else queries.live.deltas.get(self.name)
        return found if isinstance(found, Late) else Late(Changes.none(-1))

    @property
    def _boosts(self) -> dict[str, float]:
        return {"title": self.config.title_boost, "body": 1.0}

    def _terms(self, text: str) -> list[str]:
        return list(dict.fromkeys(self.analyzer.terms(text)))[:_MANY_TERMS]

    def _idf(self, part: str, term: str) -> float:
        """The weight of a term as tantivy computes it, from the bundle's counts."""
        if self._index is None:
            return 1.0
        frequency = self._index.searcher().doc_freq(part, term)
        total = self._norms.documents
        return float(np.log1p((max(total - frequency, 0) + 0.5) / (frequency + 0.5)))

    def _search(
        self, text: str, room: int, among: Int32Array | None
    ) -> tuple[Int32Array, Float32Array]:
        """Numbers and BM25 of at most `room` matches, best first; `among` limits them."""
        nothing = np.zeros(0, np.int32), np.zeros(0, np.float32)
        terms = self._terms(text)
        if self._index is None or not terms or room < 1 or (among is not None and not len(among)):
            return nothing
        query = self._query(terms)
        if among is not None:
            query = tantivy.Query.boolean_query(
                [
                    (tantivy.Occur.Must, query),
                    (tantivy.Occur.Must, _only(self._index.schema, among.tolist())),
                ]
            )
        searcher = self._index.searcher()
        hits = searcher.search(query, limit=room, count=False).hits
        numbers = searcher.fast_field_values("number", [address for _, address in hits])
        return np.array(numbers, np.int32), np.array([score for score, _ in hits], np.float32)

    def _query(self, terms: Sequence[str]) -> tantivy.Query:
        assert self._index is not None
        schema, searcher = self._index.schema, self._index.searcher()
        parts = []
        for term in terms:
            known = any(searcher.doc_freq(part, term) for part in PARTS)
            for part, boost in self._boosts.items():
                if known or not self.config.fuzzy or len(term) < 4:
                    one = tantivy.Query.term_query(schema, part, term)
                else:
                    one = tantivy.Query.fuzzy_term_query(schema, part, term, distance=1)
                parts.append((tantivy.Occur.Should, tantivy.Query.boost_query(one, boost)))
        return tantivy.Query.boolean_query(parts)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", stored=False, indexed=True, fast=True)
    for part in PARTS:
        builder.add_text_field(part, stored=False, tokenizer_name="plait", index_option="freq")
    return builder.build()


def _allowed(numbers: Int32Array, queries: QueryBatch, row: int) -> BoolArray:
    """bool [N]: which of `numbers` one of the queries allows."""
    allowed = np.ones(len(numbers), np.bool_)
    if queries.blocked is not None and len(queries.blocked[row]):
        allowed &= ~np.isin(numbers, queries.blocked[row])
    if queries.mask is not None:
        mask = queries.mask[row if len(queries.mask) > 1 else 0]
        inside = numbers < len(mask)
        allowed[~inside] = False
        allowed[inside] &= mask[numbers[inside]]
    return allowed


def _put(scores: Float32Array, numbers: Int32Array, found: Int32Array, worth: Float32Array) -> None:
    """Write the scores of the items `found` to their places in `numbers`."""
    if len(found):
        order = np.argsort(found)
        places = np.searchsorted(found, numbers, sorter=order)
        places = order[np.minimum(places, len(found) - 1)]
        hit = found[places] == numbers
        scores[hit] = worth[places[hit]]


def _only(schema: tantivy.Schema, numbers: list[int]) -> tantivy.Query:
    """Matches the named items and adds nothing to the score."""
    chosen = tantivy.Query.term_set_query(schema, "number", numbers)
    return tantivy.Query.const_score_query(chosen, 0.0)
