"""Full-text search: BM25F over the items' words (Robertson and Zaragoza, 2009).

The index in a bundle is read-only. Items that came or changed after the fit are scored beside it,
with the document frequencies and mean lengths of the bundle, so that scores are comparable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array, UInt64Array
from plait.data.candidates import CandidateLists
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.features.incremental_updates import ItemUpdates, field_hashes, updates_in
from plait.features.language_detection import AUTO, Language, detect_languages
from plait.features.text import title_field, word_fields, word_values
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.query_completion import Completion
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.pipeline.stage import Stage
from plait.retrieval.inverted_index import (
    FieldWords,
    IndexBuilder,
    InvertedIndex,
    field_words,
    item_code,
)
from plait.retrieval.live_words import IndexView, LiveWords, extend_live_words
from plait.retrieval.match_features import (
    MATCH_FEATURES,
    QueryMatch,
    match_features,
    quantities,
)
from plait.retrieval.query_words import Slot, query_slots, slot_scores
from plait.retrieval.synonyms import Phrase, SynonymTable, read_synonyms
from plait.retrieval.tokens import tokenize
from plait.retrieval.word_completion import complete_text

__all__ = ["Lexical", "LexicalConfig"]

Updates = ItemUpdates[LiveWords]


@dataclass(frozen=True, slots=True)
class LexicalConfig:
    """Settings of `lexical`."""

    fields: tuple[str, ...] = ()
    """Fields to read; none: all of type text, category and set."""
    language: Language = "auto"
    """The stemmer, as tantivy names it; "auto": those of the catalogue's languages; empty: none."""
    title_boost: float = bounded_field(2.0, Limit(least=0))
    """The weight of a word in the title, relative to one elsewhere."""
    fuzzy: bool = True
    """Whether a word that no item has may match one that differs by a typing error: one from four
    letters, two from seven."""
    k1: float = bounded_field(0.6, Limit(least=0))
    """How much the repetition of a word counts; 0: not at all."""
    b: float = bounded_field(0.6, Limit(least=0, most=1))
    """How much the length of a field counts: 0 not at all, 1 in proportion."""
    synonyms: str = ""
    """A file with a line for each group of terms that mean the same: `sofa, couch, settee`, or
    `telly => television` for one direction; it is read at a fit."""
    stop_words: tuple[str, ...] = ()
    """Words that are passed over in a query that has any other, such as "with" and "for"."""


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
        "_index": InvertedIndex,
        "_field_hashes": UInt64Array,
        "_synonyms": tuple[tuple[Phrase, Phrase], ...],
    }
    optional_state = frozenset({"_synonyms"})

    def __init__(self, config: LexicalConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._index = InvertedIndex()
        self._field_hashes: UInt64Array = np.zeros(0, np.uint64)
        self._synonyms: tuple[tuple[Phrase, Phrase], ...] = ()

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        catalogue = dataset.catalogue
        catalogue.check_fields(self.config.fields, "fields")
        fitted = self.clone()
        if self.config.synonyms:
            field = f"{self.name}.synonyms"
            fitted._synonyms = read_synonyms(self.config.synonyms, field)
        item_fields = self._item_fields(catalogue)
        builder = IndexBuilder(len(catalogue), len(item_fields))
        for number in np.flatnonzero(catalogue.alive).tolist():
            builder.add(number, _words_of_item(catalogue, number, item_fields))
        body_boost = 1 / self.config.title_boost if self.config.title_boost else 1.0
        title_boost = 1.0 if self.config.title_boost else 0.0
        fitted._index = builder.build(
            self._languages(catalogue), self.config.k1, self.config.b, (title_boost, body_boost)
        )
        fields = word_fields(catalogue, self.config.fields)
        fitted._field_hashes = field_hashes(catalogue, fields, range(len(catalogue)))
        return fitted

    def describe(self) -> dict[str, Any]:
        """The languages of the stemmers, for `plait info`."""
        return {"language": ", ".join(self._index.languages) or "none"}

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        numbers = np.full((len(queries.users), k), ABSENT, np.int32)
        for row, text in enumerate(queries.texts):
            if text:
                matches, scores = self._matches(queries, row, text)[1:]
                allowed = _is_allowed(matches, queries, row)
                matches, scores = matches[allowed], scores[allowed]
                best = matches[np.lexsort((matches, -scores))[:k]]
                numbers[row, : len(best)] = best
        return CandidateLists(numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        scores = np.full(numbers.shape, np.nan, np.float32)
        if not any(queries.texts):
            return scores
        view = self._view(queries)
        for row, text in enumerate(queries.texts):
            if text:
                slots, matches, match_scores = self._matches(queries, row, text)
                if slots:
                    scores[row, view.has_words(numbers[row])] = 0
                    _write_scores(scores[row], numbers[row], matches, match_scores)
        return scores

    def match_features(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Describe how the words of queries match items, for a ranker.

        Args:
            queries: B queries.
            numbers: Item numbers, int32 [B, K]; -1 is padding.

        Returns:
            float32 [B, K, F], a feature for each of `MATCH_FEATURES`; NaN for queries without a
            word.
        """
        features = np.full((*numbers.shape, len(MATCH_FEATURES)), np.nan, np.float32)
        for row, text in enumerate(queries.texts):
            if text and numbers.shape[1]:
                slots, matches, scores = self._matches(queries, row, text)
                query = QueryMatch(slots, quantities(slots, text), matches, scores)
                features[row] = match_features(self._view(queries), query, numbers[row])
        return features

    def corrections(self, queries: QueryBatch) -> list[dict[str, str]]:
        """Say how words that no item has were read.

        Args:
            queries: B queries.

        Returns:
            By query the words with the likeliest word of an item, both folded.
        """
        return [
            {slot.word: slot.corrections[0] for slot in slots if slot.corrections}
            for row, text in enumerate(queries.texts)
            for slots in [self._matches(queries, row, text)[0] if text else ()]
        ]

    def complete(self, queries: QueryBatch, k: int) -> list[list[Completion]]:
        """Complete the last word of each text.

        Args:
            queries: B queries.
            k: The most completions of a query.

        Returns:
            By query its completions, those of most items first.
        """
        view, live = self._view(queries), queries.live
        catalogue = live.state.catalogue if live is not None else None
        texts = None if catalogue is None else self._texts_of(catalogue)
        return [complete_text(view, text or "", k, texts) for text in queries.texts]

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Updates:
        is_first = not isinstance(previous, ItemUpdates)
        updates: Updates = Updates.empty(version, LiveWords()) if is_first else previous
        fields = word_fields(catalogue, self.config.fields)
        numbers, hashes = updates.outdated_items(catalogue, fields, self._field_hashes)
        item_fields = self._item_fields(catalogue)
        words = {
            number: _words_of_item(catalogue, number, item_fields) for number in numbers.tolist()
        }
        values = extend_live_words(updates, words, self._index)
        return updates.extended(catalogue, numbers, values, hashes)

    @cached_property
    def _synonym_table(self) -> SynonymTable | None:
        return SynonymTable(self._synonyms, self._index.stemmers) if self._synonyms else None

    @cached_property
    def _stop_words(self) -> frozenset[str]:
        return frozenset(
            word
            for text in self.config.stop_words
            for token in tokenize(text)
            for word in token.words
        )

    def _languages(self, catalogue: Catalogue) -> tuple[str, ...]:
        if self.config.language == AUTO:
            return detect_languages(catalogue)
        return (self.config.language,) if self.config.language else ()

    def _item_fields(self, catalogue: Catalogue) -> tuple[list[str], list[str]]:
        """The fields of items that the title and the body of the index hold."""
        title = title_field(catalogue)
        fields = word_fields(catalogue, self.config.fields)
        return [name for name in fields if name == title], [n for n in fields if n != title]

    def _texts_of(self, catalogue: Catalogue) -> Callable[[int], list[str]]:
        """What returns the texts of an item, its title first."""
        title, body = self._item_fields(catalogue)
        return lambda number: word_values(catalogue, number, [*title, *body])

    def _view(self, queries: QueryBatch) -> IndexView:
        """The index as it is for a batch."""
        updates = updates_in(queries, self.name) or Updates.empty(-1, LiveWords())
        if self.name not in queries.cache:
            queries.cache[self.name] = _Cache(IndexView(self._index, updates))
        cache: _Cache = queries.cache[self.name]
        return cache.view

    def _matches(
        self, queries: QueryBatch, row: int, text: str
    ) -> tuple[Sequence[Slot], Int32Array, Float32Array]:
        """The words of a query, the items that match any, int32 ascending, and their scores."""
        view = self._view(queries)
        cache: _Cache = queries.cache[self.name]
        if text not in cache.matches:
            slots = query_slots(
                view,
                text,
                is_fuzzy=self.config.fuzzy,
                synonyms=self._synonym_table,
                stop_words=self._stop_words,
            )
            total = np.zeros(view.n_items, np.float32)
            for slot in slots:
                items, scores = slot_scores(view, slot)
                total[items] += scores
            matches = np.flatnonzero(total).astype(np.int32)
            cache.matches[text] = slots, matches, total[matches]
        return cache.matches[text]


@dataclass(slots=True)
class _Cache:
    """What a batch of queries has computed."""

    view: IndexView
    matches: dict[str, tuple[Sequence[Slot], Int32Array, Float32Array]] = field(
        default_factory=dict
    )


def _words_of_item(
    catalogue: Catalogue, number: int, item_fields: Sequence[Sequence[str]]
) -> list[FieldWords]:
    """The words of the title and the body of an item, and its id; none of a deleted one."""
    if not catalogue.alive[number]:
        return [FieldWords([], []) for _ in item_fields]
    words = [field_words(word_values(catalogue, number, fields)) for fields in item_fields]
    code = item_code(catalogue.id(number))
    if code and any(part.words for part in words):  # an item without a text has no score
        words[-1].others.append(code)
    return words


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
