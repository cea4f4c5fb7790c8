"""Sparse features of users and items: fields, knowledge-graph triples and co-occurrence.

A category, each member of a set, each bin of a number or time and each triple is a feature; the
features of one field of one entry have length 1 together. The users of an item, and the items of a
user, are features too, whatever the rating was: the implicit part of SVD++ (Koren, KDD 2008), for
both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.array_types import Int32Array, Int64Array
from plait.data.catalogue import NO_TIME, Catalogue, Column
from plait.data.dataset import Triples

__all__ = ["Feature", "SideFeatures", "co_occurrence_features", "triple_words"]

_NAMED_TYPES = ("category", "set")
"""The types of fields that have few values."""

Feature = tuple[str, str]
"""A relation and a value: ("brand=", "acme"), ("price#", "3"), ("made by>", "ann")."""

Words = Sequence[tuple[Feature, ...]]
"""One group of features for each entry."""


@dataclass(eq=False)
class SideFeatures:
    """A vocabulary of features.

    Attributes:
        words: the F features, one a column.
        edges: by number or time field the inner bin edges, ascending.
    """

    words: list[Feature]
    edges: dict[str, list[float]]

    def __post_init__(self) -> None:
        self._columns = {word: column for column, word in enumerate(self.words)}

    @staticmethod
    def fit(
        catalogue: Catalogue,
        extra_words: Words,
        *,
        min_count: int,
        max_share: float,
        numeric_bins: int,
    ) -> SideFeatures:
        """Learn the vocabulary of a catalogue; free text yields no features.

        Args:
            catalogue: the items or users.
            extra_words: features beside those of the fields, by number; may be empty.
            min_count: features of fewer entries are dropped.
            max_share: features of a larger share of the entries are dropped.
            numeric_bins: bins of a number or time field, with as many entries each; 0: numbers
                and times yield no features.

        Returns:
            The vocabulary, sorted by name.
        """
        edges = {
            name: _bin_edges(column, numeric_bins)
            for name, column in catalogue.columns.items()
            if numeric_bins and column.type in ("number", "time")
        }
        reader = SideFeatures([], edges)
        counts = Counter(
            word
            for number in range(len(catalogue))
            for word in {
                word for group in reader._groups(catalogue, number, extra_words) for word in group
            }
        )
        limit = max(max_share * len(catalogue), min_count)
        words = [word for word, count in counts.items() if min_count <= count <= limit]
        return SideFeatures(sorted(words, key="".join), edges)

    def matrix(
        self,
        catalogue: Catalogue,
        numbers: Sequence[int],
        extra_words: Words,
        *,
        ranged: bool = True,
    ) -> sparse.csr_matrix:
        """Compute the features of entries of a catalogue.

        Args:
            catalogue: the items or users.
            numbers: the N entries.
            extra_words: as in `fit`, by number.
            ranged: whether number and time fields are read; without them a changed price changes
                nothing.

        Returns:
            float64 CSR [N, F].
        """
        groups = (self._groups(catalogue, number, extra_words, ranged) for number in numbers)
        return self._matrix(list(groups))

    def of_fields(self, fields: Sequence[Mapping[str, Any]]) -> sparse.csr_matrix:
        """Compute features from fields that come with a query.

        Args:
            fields: values by field name, for each of B queries; a value of another type than the
                field's is ignored.

        Returns:
            float64 CSR [B, F].
        """
        return self._matrix(
            [[self._words_of(name, value) for name, value in entry.items()] for entry in fields]
        )

    def _matrix(self, entries: Sequence[Words]) -> sparse.csr_matrix:
        """The rows of entries, each given as groups of features."""
        columns: list[int] = []
        values: list[float] = []
        offsets = [0]
        for groups in entries:
            for words in groups:
                known = [self._columns[word] for word in words if word in self._columns]
                columns.extend(known)
                values.extend([max(len(known), 1) ** -0.5] * len(known))
            offsets.append(len(columns))
        shape = (len(entries), len(self.words))
        return sparse.csr_matrix((np.array(values, np.float64), columns, offsets), shape=shape)

    def _groups(
        self, catalogue: Catalogue, number: int, extra_words: Words, ranged: bool = True
    ) -> list[tuple[Feature, ...]]:
        """The features of an entry, a group for each field and one for the extra words."""
        values = (
            (name, column.get(number))
            for name, column in catalogue.columns.items()
            if column.type in _NAMED_TYPES or (ranged and name in self.edges)
        )
        groups = [self._words_of(name, value) for name, value in values if value is not None]
        return [*groups, *extra_words[number : number + 1]]

    def _words_of(self, name: str, value: Any) -> tuple[Feature, ...]:
        """The features of one value of a field."""
        if name in self.edges:
            if not isinstance(value, int | float) or isinstance(value, bool):
                return ()
            return ((f"{name}#", str(np.searchsorted(self.edges[name], value))),)
        if isinstance(value, str):
            return ((f"{name}=", value),)
        if isinstance(value, tuple | list) and all(isinstance(member, str) for member in value):
            return tuple((f"{name}=", member) for member in sorted(set(value)))
        return ()


def triple_words(triples: Triples, n_items: int) -> list[tuple[Feature, ...]]:
    """Name the triples in which each item is the head or the tail.

    Args:
        triples: the knowledge graph.
        n_items: the number of items.

    Returns:
        For each item the sorted features ("relation>", tail) and ("relation<", head).
    """
    words: list[set[Feature]] = [set() for _ in range(n_items)]
    head_ids = triples.head_ids or ("",) * len(triples)
    for index, relation in enumerate(triples.relations):
        head, tail = int(triples.heads[index]), int(triples.tail_items[index])
        if 0 <= head < n_items:
            words[head].add((f"{relation}>", triples.tails[index]))
        if 0 <= tail < n_items and head_ids[index]:
            words[tail].add((f"{relation}<", head_ids[index]))
    return [tuple(sorted(item_words, key="".join)) for item_words in words]


def co_occurrence_features(
    rows: Int32Array | Int64Array, columns: Int32Array | Int64Array, shape: tuple[int, int]
) -> sparse.csr_matrix:
    """Compute the implicit features of SVD++.

    Args:
        rows: integers [N], the row of each interaction.
        columns: integers [N], its column.
        shape: the shape of the result.

    Returns:
        float64 CSR: each pair once, every row of length 1.
    """
    features = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    features.data[:] = 1
    lengths = np.sqrt(np.maximum(np.diff(features.indptr), 1))
    return (sparse.diags_array(1 / lengths) @ features).tocsr()


def _bin_edges(column: Column, bins: int) -> list[float]:
    """The inner edges of bins with as many values each."""
    values = column.values
    known = values[values != NO_TIME] if column.type == "time" else values[~np.isnan(values)]
    if not len(known):
        return []
    shares = np.arange(1, bins) / bins
    return sorted({float(edge) for edge in np.quantile(known, shares, method="nearest")})
