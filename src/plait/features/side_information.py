"""What is known about users and items, as sparse features: fields, facts, and whom they met.

A category, each member of a set, each part of a number's or time's range and each fact is a
feature; the features of one field of one item have length 1 together. Whom somebody met without a
word about how it was is knowledge too: the implicit part of SVD++ (Koren, KDD 2008), for both
sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.catalogue import NO_TIME, Catalogue, Column
from plait.data.types import Int32Array, Int64Array, Triples

__all__ = ["SideFeatures", "co_occurrence_features", "of_facts"]

_NAMED = ("category", "set")
"""The types of fields that have few values."""

Words = list[tuple[str, ...]]
"""What is said of each entry, in words."""


class SideFeatures:
    """A vocabulary of features; `edges` by field: the inner borders of the ranges of numbers."""

    def __init__(self, words: Sequence[str], edges: Mapping[str, Sequence[float]]) -> None:
        self.words = list(words)
        self.edges = {name: [float(one) for one in given] for name, given in edges.items()}
        self._places = {word: place for place, word in enumerate(self.words)}

    @staticmethod
    def learned(
        catalogue: Catalogue, told: Words, *, least: int, most: float, ranges: int
    ) -> SideFeatures:
        """Features of at least `least` entries and at most a share `most` of all.

        `told`: words beside those of the fields, by entry. A number (or time) has `ranges` parts
        with as many entries each; 0: numbers say nothing. Nor does free text.
        """
        edges = {
            name: _edges(column, ranges)
            for name, column in catalogue.columns.items()
            if ranges and column.type in ("number", "time")
        }
        reader = SideFeatures([], edges)
        counts: dict[str, int] = {}
        for number in range(len(catalogue)):
            said = reader._said(catalogue, number) + ([told[number]] if told else [])
            for word in {word for words in said for word in words}:
                counts[word] = counts.get(word, 0) + 1
        limit = max(most * len(catalogue), least)
        return SideFeatures(sorted(w for w, n in counts.items() if least <= n <= limit), edges)

    def matrix(
        self, catalogue: Catalogue, numbers: Sequence[int], told: Words, *, ranged: bool = True
    ) -> Any:
        """float64 CSR [len(numbers), F]; `told` as in `learned`, by number.

        Not `ranged`: without numbers and times, so that a price that changes changes nothing.
        """
        return self._matrix(
            [
                self._said(catalogue, one, ranged) + ([told[one]] if one < len(told) else [])
                for one in numbers
            ]
        )

    def of_fields(self, fields: Sequence[Mapping[str, Any]]) -> Any:
        """float64 CSR [B, F] from fields that a question carries; what has another type counts as
        absent.
        """
        return self._matrix(
            [[self._words_of(name, one) for name, one in f.items()] for f in fields]
        )

    def _matrix(self, said: Sequence[Sequence[tuple[str, ...]]]) -> Any:
        columns: list[int] = []
        values: list[float] = []
        offsets = [0]
        for groups in said:
            for words in groups:
                known = [self._places[word] for word in words if word in self._places]
                columns.extend(known)
                values.extend([max(len(known), 1) ** -0.5] * len(known))
            offsets.append(len(columns))
        shape = (len(said), len(self.words))
        return sparse.csr_matrix((np.array(values, np.float64), columns, offsets), shape=shape)

    def _said(
        self, catalogue: Catalogue, number: int, ranged: bool = True
    ) -> list[tuple[str, ...]]:
        columns = [
            (name, column)
            for name, column in catalogue.columns.items()
            if column.type in _NAMED or (ranged and name in self.edges)
        ]
        found = ((name, column.get(number)) for name, column in columns)
        return [self._words_of(name, value) for name, value in found if value is not None]

    def _words_of(self, name: str, value: Any) -> tuple[str, ...]:
        if name in self.edges:
            if not isinstance(value, int | float) or isinstance(value, bool):
                return ()
            return (f"{name}#{int(np.searchsorted(self.edges[name], value))}",)
        if isinstance(value, str):
            return (f"{name}={value}",)
        if isinstance(value, tuple | list) and all(isinstance(one, str) for one in value):
            return tuple(f"{name}={one}" for one in sorted(set(value)))
        return ()


def of_facts(facts: Triples, n_items: int) -> Words:
    """What the facts say of every item, as head and as tail: one tuple of words an item."""
    said: list[set[str]] = [set() for _ in range(n_items)]
    heads = facts.head_ids or ("",) * len(facts)
    for place, relation in enumerate(facts.relations):
        head, tail = int(facts.heads[place]), int(facts.tail_items[place])
        if 0 <= head < n_items:
            said[head].add(f"{relation}>{facts.tails[place]}")
        if 0 <= tail < n_items and heads[place]:
            said[tail].add(f"{relation}<{heads[place]}")
    return [tuple(sorted(one)) for one in said]


def co_occurrence_features(
    rows: Int32Array | Int64Array, columns: Int32Array | Int64Array, shape: tuple[int, int]
) -> Any:
    """float64 CSR: who met whom, once each, every row of length 1."""
    ones = np.ones(len(rows))
    found = sparse.csr_matrix((ones, (rows, columns)), shape=shape)
    found.data[:] = 1
    lengths = np.sqrt(np.maximum(np.diff(found.indptr), 1))
    return (sparse.diags_array(1 / lengths) @ found).tocsr()


def _edges(column: Column, ranges: int) -> list[float]:
    values = column.values
    known = values[values != NO_TIME] if column.type == "time" else values[~np.isnan(values)]
    if not len(known):
        return []
    shares = np.arange(1, ranges) / ranges
    return sorted({float(one) for one in np.quantile(known, shares, method="nearest")})
