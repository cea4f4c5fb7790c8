"""BM25 for the few items that an index does not hold yet, as tantivy computes it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.data.types import BoolArray, Float32Array, Int32Array
from plait.features.item_changes import Changes

__all__ = ["Late", "Norms", "Words"]

K1, B = 1.2, 0.75

Key = tuple[str, str]
"""A part of the documents ("title", "body") and a term."""

Words = Mapping[str, Sequence[str]]
"""By part, the terms of one document, repetitions kept."""


@dataclass(frozen=True, slots=True)
class Norms:
    """What the index says of its documents: mean length by part, and how many there are."""

    lengths: Mapping[str, float]
    documents: int

    def weight(self, part: str, often: int, length: int) -> float:
        """What a term is worth that stands `often` in a document of `length` terms, without idf."""
        share = _rounded(length) / max(self.lengths.get(part, 1.0), 1e-9)
        return often * (K1 + 1) / (often + K1 * (1 - B + B * share))


@dataclass(frozen=True, slots=True, eq=False)
class Late:
    """Items that came or changed after the fit, with the weights of their terms.

    `worded` bool [N]: which of `changes.numbers` have any word. `keys`: the terms of each item.
    `postings`: by part and term the items that have it and what it is worth in each.
    """

    changes: Changes
    worded: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))
    keys: Mapping[int, Sequence[Key]] = field(default_factory=dict)
    postings: Mapping[Key, tuple[Int32Array, Float32Array]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def numbers(self) -> Int32Array:
        """The items, int32 [N]."""
        return self.changes.numbers

    def extended(self, changes: Changes, words: Mapping[int, Words], norms: Norms) -> Late:
        """With more items, or newer words of the same; `changes` says which in which order."""
        if not words:
            return Late(changes, self.worded, self.keys, self.postings)
        postings = dict(self.postings)
        stale = np.array(list(words), np.int32)
        for key in {key for one in words for key in self.keys.get(one, ())}:
            numbers, weights = postings[key]
            left = ~np.isin(numbers, stale)
            postings[key] = numbers[left], weights[left]
        new: dict[Key, tuple[list[int], list[float]]] = {}
        keys = dict(self.keys)
        for number, parts in words.items():
            weighed = _weighed(parts, norms)
            keys[number] = tuple(weighed)
            for key, weight in weighed.items():
                found = new.setdefault(key, ([], []))
                found[0].append(number)
                found[1].append(weight)
        for key, (items, worth) in new.items():
            numbers, weights = postings.get(key, (np.zeros(0, np.int32), np.zeros(0, np.float32)))
            postings[key] = (
                np.concatenate([numbers, np.array(items, np.int32)]),
                np.concatenate([weights, np.array(worth, np.float32)]),
            )
        worded = np.array([bool(keys[one]) for one in changes.numbers.tolist()], np.bool_)
        return Late(changes, worded, keys, postings)

    def scored(
        self,
        terms: Sequence[str],
        idf: Callable[[str, str], float],
        boosts: Mapping[str, float],
    ) -> tuple[Int32Array, Float32Array]:
        """The items that match, ascending, and their scores."""
        numbers, worth = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
        for part, boost in boosts.items():
            for term in terms:
                if (part, term) in self.postings:
                    items, weights = self.postings[part, term]
                    numbers.append(items)
                    worth.append(np.float32(boost * idf(part, term)) * weights)
        found, place = np.unique(np.concatenate(numbers), return_inverse=True)
        totals = np.bincount(place, np.concatenate(worth), len(found))
        return found, totals.astype(np.float32)


def _weighed(parts: Words, norms: Norms) -> dict[Key, float]:
    return {
        (part, term): norms.weight(part, often, len(terms))
        for part, terms in parts.items()
        for term, often in Counter(terms).items()
    }


def _lengths() -> list[int]:
    """The lengths that tantivy can tell apart: it keeps one byte for each document."""
    found = list(range(41))
    step = 2
    while len(found) < 256:
        found += [found[-1] + step * one for one in range(1, 9)]
        step *= 2
    return found[:256]


_LENGTHS = _lengths()


def _rounded(length: int) -> int:
    return _LENGTHS[bisect_right(_LENGTHS, length) - 1]
