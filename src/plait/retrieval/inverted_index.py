"""An inverted index with BM25F weights, in numpy arrays.

A posting holds the weight of a term in an item, without the inverse document frequency:
w = f (k1 + 1) / (f + k1), where f adds up the occurrences in all fields, each divided by
1 - b + b l / m for a field of l words, m in the mean, and multiplied by the boost of the field
(Robertson and Zaragoza, 2009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from plait.data.ragged import index_ranges, offsets_of
from plait.retrieval.stems import Stemmers
from plait.retrieval.tokens import tokenize
from plait.retrieval.word_list import WordList

__all__ = [
    "Bm25",
    "FieldWords",
    "IndexBuilder",
    "InvertedIndex",
    "field_words",
    "has_digit",
    "item_code",
]

_MIN_CODE, _MIN_NUMBER = 4, 5


@dataclass(frozen=True, slots=True)
class Bm25:
    """The parameters of the weights.

    Attributes:
        k1: How much a repeated word counts: 0 not at all.
        b: How much the length of a field counts, from 0 to 1.
        boosts: The weight of an occurrence in each field.
        mean_lengths: The mean number of words of each field.
    """

    k1: float
    b: float
    boosts: tuple[float, ...]
    mean_lengths: tuple[float, ...]

    def occurrence_weights(self, lengths: Int64Array) -> Float64Array:
        """Return what an occurrence in each field adds to the frequency of a term.

        Args:
            lengths: The number of words of each field of N items, int64 [N, fields].

        Returns:
            float64 [N, fields].
        """
        relative = lengths / np.maximum(self.mean_lengths, 1e-9)
        weights: Float64Array = np.array(self.boosts) / (1 - self.b + self.b * relative)
        return weights

    def saturated(self, frequencies: Float64Array) -> Float32Array:
        """Return the weights of weighted frequencies.

        Args:
            frequencies: float64 [N].

        Returns:
            float32 [N], from 0 to k1 + 1.
        """
        weights = frequencies * (self.k1 + 1) / np.maximum(frequencies + self.k1, 1e-9)
        return weights.astype(np.float32)


@dataclass(frozen=True, slots=True)
class FieldWords:
    """The words of one field of an item.

    Attributes:
        words: The words in order; their number is the length of the field.
        others: What the field is found by beside them: words written as one, n-grams.
    """

    words: list[str]
    others: list[str]


def field_words(texts: Sequence[str]) -> FieldWords:
    """Split the texts of a field.

    Args:
        texts: The values of the field.

    Returns:
        Its words.
    """
    words: list[str] = []
    others: list[str] = []
    for text in texts:
        for token in tokenize(text):
            words += token.words
            if token.joined:
                others.append(token.joined)
            others += token.pieces
    return FieldWords(words, others)


def has_digit(word: str) -> bool:
    """Tell whether any letter of a word is a digit.

    Args:
        word: A word.
    """
    return any(letter.isdigit() for letter in word)


def item_code(item_id: str) -> str:
    """Return the word by which an item is found if people type its id.

    Args:
        item_id: The external id.

    Returns:
        The id as one word: of letters and digits at least four, of digits alone at least five;
        "" for an id that could be a word or a number of a text.
    """
    if not has_digit(item_id):
        return ""
    if item_id.isascii() and item_id.isdigit():
        return item_id if len(item_id) >= _MIN_NUMBER else ""
    tokens = tokenize(item_id)
    code = (tokens[0].joined or tokens[0].words[0]) if len(tokens) == 1 else ""
    least = _MIN_NUMBER if code.isdigit() else _MIN_CODE
    return code if len(code) >= least and has_digit(code) and code.isalnum() else ""


@dataclass(frozen=True, eq=False)
class InvertedIndex:
    """The items of a fit.

    Attributes:
        languages: The languages of the stemmers.
        bm25: The parameters of the weights.
        words: V distinct words as the items write them, folded.
        word_counts: In how many items each word is, int32 [V].
        terms: T distinct stems.
        term_offsets: Where the postings of each term begin, int64 [T + 1].
        items: The item of each posting, int32 [P], ascending within a term.
        weights: The weight of each posting, float32 [P].
        document_offsets: Where the words of each item begin, int64 [n + 1].
        document_words: Positions in `words`, int32: the words of the first field in order, those of
            the other fields, and what else the item is found by.
        title_lengths: How many of them belong to the first field, int32 [n].
        n_documents: How many items have any word.
    """

    languages: tuple[str, ...] = ()
    bm25: Bm25 = field(default_factory=lambda: Bm25(1.0, 0.0, (1.0,), (1.0,)))
    words: tuple[str, ...] = ()
    word_counts: Int32Array = field(default_factory=lambda: np.zeros(0, np.int32))
    terms: tuple[str, ...] = ()
    term_offsets: Int64Array = field(default_factory=lambda: np.zeros(1, np.int64))
    items: Int32Array = field(default_factory=lambda: np.zeros(0, np.int32))
    weights: Float32Array = field(default_factory=lambda: np.zeros(0, np.float32))
    document_offsets: Int64Array = field(default_factory=lambda: np.zeros(1, np.int64))
    document_words: Int32Array = field(default_factory=lambda: np.zeros(0, np.int32))
    title_lengths: Int32Array = field(default_factory=lambda: np.zeros(0, np.int32))
    n_documents: int = 0

    @property
    def n_items(self) -> int:
        """How many items the index covers, those without a word included."""
        return len(self.title_lengths)

    @cached_property
    def stemmers(self) -> Stemmers:
        """The stemmers of its languages."""
        return Stemmers(self.languages)

    @cached_property
    def word_list(self) -> WordList:
        """The words without a digit, by similarity: codes of two products differ by a digit."""
        positions = [at for at, word in enumerate(self.words) if not has_digit(word)]
        return WordList([self.words[at] for at in positions], self.word_counts[positions])

    @cached_property
    def term_list(self) -> WordList:
        """The stems, by prefix and suffix."""
        return WordList(self.terms)

    @cached_property
    def word_positions(self) -> Mapping[str, int]:
        """The position of each word."""
        return {word: position for position, word in enumerate(self.words)}

    @cached_property
    def term_positions(self) -> Mapping[str, int]:
        """The position of each term."""
        return {term: position for position, term in enumerate(self.terms)}

    @cached_property
    def has_words(self) -> BoolArray:
        """Which items have any word, bool [n]."""
        return np.diff(self.document_offsets) > 0

    def postings(self, term: str) -> tuple[Int32Array, Float32Array]:
        """Look up a term.

        Args:
            term: A stem.

        Returns:
            The items that have it, int32 ascending, and its weights, float32.
        """
        position = self.term_positions.get(term)
        if position is None:
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        start, end = self.term_offsets[position : position + 2].tolist()
        return self.items[start:end], self.weights[start:end]

    def idf(self, count: int) -> float:
        """Return the inverse document frequency of a term.

        Args:
            count: How many items have it.

        Returns:
            log(1 + (n - count + 1/2) / (count + 1/2)), above 0.
        """
        others = max(self.n_documents - count, 0)
        return float(np.log1p((others + 0.5) / (count + 0.5)))

    def words_of(self, number: int) -> list[str]:
        """List the distinct words of an item.

        Args:
            number: An item number; of an item outside of the index there are none.
        """
        if number >= self.n_items:
            return []
        start, end = self.document_offsets[number : number + 2].tolist()
        return [self.words[position] for position in set(self.document_words[start:end].tolist())]


class IndexBuilder:
    """Collects the words of items and builds an index of them.

    Args:
        n_items: How many items there are.
        n_fields: How many fields an item has.
    """

    def __init__(self, n_items: int, n_fields: int) -> None:
        self._n_items, self._n_fields = n_items, n_fields
        self._positions: dict[str, int] = {}
        self._numbers: list[int] = []
        self._values: list[int] = []
        self._counts: list[list[int]] = []

    def add(self, number: int, fields: Sequence[FieldWords]) -> None:
        """Add an item.

        Args:
            number: Its number, above those of the items before.
            fields: The words of each of its fields.
        """
        before = len(self._values)
        for words in (*(f.words for f in fields), *(f.others for f in fields)):
            positions = self._positions
            self._values += [positions.setdefault(word, len(positions)) for word in words]
        if len(self._values) > before:
            self._numbers.append(number)
            self._counts.append([*(len(f.words) for f in fields), *(len(f.others) for f in fields)])

    def build(
        self, languages: tuple[str, ...], k1: float, b: float, boosts: tuple[float, ...]
    ) -> InvertedIndex:
        """Build the index.

        Args:
            languages: The languages of the stemmers.
            k1: See `Bm25`.
            b: See `Bm25`.
            boosts: See `Bm25`.
        """
        numbers = np.array(self._numbers, np.int32)
        values = np.array(self._values, np.int32)
        counts = np.array(self._counts, np.int64).reshape(len(numbers), 2 * self._n_fields)
        lengths = counts[:, : self._n_fields]
        means = lengths.mean(axis=0) if len(numbers) else np.ones(self._n_fields)
        bm25 = Bm25(k1, b, boosts, tuple(means.tolist()))
        # The row (of the items with words) and what an occurrence adds, for each word in `values`.
        parts = counts.ravel()
        rows = np.repeat(np.arange(len(numbers), dtype=np.int64), counts.sum(axis=1))
        occurrence = np.repeat(np.tile(bm25.occurrence_weights(lengths), 2).ravel(), parts)
        words = tuple(self._positions)
        stemmers = Stemmers(languages)
        terms: dict[str, int] = {}
        term_rows = [
            [terms.setdefault(stem, len(terms)) for stem in stemmers.stems(word)] for word in words
        ]
        stem_counts = np.array([len(row) for row in term_rows], np.int64)
        stems = np.array([position for row in term_rows for position in row], np.int64)
        stem_offsets = offsets_of(stem_counts)
        repeats = stem_counts[values]
        expanded = stems[index_ranges(stem_offsets[values], repeats)]
        keys = expanded * max(len(numbers), 1) + np.repeat(rows, repeats)
        keys, inverse = np.unique(keys, return_inverse=True)
        frequencies = np.bincount(inverse, np.repeat(occurrence, repeats), len(keys))
        posting_terms, posting_rows = np.divmod(keys, max(len(numbers), 1))
        lengths_of_items = np.zeros(self._n_items, np.int64)
        lengths_of_items[numbers] = counts.sum(axis=1)
        title_lengths = np.zeros(self._n_items, np.int32)
        title_lengths[numbers] = lengths[:, 0]
        occurrences = np.sort(rows * max(len(words), 1) + values)  # faster than a hash of them
        distinct = occurrences[np.diff(occurrences, prepend=-1) > 0]
        word_counts = np.bincount(distinct % max(len(words), 1), minlength=len(words))
        return InvertedIndex(
            languages,
            bm25,
            words,
            word_counts.astype(np.int32),
            tuple(terms),
            offsets_of(np.bincount(posting_terms, minlength=len(terms))),
            numbers[posting_rows],
            bm25.saturated(frequencies.astype(np.float64)),
            offsets_of(lengths_of_items),
            values,
            title_lengths,
            len(numbers),
        )
