"""The discounts of NDCG: rank r gains 1 / log2(r + 1) (Järvelin and Kekäläinen, 2002)."""

from __future__ import annotations

import numpy as np

from plait.data.arrays import Float64Array, Int64Array

__all__ = ["discount_at", "discounts", "ideal_dcg"]


def discount_at(ranks: Float64Array | Int64Array) -> Float64Array:
    """Compute the discount of items by their rank.

    Args:
        ranks: numbers, 1 for the best; ties may share a mean rank, infinity gives 0.

    Returns:
        float64, of the same shape.
    """
    return np.asarray(1 / np.log2(ranks + 1), np.float64)


def discounts(depth: int) -> Float64Array:
    """List the discounts of the first ranks.

    Args:
        depth: how many ranks.

    Returns:
        float64 [depth], from rank 1 on.
    """
    return discount_at(np.arange(1, depth + 1.0))


def ideal_dcg(depth: int) -> Float64Array:
    """Compute the DCG of lists of hits alone.

    Args:
        depth: the longest list.

    Returns:
        float64 [depth + 1], by the number of hits: 0, 1, ... depth.
    """
    return np.concatenate([[0.0], np.cumsum(discounts(depth))])
