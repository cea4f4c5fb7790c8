"""The largest entries of each row of a sparse or dense matrix, and rows that are similar."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plait.data.array_types import BoolArray, Float32Array, Int32Array, UInt64Array
from plait.data.ragged import offsets_of

__all__ = ["filter_entries", "row_topk", "row_topk_mask", "rows_of", "similar_rows"]


def row_topk_mask(
    matrix: sparse.csr_matrix,
    count: int,
    tiebreak: npt.NDArray[np.unsignedinteger] | None = None,
) -> BoolArray:
    """Mark the largest entries of each row.

    Args:
        matrix: CSR [rows, columns].
        count: how many entries of a row to mark.
        tiebreak: unsigned [columns]; of entries equal to the last one, those with the smallest
            value are marked. Without it all of them are marked, or none if they would more than
            double the count; the result then does not depend on the numbering of columns.

    Returns:
        bool [nnz].
    """
    if count < 1:
        return np.zeros(matrix.nnz, np.bool_)
    mask = np.ones(matrix.nnz, np.bool_)
    for row in np.flatnonzero(np.diff(matrix.indptr) > count).tolist():
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values = matrix.data[entries]
        threshold = np.partition(values, len(values) - count)[len(values) - count]
        is_top = values >= threshold
        excess = np.count_nonzero(is_top) - count
        if excess and tiebreak is not None:
            tied = np.flatnonzero(values == threshold)
            order = np.argsort(tiebreak[matrix.indices[entries][tied]], kind="stable")
            is_top[tied[order[-excess:]]] = False
        elif excess > count:
            is_top = values > threshold
        mask[entries] = is_top
    return mask


def filter_entries(matrix: sparse.csr_matrix, mask: BoolArray) -> sparse.csr_matrix:
    """Select entries of a sparse matrix.

    Args:
        matrix: CSR.
        mask: bool [nnz].

    Returns:
        The entries where the mask holds, in the same order; the shape stays.
    """
    entries = (matrix.data[mask], matrix.indices[mask], offsets_of(mask)[matrix.indptr])
    return sparse.csr_matrix(entries, shape=matrix.shape)


def rows_of(matrix: sparse.csr_matrix) -> Int32Array:
    """Expand the row pointers of a CSR matrix.

    Args:
        matrix: CSR.

    Returns:
        int32 [nnz], the row of every entry.
    """
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


_BATCH = 1024


_GROUPS = 4
"""How many groups of columns there are for each entry of a row that is kept."""

_SMALL = 100
"""So many items may always share a feature, and so many rows are compared without transposing."""


def similar_rows(
    vectors: sparse.csr_matrix,
    candidates: sparse.csr_matrix,
    count: int,
    tiebreak: UInt64Array,
    *,
    exclude_self: bool,
) -> sparse.csr_matrix:
    """Find the most similar candidates of each vector.

    Args:
        vectors: unit vectors, CSR [N, V].
        candidates: unit vectors, CSR [n, V].
        count: how many candidates to keep for each vector.
        tiebreak: uint64 [n]; of equally similar candidates those with the smallest value are kept.
        exclude_self: whether both are the same items, and none is its own neighbour.

    Returns:
        float32 CSR [N, n] of cosines.
    """
    # Transposing all candidates does not pay for a few vectors.
    transposed = None if vectors.shape[0] <= _SMALL else candidates.T.tocsr()
    blocks: list[Any] = []
    for start in range(0, vectors.shape[0], _BATCH):
        rows = vectors[start : start + _BATCH]
        if transposed is None:
            block = (candidates @ rows.T.toarray()).T
        else:
            block = (rows @ transposed).toarray()
        if exclude_self:
            inside = np.arange(len(block))
            block[inside, inside + start] = 0
        blocks.append(row_topk(block, count, tiebreak))
    if not blocks:
        return sparse.csr_matrix((0, candidates.shape[0]), dtype=np.float32)
    return sparse.vstack(blocks).tocsr()


def row_topk(matrix: Float32Array, count: int, tiebreak: UInt64Array) -> sparse.csr_matrix:
    """Keep the largest positive entries of each row of a dense matrix.

    Args:
        matrix: float32 [rows, columns].
        count: how many entries of a row to keep.
        tiebreak: uint64 [columns]; of equal entries those with the smallest value are kept.

    Returns:
        float32 CSR of the same shape.
    """
    size = matrix.shape[1]
    if not 0 < count < size:
        return sparse.csr_matrix(np.maximum(matrix, 0) if count else np.zeros_like(matrix))
    is_large = (matrix >= _lower_bounds(matrix, count)[:, None]) & (matrix > 0)
    rows, columns = np.nonzero(is_large)
    entries = (matrix[rows, columns], columns, offsets_of(np.count_nonzero(is_large, axis=1)))
    candidates = sparse.csr_matrix(entries, shape=matrix.shape)
    return filter_entries(candidates, row_topk_mask(candidates, count, tiebreak))


def _lower_bounds(matrix: Float32Array, count: int) -> Float32Array:
    """Values that at least `count` entries of each row reach, float32 [rows].

    The maxima of disjoint groups of columns are entries of the row, and there are several times
    as many as are needed: they are partitioned instead of all columns, which takes far longer.
    """
    rows, size = matrix.shape
    width = max(1, size // (_GROUPS * count))
    n_groups = size // width
    groups = matrix[:, : n_groups * width].reshape(rows, width, n_groups)
    maxima = groups.max(axis=1)
    bounds: Float32Array = np.partition(maxima, n_groups - count, axis=1)[:, n_groups - count]
    return bounds
