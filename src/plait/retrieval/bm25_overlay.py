"""BM25 of the few items that an index does not hold yet, as tantivy computes it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int32Array
from plait.features.incremental_updates import ItemUpdates

__all__ = ["IndexStatistics", "Postings", "Terms", "extend_postings"]

K1, B = 1.2, 0.75

_Key = tuple[str, str]
"""A field of the index ("title", "body") and a term."""

_ADDED = [("code", np.int32), ("number", np.int32), ("weight", np.float32)]

Terms = Mapping[str, Sequence[str]]
"""By field of the index the terms of one document, repetitions included."""


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """The statistics of an index that BM25 reads.

    Attributes:
        mean_lengths: by field the mean number of terms of a document.
        n_documents: the number of documents.
    """

    mean_lengths: Mapping[str, float]
    n_documents: int

    def term_weights(self, index_field: str, terms: Sequence[str]) -> dict[_Key, float]:
        """Compute the BM25 weight of every term of a document's field, without idf.

        Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond" (2009).

        Args:
            index_field: the field of the index.
            terms: the terms of the field, repetitions included.

        Returns:
            The weights by field and term, below `K1` + 1.
        """
        mean = max(self.mean_lengths.get(index_field, 1.0), 1e-9)
        stored_length = _BYTE_LENGTHS[bisect_right(_BYTE_LENGTHS, len(terms)) - 1]  # as tantivy's
        norm = K1 * (1 - B + B * (stored_length / mean))
        return {
            (index_field, term): frequency * (K1 + 1) / (frequency + norm)
            for term, frequency in Counter(terms).items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """An inverted index of updated items.

    Attributes:
        has_terms: bool [N], in the order of the item updates: whether an item has any term.
        keys: the fields and terms of each item.
        entries: by field and term the items that have it, int32, and its weights, float32.
    """

    has_terms: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))
    keys: Mapping[int, Sequence[_Key]] = field(default_factory=dict)
    entries: Mapping[_Key, tuple[Int32Array, Float32Array]] = field(default_factory=dict)

    def search(
        self,
        terms: Sequence[str],
        idf: Callable[[str, str], float],
        boosts: Mapping[str, float],
    ) -> tuple[Int32Array, Float32Array]:
        """Score the items that contain any of some terms.

        Args:
            terms: the distinct terms of a query.
            idf: the inverse document frequency of a field's term.
            boosts: the weight of each field of the index.

        Returns:
            The matching item numbers, int32 ascending, and their scores, float32.
        """
        numbers, weights = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
        for index_field, boost in boosts.items():
            for term in terms:
                if (index_field, term) in self.entries:
                    items, term_weights = self.entries[index_field, term]
                    numbers.append(items)
                    weights.append(np.float32(boost * idf(index_field, term)) * term_weights)
        matches, positions = np.unique(np.concatenate(numbers), return_inverse=True)
        scores = np.bincount(positions, np.concatenate(weights), len(matches))
        return matches, scores.astype(np.float32)


def extend_postings(
    updates: ItemUpdates[Postings], terms_by_item: Mapping[int, Terms], statistics: IndexStatistics
) -> Postings:
    """Index items again, or for the first time.

    Args:
        updates: the items indexed so far.
        terms_by_item: the terms of each item to index.
        statistics: the statistics of the index that the postings complete.

    Returns:
        The postings of all items, in the order of `updates.extended`.
    """
    old = updates.values
    if not terms_by_item:
        return old
    entries, keys = dict(old.entries), dict(old.keys)
    indexed = np.array(list(terms_by_item), np.int32)
    for key in {key for number in terms_by_item for key in old.keys.get(number, ())}:
        numbers, weights = entries[key]
        mask = ~np.isin(numbers, indexed)
        entries[key] = numbers[mask], weights[mask]
    codes: dict[_Key, int] = {}
    added: list[tuple[int, int, float]] = []
    for number, terms in terms_by_item.items():
        weights_by_key: dict[_Key, float] = {}
        for index_field, field_terms in terms.items():
            weights_by_key |= statistics.term_weights(index_field, field_terms)
        keys[number] = tuple(weights_by_key)
        for key, weight in weights_by_key.items():
            added.append((codes.setdefault(key, len(codes)), number, weight))
    table = np.array(added, _ADDED)
    table = table[np.argsort(table["code"], kind="stable")]
    ends = np.cumsum(np.bincount(table["code"], minlength=len(codes))).tolist()
    new_numbers, new_weights = table["number"].copy(), table["weight"].copy()
    for key, start, end in zip(codes, [0, *ends], ends, strict=False):
        posting = new_numbers[start:end], new_weights[start:end]
        if key in entries:
            numbers, weights = entries[key]
            posting = np.concatenate([numbers, posting[0]]), np.concatenate([weights, posting[1]])
        entries[key] = posting
    retained = updates.item_numbers[updates.retained(indexed)]
    has_terms = [bool(keys[number]) for number in (*retained.tolist(), *terms_by_item)]
    return Postings(np.array(has_terms, np.bool_), keys, entries)


def _byte_lengths() -> list[int]:
    """The document lengths that tantivy distinguishes: it stores a length in one byte."""
    lengths = list(range(41))
    step = 2
    while len(lengths) < 256:
        last = lengths[-1]
        lengths += [last + step * multiple for multiple in range(1, 9)]
        step *= 2
    return lengths[:256]


_BYTE_LENGTHS = _byte_lengths()
