"""The k largest values of every row."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import ABSENT, Float32Array, Int32Array, UInt64Array

__all__ = ["top_k"]


def top_k(
    scores: Float32Array, k: int, *, above: float = -np.inf, ties: UInt64Array | None = None
) -> tuple[Int32Array, Float32Array]:
    """Find the k largest values of each row.

    Args:
        scores: float32 [B, N]; NaN is never found.
        k: How many values of a row are found at most.
        above: Only larger values are found.
        ties: The order of equal values, uint64 [N]; None: that of their columns.

    Returns:
        Columns int32 and values float32 [B, min(k, N)], largest first, padded with -1 and NaN.
    """
    k = min(k, scores.shape[1])
    numbers = np.full((len(scores), k), ABSENT, np.int32)
    values = np.full((len(scores), k), np.nan, np.float32)
    if not k:
        return numbers, values
    for row, row_scores in enumerate(scores):
        # Only possible results are partitioned: it degenerates where most values are equal.
        columns = np.flatnonzero(row_scores > above)
        if len(columns) > k:
            candidates = row_scores[columns]
            smallest = np.partition(candidates, len(candidates) - k)[len(candidates) - k]
            columns = columns[candidates >= smallest]
        chosen = row_scores[columns]
        if ties is None:
            order = np.argsort(-chosen, kind="stable")[:k]
        else:
            order = np.lexsort((ties[columns], -chosen))[:k]
        numbers[row, : len(order)] = columns[order]
        values[row, : len(order)] = chosen[order]
    return numbers, values
