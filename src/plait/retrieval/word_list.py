"""Words as texts write them, by their edit distance, prefix and suffix."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from plait.data.array_types import Int16Array, Int32Array, Int64Array, UInt32Array, UInt64Array
from plait.data.ragged import index_ranges

__all__ = ["WordList"]

_LAST = "\U0010ffff"


class WordList:
    """Words that can be looked up by similarity.

    Args:
        words: V distinct words.
        counts: In how many items each is, int32 [V]; None: in one.
    """

    def __init__(self, words: Sequence[str], counts: Int32Array | None = None) -> None:
        self.words = words
        self._counts = np.ones(len(words), np.int32) if counts is None else counts

    def near(self, word: str, distance: int) -> list[tuple[int, int]]:
        """Find the words within an edit distance.

        The distance is that of Damerau and Levenshtein with adjacent transpositions, of which no
        letter takes part in two edits (Damerau, 1964). A word is compared only if its length and
        its set of letters allow the distance: one edit changes at most two letters of the set.

        Args:
            word: A word.
            distance: The largest distance.

        Returns:
            The position and the distance of each, in the order of `words`.
        """
        if not self.words:
            return []
        letters = _codes(word)
        lengths = self._lengths
        is_near = np.abs(lengths - len(letters)) <= distance
        differing = np.bitwise_count(self._letter_sets ^ np.bitwise_or.reduce(_bits(letters)))
        is_near &= differing <= 2 * distance
        positions = np.flatnonzero(is_near)
        if not len(positions):
            return []
        width = int(lengths[positions].max())
        rows = np.zeros((len(positions), width), np.uint32)
        is_letter = np.arange(width) < lengths[positions][:, None]
        places = index_ranges(self._offsets[positions], lengths[positions])
        rows[is_letter] = self._letters[places]
        distances = _edit_distances(letters, rows, lengths[positions], distance)
        is_near = distances <= distance
        return list(zip(positions[is_near].tolist(), distances[is_near].tolist(), strict=True))

    def with_prefix(self, prefix: str) -> list[str]:
        """List the words that begin with a prefix, other than the prefix itself.

        Args:
            prefix: The first letters.
        """
        return [word for word in self._sorted[self._range(prefix)] if word != prefix]

    def most_frequent(self, prefix: str, k: int) -> list[str]:
        """List those of the words that begin with a prefix, or equal it, that most items have.

        Args:
            prefix: The first letters.
            k: The most words.

        Returns:
            The words, the most frequent first, equal ones in the order of the alphabet.
        """
        begins = self._range(prefix)
        order = np.argsort(-self._sorted_counts[begins], kind="stable")[:k]
        return [self._sorted[begins.start + position] for position in order.tolist()]

    def next_letters(self, prefix: str) -> list[str]:
        """List the letters that follow a prefix.

        Args:
            prefix: The first letters.

        Returns:
            Distinct letters in order; none if no word is longer than the prefix.
        """
        letters: list[str] = []
        beginning = prefix
        while True:
            position = bisect_left(self._sorted, beginning)
            if position < len(self._sorted) and self._sorted[position] == prefix:
                position += 1
            if position == len(self._sorted) or not self._sorted[position].startswith(prefix):
                return letters
            letters.append(self._sorted[position][len(prefix)])
            beginning = prefix + letters[-1] + _LAST

    def with_suffix(self, suffix: str) -> list[str]:
        """List the words that end in a suffix, other than the suffix itself.

        Args:
            suffix: The last letters.
        """
        reverse = suffix[::-1]
        start = bisect_left(self._reversed, reverse)
        end = bisect_left(self._reversed, reverse + _LAST)
        return [word[::-1] for word in self._reversed[start:end] if word != reverse]

    def _range(self, prefix: str) -> slice:
        """Where the words that begin with a prefix are in the order of the alphabet."""
        start = bisect_left(self._sorted, prefix)
        return slice(start, bisect_left(self._sorted, prefix + _LAST, start))

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.words)

    @cached_property
    def _sorted_counts(self) -> Int32Array:
        """The counts in the order of `_sorted`."""
        count_of = dict(zip(self.words, self._counts.tolist(), strict=True))
        return np.array([count_of[word] for word in self._sorted], np.int32)

    @cached_property
    def _reversed(self) -> list[str]:
        return sorted(word[::-1] for word in self.words)

    @cached_property
    def _letters(self) -> UInt32Array:
        return _codes("".join(self.words))

    @cached_property
    def _lengths(self) -> Int64Array:
        return np.array([len(word) for word in self.words], np.int64)

    @cached_property
    def _offsets(self) -> Int64Array:
        return np.cumsum(self._lengths) - self._lengths

    @cached_property
    def _letter_sets(self) -> UInt64Array:
        """The letters of each word as bits."""
        sets: UInt64Array = np.bitwise_or.reduceat(_bits(self._letters), self._offsets)
        return sets


def _codes(text: str) -> UInt32Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _bits(letters: UInt32Array) -> UInt64Array:
    bits: UInt64Array = np.uint64(1) << (letters % 64).astype(np.uint64)
    return bits


def _edit_distances(
    letters: UInt32Array,
    rows: UInt32Array,
    lengths: Int64Array,
    bound: int,
) -> Int16Array:
    """The distance of a word to N others, int16 [N]; above `bound` some number above it."""
    count, width = rows.shape
    far = np.int16(bound + 1)
    older = np.full((width + 1, count), far)
    last = np.full((width + 1, count), far)
    last[: bound + 1] = np.arange(min(bound, width) + 1, dtype=np.int16)[:, None]
    columns = rows.T
    for row, letter in enumerate(letters.tolist(), 1):
        current = np.full((width + 1, count), far)
        if row <= bound:
            current[0] = row
        for column in range(max(1, row - bound), min(width, row + bound) + 1):
            differs = columns[column - 1] != letter
            best = np.minimum(last[column], current[column - 1]) + np.int16(1)
            np.minimum(best, last[column - 1] + differs, out=best)
            if row > 1 and column > 1:
                swapped = columns[column - 1] == letters[row - 2]
                swapped &= columns[column - 2] == letter
                np.minimum(best, np.where(swapped, older[column - 2] + np.int16(1), far), out=best)
            current[column] = best
        older, last = last, current
    distances: Int16Array = last[lengths, np.arange(count)]
    return distances
