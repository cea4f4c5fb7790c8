"""BM25 for the few items that an index does not hold yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.core.types import Floats, Numbers

__all__ = ["Late", "Norms"]

K1, B = 1.2, 0.75

Words = tuple[int, Mapping[str, Counter[str]]]
"""The offset at which an item last changed, and by part how often it has each term."""


@dataclass(frozen=True, slots=True)
class Norms:
    """What the index says of its documents: mean length by part, and how many there are."""

    lengths: Mapping[str, float]
    documents: int


@dataclass(frozen=True, slots=True, eq=False)
class Late:
    """Items that came or changed after the fit, by number, with their terms.

    `postings` leads from (part, term) to the items that have it.
    """

    words: Mapping[int, Words] = field(default_factory=dict)
    postings: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def numbers(self) -> Numbers:
        """The items, int32 [N], ascending."""
        return np.array(sorted(self.words), np.int32)

    def version(self, number: int) -> int:
        """The offset of the words held of an item, -1 for none."""
        return self.words[number][0] if number in self.words else -1

    def extended(self, words: Mapping[int, Words]) -> Late:
        """With more items, or newer words of the same."""
        if not words:
            return self
        postings = dict(self.postings)
        for number, (_, parts) in words.items():
            for key in _keys(self.words.get(number)):
                postings[key] = postings[key] - {number}
            for key in _keys((0, parts)):
                postings[key] = postings.get(key, frozenset()) | {number}
        return Late({**self.words, **words}, postings)

    def scored(
        self,
        terms: Sequence[str],
        idf: Callable[[str, str], float],
        norms: Norms,
        boosts: Mapping[str, float],
        *,
        zeros: bool = False,
    ) -> tuple[Numbers, Floats]:
        """Matching items and their scores; all items, those without a match at 0, if `zeros`."""
        found: Counter[int] = Counter()
        for part, boost in boosts.items():
            for term in terms:
                for number in self.postings.get((part, term), ()):
                    counts = self.words[number][1][part]
                    length = sum(counts.values()) / max(norms.lengths.get(part, 1.0), 1e-9)
                    often = counts[term]
                    weight = often * (K1 + 1) / (often + K1 * (1 - B + B * length))
                    found[number] += boost * idf(part, term) * weight  # type: ignore[assignment]
        numbers = self.numbers if zeros else np.array(sorted(found), np.int32)
        return numbers, np.array([found[int(one)] for one in numbers], np.float32)


def _keys(words: Words | None) -> list[tuple[str, str]]:
    if words is None:
        return []
    return [(part, term) for part, counts in words[1].items() for term in counts]
