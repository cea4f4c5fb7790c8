"""Ranking metrics of B users as expectations over a random order of tied items, in closed form.

With T targets and h of them in the first k places: recall h / min(k, T), precision h / k, F1 their
harmonic mean, hit rate [h > 0], MRR 1 / place of the first (0 behind k), NDCG with the ideal list
of min(k, T) hits, MAP the sum of precision at the place of each hit over min(k, T).

Within a group of e tied items, s of which are above it and h of which are targets, each position
holds a target with chance h / e, two positions with chance h (h - 1) / (e (e - 1)): enough for the
metrics that are linear in single places (recall, precision, F1, NDCG) and in pairs of them (MAP).
Hit rate and MRR ask where the first target falls, which is hypergeometric. Tests compare all of it
with an enumeration of every order. See McSherry and Najork, "Computing information retrieval
performance measures efficiently in the presence of tied scores" (ECIR 2008).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.data.types import Int64Array
from plait.metrics.ties import Doubles, TieGroups

__all__ = ["METRICS", "linear_metrics", "sliced", "target_gains", "tied_targets", "user_metrics"]

METRICS = ("recall", "ndcg", "mrr", "hit_rate", "precision", "f1", "map")
"""The metrics of one user, as they are called in `user_metrics`: "recall@10"."""


def user_metrics(
    groups: TieGroups, hits: Int64Array, wanted: Int64Array, ks: Sequence[int]
) -> dict[str, Doubles]:
    """Every metric at every k of `ks`, float64 [B] each.

    `hits` int64 [G]: targets in each group. `wanted` int64 [B]: targets of each user, at least 1.
    `groups` must reach to the largest k.
    """
    found = linear_metrics(groups, hits, wanted, ks)
    above = groups.above(hits)
    for k in ks:
        ideal = np.minimum(k, wanted)
        recall = found[f"recall@{k}"]
        found[f"precision@{k}"] = recall * ideal / k
        found[f"f1@{k}"] = 2 * recall * ideal / (k + ideal)
        found[f"hit_rate@{k}"] = _hit_rate(groups, hits, k)
        found[f"mrr@{k}"] = _reciprocal_rank(groups, hits, above, k)
        found[f"map@{k}"] = _precision_sum(groups, hits, above, k) / ideal
    return {f"{name}@{k}": found[f"{name}@{k}"] for name in METRICS for k in ks}


def linear_metrics(
    groups: TieGroups, hits: Int64Array, wanted: Int64Array, ks: Sequence[int]
) -> dict[str, Doubles]:
    """Recall and NDCG alone; NaN for a user without targets."""
    discount = _discounts(groups.depth)
    share = hits / groups.sizes
    found: dict[str, Doubles] = {}
    for k in ks:
        inside = groups.inside(k)
        low = np.minimum(groups.starts, k)
        gain = discount[low + inside] - discount[low]
        ideal = np.minimum(k, wanted)
        with np.errstate(invalid="ignore"):
            found[f"recall@{k}"] = groups.summed(share * inside) / ideal
            found[f"ndcg@{k}"] = groups.summed(share * gain) / discount[ideal]
    return found


def target_gains(groups: TieGroups, found: Int64Array, ks: Sequence[int]) -> dict[str, Doubles]:
    """What each target that stands in group `found` [E] gives: under "recall@k" the chance that it
    is among the first k, under "ndcg@k" its expected discounted gain there; float64 [E].
    """
    discount = _discounts(groups.depth)
    gains: dict[str, Doubles] = {}
    for k in ks:
        inside = groups.inside(k)
        low = np.minimum(groups.starts, k)
        gains[f"recall@{k}"] = (inside / groups.sizes)[found]
        gains[f"ndcg@{k}"] = ((discount[low + inside] - discount[low]) / groups.sizes)[found]
    return gains


def sliced(name: str, gains: Doubles, rows: Int64Array, batch: int) -> Doubles:
    """The metric `name` ("ndcg@10") of B users by some of their targets alone, float64 [B].

    `gains` and `rows` [E]: what these targets give, and whose they are. NaN for a user with none.
    """
    metric, _, k = name.partition("@")
    ideal = np.minimum(int(k), np.bincount(rows, minlength=batch))
    best = _discounts(int(k))[ideal] if metric == "ndcg" else ideal
    with np.errstate(invalid="ignore"):
        worth: Doubles = np.bincount(rows, gains, batch) / best
    return worth


def tied_targets(groups: TieGroups, hits: Int64Array, k: int) -> Doubles:
    """How many targets of each user stand in a group that the border behind k cuts, float64 [B]."""
    inside = groups.inside(k)
    return groups.summed(np.where((inside > 0) & (inside < groups.sizes), hits, 0.0))


def _discounts(depth: int) -> Doubles:
    """The discounted gain of a list of 0, 1, ... `depth` hits."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(depth) + 2.0))])


def _log_factorials(largest: int) -> Doubles:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1.0)))])


def _log_choose(table: Doubles, n: Int64Array, k: Int64Array) -> Doubles:
    """log C(n, k), minus infinity where there is no way to choose."""
    possible = (k >= 0) & (k <= n)
    low = np.where(possible, k, 0)
    high = np.where(possible, n, 0)
    ways = table[high] - table[low] - table[high - low]
    return np.where(possible, ways, -np.inf)


def _hit_rate(groups: TieGroups, hits: Int64Array, k: int) -> Doubles:
    """1 - the chance that no group has a target within the first k."""
    inside = groups.inside(k)
    told = (hits > 0) & (inside > 0)
    sizes, held, inside = groups.sizes[told], hits[told], inside[told]
    table = _log_factorials(int(sizes.max(initial=0)))
    none = np.exp(_log_choose(table, sizes - held, inside) - _log_choose(table, sizes, inside))
    chance = np.ones(groups.batch)
    np.multiply.at(chance, groups.rows[told], none)
    return 1 - chance


def _reciprocal_rank(groups: TieGroups, hits: Int64Array, above: Int64Array, k: int) -> Doubles:
    """E[1 / place of the first target]: it falls in the first group that has one."""
    first = (hits > 0) & (above == 0) & (groups.starts < k)
    starts, sizes, held = groups.starts[first], groups.sizes[first], hits[first]
    table = _log_factorials(int(sizes.max(initial=0)))
    every = _log_choose(table, sizes, held)
    worth = np.zeros(len(starts))
    for place in range(1, k + 1):
        reached = np.flatnonzero((starts + place <= k) & (place <= sizes - held + 1))
        if not len(reached):
            break
        ways = _log_choose(table, sizes[reached] - place, held[reached] - 1)
        worth[reached] += np.exp(ways - every[reached]) / (starts[reached] + place)
    total = np.zeros(groups.batch)
    total[groups.rows[first]] = worth
    return total


def _precision_sum(groups: TieGroups, hits: Int64Array, above: Int64Array, k: int) -> Doubles:
    """E[sum over the places i <= k that hold a target of (targets in the first i) / i].

    At place i of a group that starts behind s: (h / e) (above + 1 + (i - s - 1) (h - 1) / (e - 1)).
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, groups.depth + 1.0))])
    low = np.minimum(groups.starts, k)
    inside = groups.inside(k)
    reciprocal = harmonic[low + inside] - harmonic[low]
    slope = (hits - 1) / np.maximum(groups.sizes - 1, 1)
    worth = (above + 1 - (low + 1) * slope) * reciprocal + slope * inside
    return groups.summed(hits / groups.sizes * worth)
