"""The largest entries of each row of a square matrix, a range of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from plait.data.array_types import UInt64Array
from plait.features.sparse_topk import filter_entries, row_topk, row_topk_mask

__all__ = ["densify_if_full", "largest_entries", "row_ranges", "stack", "topk_bytes"]

_BATCH_ROWS = 1024
_BATCH_CELLS = 1 << 25
"""The most rows in a batch of dense rows, and the most entries in a batch of several rows."""


_DENSE_SHARE = 0.03
"""The share of entries from which on dense products are faster."""


def stack(blocks: list[sparse.csr_matrix], shape: tuple[int, ...]) -> sparse.csr_matrix:
    """Join blocks of rows below each other.

    Args:
        blocks: CSR blocks in order.
        shape: The shape of the whole.

    Returns:
        One CSR matrix; an empty one without any block.
    """
    return sparse.vstack(blocks).tocsr() if blocks else sparse.csr_matrix(shape, dtype=np.float32)


def topk_bytes(size: int) -> int:
    """Estimate the memory that finding the largest entries of dense rows takes.

    Args:
        size: the number of columns.

    Returns:
        Bytes for one batch of rows.
    """
    return 16 * size * _batch_rows(size)


def row_ranges(size: int) -> list[slice]:
    """Cut the rows of a square matrix into ranges that fit into memory when dense.

    Args:
        size: The number of rows and columns.

    Returns:
        The ranges.
    """
    step = _batch_rows(size)
    return [slice(start, start + step) for start in range(0, size, step)]


def _batch_rows(size: int) -> int:
    return max(1, min(_BATCH_ROWS, size, _BATCH_CELLS // max(size, 1)))


def largest_entries(block: Any, count: int, tiebreak: UInt64Array) -> sparse.csr_matrix:
    """Keep the largest positive entries of each row.

    Args:
        block: Rows, dense or sparse.
        count: How many entries a row keeps.
        tiebreak: uint64 [n]; of equal entries those of the smallest stay.

    Returns:
        CSR, columns sorted.
    """
    block = densify_if_full(block)
    if not sparse.issparse(block):
        return row_topk(block, count, tiebreak)
    positive = filter_entries(block, block.data > 0)
    top = filter_entries(positive, row_topk_mask(positive, count, tiebreak))
    top.sort_indices()
    return top


def densify_if_full(matrix: Any) -> Any:
    """Convert a sparse matrix to a dense one where dense products are faster.

    Args:
        matrix: sparse or dense.

    Returns:
        A dense array if at least 3 % of the entries are set, else the same matrix.
    """
    if not sparse.issparse(matrix) or matrix.nnz < _DENSE_SHARE * matrix.shape[0] * matrix.shape[1]:
        return matrix
    return matrix.toarray()
