"""Sparse rows as in a bag of words: a few columns each, with weights.

scipy's matrices are checked whenever one is made, which costs a single request more than the
arithmetic does. These are three arrays; only the products of whole batches are left to scipy.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from plait.data.types import BoolArray, Float32Array, History, Int32Array, Int64Array

__all__ = ["SparseRows", "decayed_history", "take_rows"]

_FEW = 8
"""Up to so many rows a product is made without scipy."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """B rows over `width` columns: row b has `columns[offsets[b]:offsets[b + 1]]`, int32 [N].

    `offsets` int64 [B + 1], `weights` float32 [N]. A column may stand in a row twice: it counts
    both times.
    """

    offsets: Int64Array
    columns: Int32Array
    weights: Float32Array
    width: int

    @staticmethod
    def of(matrix: sparse.csr_matrix) -> SparseRows:
        """The rows of a CSR matrix."""
        offsets = matrix.indptr.astype(np.int64)
        return SparseRows(offsets, matrix.indices, matrix.data, matrix.shape[1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> Int64Array:
        """The row of every entry, int64 [N]."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def where(self, mask: BoolArray) -> SparseRows:
        """The entries where `mask` [N] holds; all B rows stay."""
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(mask)])
        return SparseRows(before[self.offsets], self.columns[mask], self.weights[mask], self.width)

    def scaled(self, factors: Float32Array) -> SparseRows:
        """Every row times its factor, float32 [B]."""
        lengths = np.diff(self.offsets)
        weights = (self.weights * np.repeat(factors, lengths)).astype(np.float32)
        return SparseRows(self.offsets, self.columns, weights, self.width)

    def split_columns(self, fitted: int, late: Int32Array) -> tuple[SparseRows, SparseRows]:
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
            SparseRows(old.offsets, old.columns, old.weights, fitted),
            SparseRows(new.offsets, at[at >= 0], new.weights, len(late)),
        )

    def hstack(self, other: SparseRows) -> SparseRows:
        """Row by row the entries of both, over the same columns."""
        order = np.argsort(np.concatenate([self.rows, other.rows]), kind="stable")
        columns = np.concatenate([self.columns, other.columns])[order]
        weights = np.concatenate([self.weights, other.weights])[order]
        return SparseRows(self.offsets + other.offsets, columns, weights, self.width)

    def sum_duplicates(self) -> SparseRows:
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
        return SparseRows(offsets.astype(np.int64), columns, weights.astype(np.float32), self.width)

    def l2_normalized(self) -> SparseRows:
        """Rows of length 1, each column once; empty ones stay empty."""
        one = self.sum_duplicates()
        squares = np.bincount(one.rows, np.square(one.weights), minlength=len(one))
        lengths = np.sqrt(squares)
        scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return one.scaled(scale.astype(np.float32))

    def toarray(self) -> Float32Array:
        """float32 [B, width]."""
        return _summed(self.rows * self.width + self.columns, self.weights, len(self), self.width)

    def matmul(self, matrix: sparse.csr_matrix) -> Float32Array:
        """The product with CSR [width, n], float32 [B, n]."""
        if len(self) > _FEW:
            parts = (self.weights, self.columns, self.offsets)
            rows = sparse.csr_matrix(parts, shape=(len(self), self.width))
            found: Float32Array = (rows @ matrix).toarray().astype(np.float32, copy=False)
            return found
        flat, lengths = _entries(matrix, self.columns)
        cells = np.repeat(self.rows * matrix.shape[1], lengths) + matrix.indices[flat]
        weights = np.repeat(self.weights, lengths) * matrix.data[flat]
        return _summed(cells, weights, len(self), matrix.shape[1])

    def matmul_sparse(self, matrix: sparse.csr_matrix) -> SparseRows:
        """The product with CSR [width, n] as a bag, its entries not yet merged."""
        flat, lengths = _entries(matrix, self.columns)
        weights = np.repeat(self.weights, lengths) * matrix.data[flat]
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return SparseRows(ends[self.offsets], matrix.indices[flat], weights, matrix.shape[1])

    def projected(self, axes: Float32Array) -> Float32Array:
        """The product with dense axes [width, D], float32 [B, D]."""
        found = np.zeros((len(self), axes.shape[1]), np.float32)
        bounds = self.offsets.tolist()
        for row, (start, stop) in enumerate(itertools.pairwise(bounds)):
            if stop > start:
                found[row] = self.weights[start:stop] @ axes[self.columns[start:stop]]
        return found

    def dot_rows(self, other: SparseRows) -> Float32Array:
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
        found: Float32Array = np.einsum("iw,jw->ij", mine, theirs)
        return found


def take_rows(matrix: sparse.csr_matrix, numbers: Int32Array) -> SparseRows:
    """The rows `numbers` of a CSR matrix."""
    flat, lengths = _entries(matrix, numbers)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return SparseRows(offsets, matrix.indices[flat], matrix.data[flat], matrix.shape[1])


def decayed_history(history: History, decay: float, width: int, longest: int = 0) -> SparseRows:
    """Each history as a row over `width` items: `decay` to the power of the baskets back.

    An item taken often counts each time. Items from `width` on are unknown and left out, as are
    baskets further back than `longest` (0: no limit). Several strands ask for the same.
    """
    key = (decay, width, longest)
    if key not in history.cache:
        back = history.basket_age
        kept = history.items < width
        if longest:
            kept &= back < longest
        faded = np.power(np.float32(decay), back.astype(np.float32))
        values = (history.weights * faded).astype(np.float32, copy=False)
        whole = SparseRows(history.offsets, history.items, values, width)
        history.cache[key] = whole if kept.all() else whole.where(kept)
    found: SparseRows = history.cache[key]
    return found


def _entries(matrix: sparse.csr_matrix, rows: Int32Array) -> tuple[Int64Array, Int64Array]:
    """Where in a CSR matrix the entries of `rows` lie, and how many each row has."""
    starts = matrix.indptr[rows]
    lengths = matrix.indptr[rows + 1] - starts
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths), lengths


def _summed(cells: Int64Array, weights: Float32Array, batch: int, width: int) -> Float32Array:
    found = np.bincount(cells, weights, minlength=batch * width)
    return found.reshape(batch, width).astype(np.float32)
