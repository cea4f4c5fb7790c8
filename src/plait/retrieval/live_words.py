"""The words of the items that came, changed or went after a fit, beside its index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int32Array
from plait.features.incremental_updates import ItemUpdates
from plait.retrieval.inverted_index import FieldWords, InvertedIndex, has_digit
from plait.retrieval.word_list import WordList

__all__ = ["IndexView", "LiveWords", "extend_live_words"]

_Posting = tuple[Int32Array, Float32Array]

_ADDED = [("code", np.int32), ("number", np.int32), ("weight", np.float32)]


@dataclass(frozen=True, eq=False)
class LiveWords:
    """The words of updated items.

    Attributes:
        terms: The terms of each item.
        words: The distinct words of each item; none of a deleted one.
        titles: The words of the first field of each item, in order.
        postings: By term the items that have it, int32, and its weights, float32.
        word_counts: By word in how many more items it is than at the fit; below 0 in fewer.
    """

    terms: Mapping[int, Sequence[str]] = field(default_factory=dict)
    words: Mapping[int, Sequence[str]] = field(default_factory=dict)
    titles: Mapping[int, Sequence[str]] = field(default_factory=dict)
    postings: Mapping[str, _Posting] = field(default_factory=dict)
    word_counts: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def word_list(self) -> WordList:
        """The words without a digit, by similarity."""
        counts = self.word_counts.items()
        return WordList([word for word, count in counts if count > 0 and not has_digit(word)])

    @cached_property
    def n_rarer(self) -> int:
        """How many words are in fewer items than at the fit."""
        return sum(count < 0 for count in self.word_counts.values())

    @cached_property
    def term_list(self) -> WordList:
        """The stems, by prefix and suffix."""
        return WordList([term for term, (numbers, _) in self.postings.items() if len(numbers)])


def extend_live_words(
    updates: ItemUpdates[LiveWords],
    fields_by_item: Mapping[int, Sequence[FieldWords]],
    index: InvertedIndex,
) -> LiveWords:
    """Read items again, or for the first time.

    Args:
        updates: The items read so far.
        fields_by_item: The words of the fields of each item to read; empty of a deleted item.
        index: The index of the fit.

    Returns:
        The words of all items.
    """
    old = updates.values
    if not fields_by_item:
        return old
    terms, words, titles = dict(old.terms), dict(old.words), dict(old.titles)
    counts = Counter(old.word_counts)
    postings = _without(old, list(fields_by_item))
    codes: dict[str, int] = {}
    added: list[tuple[int, int, float]] = []
    for number, fields in fields_by_item.items():
        counts.subtract(words[number] if number in words else index.words_of(number))
        words[number] = tuple({word for f in fields for word in (*f.words, *f.others)})
        counts.update(words[number])
        titles[number] = tuple(fields[0].words)
        weights = _term_weights(index, fields)
        terms[number] = tuple(weights)
        added += [
            (codes.setdefault(term, len(codes)), number, weight) for term, weight in weights.items()
        ]
    table = np.array(added, _ADDED)
    table = table[np.argsort(table["code"], kind="stable")]
    ends = np.cumsum(np.bincount(table["code"], minlength=len(codes))).tolist()
    numbers, new_weights = table["number"].copy(), table["weight"].copy()
    for term, start, end in zip(codes, [0, *ends], ends, strict=False):
        posting = numbers[start:end], new_weights[start:end]
        if term in postings:
            posting = (
                np.concatenate([postings[term][0], posting[0]]),
                np.concatenate([postings[term][1], posting[1]]),
            )
        postings[term] = posting
    return LiveWords(terms, words, titles, postings, {w: c for w, c in counts.items() if c})


def _without(old: LiveWords, numbers: Sequence[int]) -> dict[str, _Posting]:
    """The postings without those of some items."""
    postings = dict(old.postings)
    removed = np.array(numbers, np.int32)
    for term in {term for number in numbers for term in old.terms.get(number, ())}:
        items, weights = postings[term]
        retained = ~np.isin(items, removed)
        postings[term] = items[retained], weights[retained]
    return postings


def _term_weights(index: InvertedIndex, fields: Sequence[FieldWords]) -> dict[str, float]:
    """The weight of each term of an item, as `IndexBuilder` computes it."""
    lengths = np.array([[len(f.words) for f in fields]], np.int64)
    occurrence = index.bm25.occurrence_weights(lengths)[0].tolist()
    frequencies: dict[str, float] = {}
    for weight, words in zip(occurrence, fields, strict=True):
        for word in (*words.words, *words.others):
            for stem in index.stemmers.stems(word):
                frequencies[stem] = frequencies.get(stem, 0.0) + weight
    saturated = index.bm25.saturated(np.array(list(frequencies.values()), np.float64))
    return dict(zip(frequencies, saturated.tolist(), strict=True))


class IndexView:
    """An index together with the items that changed after its fit.

    Args:
        index: The index of the fit.
        updates: The items that changed.
    """

    def __init__(self, index: InvertedIndex, updates: ItemUpdates[LiveWords]) -> None:
        self.index = index
        self.live = updates.values
        self.n_items = max(index.n_items, int(updates.item_numbers.max(initial=-1)) + 1)
        self._is_updated: BoolArray = np.zeros(self.n_items, np.bool_)
        self._is_updated[updates.item_numbers] = True
        self._has_updates = len(updates.item_numbers) > 0
        self._postings: dict[str, _Posting] = {}

    def postings(self, term: str) -> _Posting:
        """Look up a term.

        Args:
            term: A stem.

        Returns:
            The items that have it now, int32 without repetitions, and its weights, float32.
        """
        if not self._has_updates:
            return self.index.postings(term)
        if term not in self._postings:
            items, weights = self.index.postings(term)
            is_current = ~self._is_updated[items]
            items, weights = items[is_current], weights[is_current]
            if term in self.live.postings:
                live_items, live_weights = self.live.postings[term]
                items = np.concatenate([items, live_items])
                weights = np.concatenate([weights, live_weights])
            self._postings[term] = items, weights
        return self._postings[term]

    def idf(self, term: str) -> float:
        """Return the inverse document frequency of a term at the fit.

        Args:
            term: A stem.
        """
        return self.index.idf(len(self.index.postings(term)[0]))

    def count(self, word: str) -> int:
        """Count the items that have a word as it is written.

        Args:
            word: A folded word.
        """
        position = self.index.word_positions.get(word)
        fitted = 0 if position is None else int(self.index.word_counts[position])
        return fitted + self.live.word_counts.get(word, 0)

    def near(self, word: str, distance: int) -> list[tuple[str, int]]:
        """Find the words of items within an edit distance.

        Args:
            word: A folded word.
            distance: The largest distance.

        Returns:
            Words and their distances, nearest first, then by how many items have them.
        """
        matches: dict[str, int] = {}
        for word_list in (self.index.word_list, self.live.word_list):
            for position, edits in word_list.near(word, distance):
                matches[word_list.words[position]] = edits
        present = [match for match in matches.items() if self.count(match[0]) > 0]
        return sorted(present, key=lambda match: (match[1], -self.count(match[0]), match[0]))

    def words_with_prefix(self, prefix: str, k: int) -> list[str]:
        """List the words of items that begin with a prefix.

        Args:
            prefix: The first letters.
            k: The most words.

        Returns:
            The words, those that most items have first.
        """
        # One more for the prefix itself, and for each word that may have lost its place.
        fitted = self.index.word_list.most_frequent(prefix, k + 1 + self.live.n_rarer)
        words = {*fitted, *self.live.word_list.with_prefix(prefix)} - {prefix}
        counts = {word: self.count(word) for word in words}
        present = [word for word, count in counts.items() if count > 0]
        return sorted(present, key=lambda word: (-counts[word], word))[:k]

    def next_letters(self, prefix: str) -> list[str]:
        """List the letters that follow a prefix in words of items, of deleted ones too.

        Args:
            prefix: The first letters.

        Returns:
            Distinct letters in order.
        """
        lists = (self.index.word_list, self.live.word_list)
        return sorted({letter for words in lists for letter in words.next_letters(prefix)})

    def terms_around(self, term: str) -> list[tuple[str, bool]]:
        """List the terms of items that begin with or end in a term.

        Args:
            term: A stem.

        Returns:
            Terms, and whether they end in it, those that most items have first.
        """
        matches = _around(term, (self.index.term_list, self.live.term_list))
        counts = {other: len(self.postings(other)[0]) for other in matches}
        return _by_count(matches, counts)

    def words_around(self, word: str) -> list[tuple[str, bool]]:
        """List the words of items that begin with or end in a word.

        Args:
            word: A folded word.

        Returns:
            Words, and whether they end in it, those that most items have first.
        """
        matches = _around(word, (self.index.word_list, self.live.word_list))
        return _by_count(matches, {other: self.count(other) for other in matches})

    def title_words(self, number: int) -> Sequence[str]:
        """List the words of the title of an item.

        Args:
            number: An item number; of an item without words there are none.

        Returns:
            Folded words, in order.
        """
        if number in self.live.titles:
            return self.live.titles[number]
        index = self.index
        if not 0 <= number < index.n_items:
            return ()
        start = int(index.document_offsets[number])
        end = start + int(index.title_lengths[number])
        return [index.words[position] for position in index.document_words[start:end].tolist()]

    def has_words(self, numbers: Int32Array) -> BoolArray:
        """Tell which items have any word now.

        Args:
            numbers: Item numbers, int32 [N]; those below 0 and beyond the index have none.

        Returns:
            bool [N].
        """
        has_words = np.zeros(self.n_items + 1, np.bool_)
        has_words[: self.index.n_items] = self.index.has_words
        for number, words in self.live.words.items():
            has_words[number] = bool(words)
        inside = (numbers >= 0) & (numbers < self.n_items)
        result: BoolArray = has_words[np.where(inside, numbers, self.n_items)]
        return result


def _around(part: str, word_lists: Sequence[WordList]) -> dict[str, bool]:
    """Longer words by whether they end in a part; the others begin with it."""
    matches = {other: False for words in word_lists for other in words.with_prefix(part)}
    return matches | {other: True for words in word_lists for other in words.with_suffix(part)}


def _by_count(matches: Mapping[str, bool], counts: Mapping[str, int]) -> list[tuple[str, bool]]:
    """What any item has, the most frequent first."""
    present = [match for match in matches.items() if counts[match[0]] > 0]
    return sorted(present, key=lambda match: (-counts[match[0]], match[0]))
