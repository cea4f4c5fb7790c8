"""Sums of gains over the hits of lists, in expectation over ties.

Every metric that adds up a weight of the rank, or of the item, of each hit is one of these: NDCG
under any discount, RBP, recall and NDCG weighted by inverse propensities, revenue.
"""

from __future__ import annotations

import numpy as np

from plait.data.array_types import Float64Array, Int64Array
from plait.metrics.dcg import discounts
from plait.metrics.ties import TieGroups

__all__ = [
    "clipped_discounts",
    "expected_gains",
    "geometric_weights",
    "ideal_weighted_dcg",
    "inverse_propensities",
    "member_gains",
]


def geometric_weights(depth: int, persistence: float) -> Float64Array:
    """Return the rank weights of RBP (Moffat and Zobel, 2008).

    Args:
        depth: The number of ranks.
        persistence: The probability p to look at the next item.

    Returns:
        float64 [depth]: (1 - p) * p^i for ranks i from 0.
    """
    weights: Float64Array = (1 - persistence) * np.power(
        persistence, np.arange(depth, dtype=np.float64)
    )
    return weights


def clipped_discounts(depth: int) -> Float64Array:
    """Return the first form of the discount: 1 / log2(rank), 1 for rank 1.

    Järvelin and Kekäläinen (2002); LensKit uses it.

    Args:
        depth: The number of ranks.

    Returns:
        float64 [depth].
    """
    weights: Float64Array = 1 / np.log2(np.maximum(np.arange(1, depth + 1), 2))
    return weights


def member_gains(groups: TieGroups, weights: Float64Array) -> Float64Array:
    """Compute the expected weight of the rank of each member of the groups.

    Args:
        groups: The lists.
        weights: float64 [k], the weight of each rank; 0 beyond.

    Returns:
        float64 [E], by member.
    """
    total = np.concatenate([[0.0], np.cumsum(weights)])
    start = np.minimum(groups.starts, len(weights))
    stop = np.minimum(groups.starts + groups.sizes, len(weights))
    gains: Float64Array = ((total[stop] - total[start]) / groups.sizes)[groups.members]
    return gains


def expected_gains(groups: TieGroups, weights: Float64Array, values: Float64Array) -> Float64Array:
    """Add up the weight of the rank times a value of the item, over each list.

    Args:
        groups: The lists of B users.
        weights: float64 [k], the weight of each rank; 0 beyond.
        values: float64 [B, K], by candidate, such as 1 for a hit and else 0.

    Returns:
        float64 [B].
    """
    gains = member_gains(groups, weights) * values.ravel()[groups.cells]
    rows = groups.rows[groups.members]
    sums: Float64Array = np.bincount(rows, gains, groups.batch).astype(np.float64)
    return sums


def inverse_propensities(counts: Float64Array, power: float) -> Float64Array:
    """Return the inverse propensities of items whose observation grows with their popularity.

    The propensity is taken as the popularity to a power (Yang et al., 2018): 0 for no bias, 1 where
    an item is observed as often as it is popular.

    Args:
        counts: float64 [n_items], the users of each item in train; below 1 counts as 1.
        power: The power.

    Returns:
        float64 [n_items].
    """
    inverse: Float64Array = np.maximum(counts, 1.0) ** -power
    return inverse


def ideal_weighted_dcg(rows: Int64Array, weights: Float64Array, batch: int, k: int) -> Float64Array:
    """Compute the largest discounted gain of weighted targets: the heaviest come first.

    Args:
        rows: int64 [T], the user of each target.
        weights: float64 [T].
        batch: The number of users B.
        k: The cut-off.

    Returns:
        float64 [B].
    """
    order = np.lexsort((-weights, rows))
    rows, weights = rows[order], weights[order]
    ranks = np.arange(len(rows)) - np.searchsorted(rows, rows, "left")
    inside = ranks < k
    gains = weights[inside] * discounts(k)[ranks[inside]]
    sums: Float64Array = np.bincount(rows[inside], gains, batch).astype(np.float64)
    return sums
