"""Blends the co-occurrence of an item with that of items of similar content."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from plait.data.array_types import Float32Array, UInt64Array
from plait.features.sparse_topk import similar_rows
from plait.models.item_item.largest_entries import (
    densify_if_full,
    largest_entries,
    row_ranges,
    stack,
)

__all__ = ["content_smoothing", "rows_to_sum_1", "smooth"]

_MAX_DENSE_CELLS = 1 << 28
"""A matrix of so many entries may be dense where that is faster: 1 GB."""


def rows_to_sum_1(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Divide each row by its sum; empty rows stay empty.

    Args:
        matrix: Non-negative, CSR.

    Returns:
        CSR of the same shape.
    """
    totals = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.divide(1, totals, out=np.zeros_like(totals), where=totals > 0)
    return (sparse.diags_array(scale.astype(np.float32)) @ matrix).tocsr()


def content_smoothing(
    vectors: sparse.csr_matrix,
    candidates: sparse.csr_matrix,
    weight: float,
    n_neighbors: int,
    tiebreak: UInt64Array,
) -> sparse.csr_matrix:
    """Compute how much of the behaviour of other items each item takes over.

    Args:
        vectors: float32 CSR [n, V], the content of the items.
        candidates: float32 CSR [n, V], the same for those that can contribute, else empty rows.
        weight: What all content neighbours of an item weigh together.
        n_neighbors: How many content neighbours an item has at most.
        tiebreak: uint64 [n], the order among equals.

    Returns:
        float32 CSR [n, n]: 1 for an item itself, `weight` shared by its content neighbours.
    """
    neighbors = similar_rows(vectors, candidates, n_neighbors, tiebreak, exclude_self=True)
    shares = np.float32(weight) * rows_to_sum_1(neighbors)
    identity = sparse.identity(vectors.shape[0], dtype=np.float32, format="csr")
    return (identity + shares).tocsr().astype(np.float32)


def smooth(
    smoothing: sparse.csr_matrix,
    matrix: Float32Array | sparse.csr_matrix,
    count: int,
    tiebreak: UInt64Array,
) -> sparse.csr_matrix:
    """Smooth both sides of an item matrix.

    Args:
        smoothing: As from `content_smoothing`.
        matrix: [n, n], dense or sparse.
        count: How many entries a row keeps.
        tiebreak: uint64 [n], the order among equals.

    Returns:
        The largest entries of each row of smoothing times matrix times transposed smoothing.
    """
    size = smoothing.shape[0]
    if size**2 <= _MAX_DENSE_CELLS:
        matrix = densify_if_full(matrix)
    transposed = smoothing.T.tocsr()

    def smoothed_rows(batch: slice) -> sparse.csr_matrix:
        rows = smoothing[batch] @ matrix
        if sparse.issparse(rows):
            return largest_entries(rows @ transposed, count, tiebreak)
        return largest_entries(np.ascontiguousarray((smoothing @ rows.T).T), count, tiebreak)

    return stack([smoothed_rows(batch) for batch in row_ranges(size)], smoothing.shape)
