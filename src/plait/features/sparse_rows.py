"""Sparse rows as three arrays: a few columns each, with weights.

scipy checks every matrix that it makes, which costs a single request more than the arithmetic.
Only the products of whole batches are left to scipy.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from plait.data.history import History

__all__ = ["SparseRows", "decayed_history", "take_rows"]

_SCIPY_ROWS = 8
"""Products of up to this many rows are computed without scipy."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """A sparse matrix whose rows may hold a column more than once; such entries add up.

    Attributes:
        offsets: int64 [B + 1]; row b is `columns[offsets[b]:offsets[b + 1]]`.
        columns: int32 [N].
        weights: float32 [N].
        width: the number of columns.
    """

    offsets: Int64Array
    columns: Int32Array
    weights: Float32Array
    width: int

    @staticmethod
    def of(matrix: sparse.csr_matrix) -> SparseRows:
        """Take over the rows of a CSR matrix.

        Args:
            matrix: CSR [B, width]; its entries are not copied.

        Returns:
            The same rows.
        """
        offsets = matrix.indptr.astype(np.int64)
        return SparseRows(offsets, matrix.indices, matrix.data, matrix.shape[1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> Int64Array:
        """The row of every entry, int64 [N]."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @property
    def csr(self) -> sparse.csr_matrix:
        """The rows as a CSR matrix [B, width]; duplicates and the order of columns stay."""
        entries = (self.weights, self.columns, self.offsets)
        return sparse.csr_matrix(entries, shape=(len(self.offsets) - 1, self.width))

    def where(self, mask: BoolArray) -> SparseRows:
        """Select entries.

        Args:
            mask: bool [N].

        Returns:
            The entries where the mask holds; all B rows stay.
        """
        offsets = np.searchsorted(np.flatnonzero(mask), self.offsets)
        return SparseRows(offsets, self.columns[mask], self.weights[mask], self.width)

    def scaled(self, factors: Float32Array) -> SparseRows:
        """Multiply every row by a factor.

        Args:
            factors: float32 [B].

        Returns:
            The scaled rows.
        """
        row_factors = np.repeat(factors, np.diff(self.offsets))
        return replace(self, weights=(self.weights * row_factors).astype(np.float32))

    def slice(self, start: int, stop: int) -> SparseRows:
        """Select a range of rows.

        Args:
            start: the first row.
            stop: the row after the last.

        Returns:
            The rows, without a copy of the entries.
        """
        offsets = self.offsets[start : stop + 1]
        entries = slice(offsets[0], offsets[-1])
        return SparseRows(
            offsets - offsets[0], self.columns[entries], self.weights[entries], self.width
        )

    def split_columns(self, n_fitted: int, updated: Int32Array) -> tuple[SparseRows, SparseRows]:
        """Separate the entries for items of the fit from those for updated items.

        Args:
            n_fitted: columns below this number are items of the fit.
            updated: int32 [M], columns of items that were added or changed after the fit.

        Returns:
            The entries for items of the fit that were not updated, over `n_fitted` columns, and
            those for updated items, over M columns in the order of `updated`. Entries for any
            other column are left out.
        """
        positions = np.full(max(self.width, int(updated.max(initial=-1)) + 1), -1, np.int32)
        positions[updated] = np.arange(len(updated))
        columns = positions[self.columns]
        fitted = self.where((columns < 0) & (self.columns < n_fitted))
        others = self.where(columns >= 0)
        return (
            replace(fitted, width=n_fitted),
            replace(others, columns=columns[columns >= 0], width=len(updated)),
        )

    def hstack(self, other: SparseRows) -> SparseRows:
        """Join the entries of two matrices row by row.

        Args:
            other: B rows over the same columns.

        Returns:
            Row by row, these entries and then those of `other`.
        """
        order = np.argsort(np.concatenate([self.rows, other.rows]), kind="stable")
        columns = np.concatenate([self.columns, other.columns])[order]
        weights = np.concatenate([self.weights, other.weights])[order]
        return SparseRows(self.offsets + other.offsets, columns, weights, self.width)

    def sum_duplicates(self) -> SparseRows:
        """Add up entries of the same row and column, and sort the columns of every row."""
        cells = self.rows * self.width + self.columns
        order = np.argsort(cells, kind="stable")
        cells = cells[order]
        is_first = np.ones(len(cells), np.bool_)
        is_first[1:] = cells[1:] != cells[:-1]
        starts = np.flatnonzero(is_first)
        weights = self.weights[order]
        if len(starts) < len(cells):
            weights = np.add.reduceat(weights, starts)
        offsets = np.searchsorted(cells[starts], np.arange(len(self.offsets)) * self.width)
        columns = (cells[starts] % max(self.width, 1)).astype(np.int32)
        return SparseRows(offsets.astype(np.int64), columns, weights.astype(np.float32), self.width)

    def l2_normalized(self) -> SparseRows:
        """Scale rows to length 1, each column once; empty rows stay empty."""
        summed = self.sum_duplicates()
        lengths = np.sqrt(summed.squared_norms())
        scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return summed.scaled(scale.astype(np.float32))

    def squared_norms(self) -> Float64Array:
        """The squared length of every row, float64 [B]; each row has a column at most once."""
        squares = np.bincount(self.rows, np.square(self.weights), minlength=len(self.offsets) - 1)
        return np.asarray(squares, np.float64)

    def toarray(self) -> Float32Array:
        """The dense matrix, float32 [B, width]."""
        cells = self.rows * self.width + self.columns
        return _sum_cells(cells, self.weights, len(self.offsets) - 1, self.width)

    def matmul(self, matrix: sparse.csr_matrix) -> Float32Array:
        """Multiply by a sparse matrix.

        Args:
            matrix: CSR [width, n].

        Returns:
            float32 [B, n].
        """
        if len(self.offsets) - 1 > _SCIPY_ROWS:
            product: Float32Array = (self.csr @ matrix).toarray().astype(np.float32, copy=False)
            return product
        entries, lengths, _ = _row_entries(matrix, self.columns)
        cells = np.repeat(self.rows * matrix.shape[1], lengths) + matrix.indices[entries]
        weights = np.repeat(self.weights, lengths) * matrix.data[entries]
        return _sum_cells(cells, weights, len(self.offsets) - 1, matrix.shape[1])

    def matmul_sparse(self, matrix: sparse.csr_matrix) -> SparseRows:
        """Multiply by a sparse matrix, keeping the result sparse.

        Args:
            matrix: CSR [width, n].

        Returns:
            B rows over n columns, duplicates not yet added up.
        """
        entries, lengths, offsets = _row_entries(matrix, self.columns)
        weights = np.repeat(self.weights, lengths) * matrix.data[entries]
        return SparseRows(offsets[self.offsets], matrix.indices[entries], weights, matrix.shape[1])

    def projected(self, axes: Float32Array) -> Float32Array:
        """Multiply by a dense matrix.

        Args:
            axes: float32 [width, D].

        Returns:
            float32 [B, D].
        """
        product = np.zeros((len(self.offsets) - 1, axes.shape[1]), np.float32)
        for row, (start, stop) in enumerate(itertools.pairwise(self.offsets.tolist())):
            if stop > start:
                product[row] = self.weights[start:stop] @ axes[self.columns[start:stop]]
        return product

    def dot_rows(self, other: SparseRows) -> Float32Array:
        """Compute the dot product of every row with every row of a small matrix.

        Args:
            other: C rows over the same columns. Rows of both hold a column at most once.

        Returns:
            float32 [B, C].
        """
        used, positions = np.unique(self.columns, return_inverse=True)
        left = np.zeros((len(self.offsets) - 1, len(used)), np.float32)
        left[self.rows, positions] = self.weights
        right = np.zeros((len(other), len(used)), np.float32)
        if len(used):
            positions = np.minimum(np.searchsorted(used, other.columns), len(used) - 1)
            shared = used[positions] == other.columns
            right[other.rows[shared], positions[shared]] = other.weights[shared]
        products: Float32Array = np.einsum("iw,jw->ij", left, right)
        return products


