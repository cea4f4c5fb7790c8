"""Sparse rows as in a bag of words: a few columns each, with weights.

scipy's matrices are checked whenever one is made, which costs a single request more than the
arithmetic does. These are three arrays; only the products of whole batches are left to scipy.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from plait.data.types import Bools, Floats, History, Longs, Numbers

__all__ = ["Bag", "decayed", "picked"]

_FEW = 8
"""Up to so many rows a product is made without scipy."""


@dataclass(frozen=True, slots=True, eq=False)
class Bag:
    """B rows over `width` columns: row b has `columns[offsets[b]:offsets[b + 1]]`, int32 [N].

    `offsets` int64 [B + 1], `weights` float32 [N]. A column may stand in a row twice: it counts
    both times.
    """

    offsets: Longs
    columns: Numbers
    weights: Floats
    width: int

    @staticmethod
    def of(matrix: sparse.csr_matrix) -> Bag:
        """The rows of a CSR matrix."""
        offsets = matrix.indptr.astype(np.int64)
        return Bag(offsets, matrix.indices, matrix.data, matrix.shape[1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> Longs:
        """The row of every entry, int64 [N]."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def where(self, mask: Bools) -> Bag:
        """The entries where `mask` [N] holds; all B rows stay."""
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(mask)])
        return Bag(before[self.offsets], self.columns[mask], self.weights[mask], self.width)

    def scaled(self, factors: Floats) -> Bag:
        """Every row times its factor, float32 [B]."""
        lengths = np.diff(self.offsets)
        weights = (self.weights * np.repeat(factors, lengths)).astype(np.float32)
        return Bag(self.offsets, self.columns, weights, self.width)

    def parted(self, fitted: int, late: Numbers) -> tuple[Bag, Bag]:
        """The entries for items of the fit, 0 to `fitted` - 1, and those for the items `late`.

        The latter came or changed after the fit: their columns are places in `late`. Entries for
        any other item are left out.
        """
        place = np.full(max(self.width, int(late.max(initial=-1)) + 1), -1, np.int32)
        place[late] = np.arange(len(late))
        at = place[self.columns]
        old = self.where((at < 0) & (self.columns < fitted))
        new = self.where(at >= 0)
        return (
            Bag(old.offsets, old.columns, old.weights, fitted),
            Bag(new.offsets, at[at >= 0], new.weights, len(late)),
        )

    def beside(self, other: Bag) -> Bag:
        """Row by row the entries of both, over the same columns."""
        order = np.argsort(np.concatenate([self.rows, other.rows]), kind="stable")
        columns = np.concatenate([self.columns, other.columns])[order]
        weights = np.concatenate([self.weights, other.weights])[order]
        return Bag(self.offsets + other.offsets, columns, weights, self.width)

    def merged(self) -> Bag:
        """The same rows with every column once, in rising order."""
        cells = self.rows * self.width + self.columns
        order = np.argsort(cells, kind="stable")
        cells = cells[order]
        first = np.ones(len(cells), np.bool_)
        first[1:] = cells[1:] != cells[:-1]
        starts = np.flatnonzero(first)
        if len(starts) == len(cells):
            weights = self.weights[order]
        else:
            weights = np.add.reduceat(self.weights[order], starts)
        offsets = np.searchsorted(cells[starts], np.arange(len(self) + 1) * self.width)
        columns = (cells[starts] % max(self.width, 1)).astype(np.int32)
        return Bag(offsets.astype(np.int64), columns, weights.astype(np.float32), self.width)

    def unit(self) -> Bag:
        """Rows of length 1, each column once; empty ones stay empty."""
        one = self.merged()
        squares = np.bincount(one.rows, np.square(one.weights), minlength=len(one))
        lengths = np.sqrt(squares)
        scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return one.scaled(scale.astype(np.float32))

    def toarray(self) -> Floats:
        """float32 [B, width]."""
        return _summed(self.rows * self.width + self.columns, self.weights, len(self), self.width)

    def times(self, matrix: sparse.csr_matrix) -> Floats:
        """The product with CSR [width, n], float32 [B, n]."""
        if len(self) > _FEW:
            parts = (self.weights, self.columns, self.offsets)
            rows = sparse.csr_matrix(parts, shape=(len(self), self.width))
            found: Floats = (rows @ matrix).toarray().astype(np.float32, copy=False)
            return found
        flat, lengths = _entries(matrix, self.columns)
        cells = np.repeat(self.rows * matrix.shape[1], lengths) + matrix.indices[flat]
        weights = np.repeat(self.weights, lengths) * matrix.data[flat]
        return _summed(cells, weights, len(self), matrix.shape[1])

    def through(self, matrix: sparse.csr_matrix) -> Bag:
        """The product with CSR [width, n] as a bag, its entries not yet merged."""
        flat, lengths = _entries(matrix, self.columns)
        weights = np.repeat(self.weights, lengths) * matrix.data[flat]
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return Bag(ends[self.offsets], matrix.indices[flat], weights, matrix.shape[1])

    def projected(self, axes: Floats) -> Floats:
        """The product with dense axes [width, D], float32 [B, D]."""
        found = np.zeros((len(self), axes.shape[1]), np.float32)
        bounds = self.offsets.tolist()
        for row, (start, stop) in enumerate(itertools.pairwise(bounds)):
            if stop > start:
                found[row] = self.weights[start:stop] @ axes[self.columns[start:stop]]
        return found

    def products(self, other: Bag) -> Floats:
        """The dot product of every row with every row of a small `other`, float32 [B, C].

        Both have each column once in a row.
        """
        words, at = np.unique(self.columns, return_inverse=True)
        mine = np.zeros((len(self), len(words)), np.float32)
        mine[self.rows, at] = self.weights
        theirs = np.zeros((len(other), len(words)), np.float32)
        if len(words):
            place = np.minimum(np.searchsorted(words, other.columns), len(words) - 1)
            hit = words[place] == other.columns
            theirs[other.rows[hit], place[hit]] = other.weights[hit]
        found: Floats = np.einsum("iw,jw->ij", mine, theirs)
        return found


def picked(matrix: sparse.csr_matrix, numbers: Numbers) -> Bag:
    """The rows `numbers` of a CSR matrix."""
    flat, lengths = _entries(matrix, numbers)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Bag(offsets, matrix.indices[flat], matrix.data[flat], matrix.shape[1])


def decayed(history: History, decay: float, width: int, longest: int = 0) -> Bag:
    """Each history as a row over `width` items: `decay` to the power of the baskets back.

    An item taken often counts each time. Items from `width` on are unknown and left out, as are
    baskets further back than `longest` (0: no limit). Several strands ask for the same.
    """
    key = (decay, width, longest)
    if key not in history.derived:
        back = history.baskets_back
        kept = history.items < width
        if longest:
            kept &= back < longest
        faded = np.power(np.float32(decay), back.astype(np.float32))
        values = (history.weights * faded).astype(np.float32, copy=False)
        whole = Bag(history.offsets, history.items, values, width)
        history.derived[key] = whole if kept.all() else whole.where(kept)
    found: Bag = history.derived[key]
    return found


def _entries(matrix: sparse.csr_matrix, rows: Numbers) -> tuple[Longs, Longs]:
    """Where in a CSR matrix the entries of `rows` lie, and how many each row has."""
    starts = matrix.indptr[rows]
    lengths = matrix.indptr[rows + 1] - starts
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths), lengths


def _summed(cells: Longs, weights: Floats, batch: int, width: int) -> Floats:
    found = np.bincount(cells, weights, minlength=batch * width)
    return found.reshape(batch, width).astype(np.float32)