def take_rows(matrix: sparse.csr_matrix, rows: Int32Array) -> SparseRows:
    """Copy rows of a CSR matrix.

    Args:
        matrix: CSR [n, width].
        rows: int32 [B], the rows to copy, in any order.

    Returns:
        The B rows in the order of `rows`.
    """
    entries, _, offsets = _row_entries(matrix, rows)
    return SparseRows(offsets, matrix.indices[entries], matrix.data[entries], matrix.shape[1])


def decayed_history(
    history: History, basket_decay: float, n_items: int, max_baskets: int = 0
) -> SparseRows:
    """Weigh the events of each history by their age in baskets.

    The result is cached in the history, because several models need the same one.

    Args:
        history: B histories.
        basket_decay: the weight of a basket relative to the one after it.
        n_items: items from this number on are left out.
        max_baskets: baskets further back are left out; 0: no limit.

    Returns:
        B rows over `n_items` columns; an item that occurs more than once has several entries.
    """
    key = (basket_decay, n_items, max_baskets)
    if key not in history.cache:
        age = history.basket_age
        mask = history.items < n_items
        if max_baskets:
            mask &= age < max_baskets
        decay = np.power(np.float32(basket_decay), age.astype(np.float32))
        weights = (history.weights * decay).astype(np.float32, copy=False)
        rows = SparseRows(history.offsets, history.items, weights, n_items)
        history.cache[key] = rows if mask.all() else rows.where(mask)
    cached: SparseRows = history.cache[key]
    return cached


def _row_entries(
    matrix: sparse.csr_matrix, rows: Int32Array
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """The positions in a CSR matrix of the entries of some rows, and each row's length and offset.

    The offsets, int64 [B + 1], say where each of the rows begins among these positions.
    """
    starts = matrix.indptr[rows]
    lengths = matrix.indptr[rows + 1] - starts
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    entries = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    return entries, lengths, offsets


def _sum_cells(cells: Int64Array, weights: Float32Array, batch: int, width: int) -> Float32Array:
    """Add up weights by cell of a matrix [batch, width]."""
    sums = np.bincount(cells, weights, minlength=batch * width)
    return sums.reshape(batch, width).astype(np.float32)
