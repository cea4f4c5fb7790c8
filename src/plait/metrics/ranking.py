"""Ranking metrics as expectations over a random order of tied items, in closed form.

With T targets of a query and h of them among the first k items:

- recall: h / min(k, T); precision: h / k; F1: their harmonic mean (van Rijsbergen, "Information
  Retrieval", 1979);
- hit rate: 1 if h > 0, else 0 (Deshpande and Karypis, 2004);
- MRR: 1 / rank of the first target, 0 beyond k (Voorhees, TREC-8, 1999);
- NDCG: the sum of 1 / log2(rank + 1) of the hits, divided by that of min(k, T) hits at the top
  (Järvelin and Kekäläinen, 2002);
- MAP: the sum of the precision at the rank of each hit, divided by min(k, T) (Buckley and Voorhees,
  2000);
- RBP: the sum of 0.2 * 0.8^(rank - 1) of the hits (Moffat and Zobel, 2008).

In a group of e tied items, h of which are targets, each position holds a target with probability
h / e, two positions with probability h (h - 1) / (e (e - 1)): enough for metrics that are linear in
single positions (recall, precision, F1, NDCG) and in pairs of them (MAP). Hit rate and MRR depend
on the first target, whose position is hypergeometric. Tests compare all of it with an enumeration
of every order. Source: McSherry and Najork, "Computing information retrieval performance measures
efficiently in the presence of tied scores" (ECIR 2008).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.data.array_types import Float64Array, Int64Array
from plait.metrics.dcg import ideal_dcg
from plait.metrics.ties import TieGroups

__all__ = ["METRICS", "linear_metrics", "sliced", "target_gains", "tied_targets", "user_metrics"]

METRICS = ("recall", "ndcg", "mrr", "hit_rate", "precision", "f1", "map", "rbp")
"""The metrics of one user, as `user_metrics` names them: "recall@10"."""

PERSISTENCE = 0.8
"""The p of RBP, the probability to look at the next item."""


def user_metrics(
    groups: TieGroups, hits: Int64Array, n_targets: Int64Array, ks: Sequence[int]
) -> dict[str, Float64Array]:
    """Compute all metrics of B users; see the module for formulas and sources.

    Args:
        groups: the lists of the users, to the depth of the largest cut-off.
        hits: int64 [G], the targets in each group.
        n_targets: int64 [B], the targets of each user, at least 1.
        ks: the cut-offs.

    Returns:
        float64 [B] for each metric and cut-off: "recall@10".
    """
    metrics = linear_metrics(groups, hits, n_targets, ks)
    hits_above = groups.above(hits)
    for k in ks:
        ideal = np.minimum(k, n_targets)
        recall = metrics[f"recall@{k}"]
        metrics[f"precision@{k}"] = recall * ideal / k
        metrics[f"f1@{k}"] = 2 * recall * ideal / (k + ideal)
        metrics[f"hit_rate@{k}"] = _hit_rate(groups, hits, k)
        metrics[f"mrr@{k}"] = _reciprocal_rank(groups, hits, hits_above, k)
        metrics[f"map@{k}"] = _precision_sum(groups, hits, hits_above, k) / ideal
        metrics[f"rbp@{k}"] = _rank_biased_precision(groups, hits, k)
    return {f"{name}@{k}": metrics[f"{name}@{k}"] for name in METRICS for k in ks}


def linear_metrics(
    groups: TieGroups, hits: Int64Array, n_targets: Int64Array, ks: Sequence[int]
) -> dict[str, Float64Array]:
    """Compute recall and NDCG of B users; see the module for formulas and sources.

    Args:
        groups: the lists of the users, to the depth of the largest cut-off.
        hits: int64 [G], the targets in each group.
        n_targets: int64 [B], the targets of each user.
        ks: the cut-offs.

    Returns:
        float64 [B] for both metrics and each cut-off; NaN for a user without targets.
    """
    dcg = ideal_dcg(groups.depth)
    hit_share = hits / groups.sizes
    metrics: dict[str, Float64Array] = {}
    for k in ks:
        inside = groups.inside(k)
        start = np.minimum(groups.starts, k)
        gain = dcg[start + inside] - dcg[start]
        ideal = np.minimum(k, n_targets)
        with np.errstate(invalid="ignore"):
            metrics[f"recall@{k}"] = groups.summed(hit_share * inside) / ideal
            metrics[f"ndcg@{k}"] = groups.summed(hit_share * gain) / dcg[ideal]
    return metrics


def target_gains(
    groups: TieGroups, target_groups: Int64Array, ks: Sequence[int]
) -> dict[str, Float64Array]:
    """Compute what single targets contribute to recall and NDCG; `sliced` adds them up.

    Args:
        groups: the lists.
        target_groups: int64 [E], the group of each target.
        ks: the cut-offs.

    Returns:
        float64 [E]: as "recall@k" the probability that a target is among the first k, as "ndcg@k"
        its expected discounted gain there.
    """
    dcg = ideal_dcg(groups.depth)
    gains: dict[str, Float64Array] = {}
    for k in ks:
        inside = groups.inside(k)
        start = np.minimum(groups.starts, k)
        gains[f"recall@{k}"] = (inside / groups.sizes)[target_groups]
        gains[f"ndcg@{k}"] = ((dcg[start + inside] - dcg[start]) / groups.sizes)[target_groups]
    return gains


def sliced(name: str, gains: Float64Array, rows: Int64Array, batch: int) -> Float64Array:
    """Compute recall or NDCG of B users over some of their targets alone.

    Args:
        name: the metric and cut-off: "ndcg@10".
        gains: float64 [E], the gains of these targets, as from `target_gains`.
        rows: int64 [E], the user of each target.
        batch: the number of users.

    Returns:
        float64 [B]; NaN for a user without such a target.
    """
    metric, _, k = name.partition("@")
    ideal = np.minimum(int(k), np.bincount(rows, minlength=batch))
    best = ideal_dcg(int(k))[ideal] if metric == "ndcg" else ideal
    with np.errstate(invalid="ignore"):
        values: Float64Array = np.bincount(rows, gains, batch) / best
    return values


def tied_targets(groups: TieGroups, hits: Int64Array, k: int) -> Float64Array:
    """Count the targets in groups that the cut-off divides.

    Args:
        groups: the lists.
        hits: int64 [G], the targets in each group.
        k: the cut-off.

    Returns:
        float64 [B].
    """
    inside = groups.inside(k)
    return groups.summed(np.where((inside > 0) & (inside < groups.sizes), hits, 0.0))


def _log_factorials(largest: int) -> Float64Array:
    """log n! for n from 0 to `largest`."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1.0)))])


def _log_choose(log_factorials: Float64Array, n: Int64Array, k: Int64Array) -> Float64Array:
    """log C(n, k), minus infinity where there is no way to choose."""
    possible = (k >= 0) & (k <= n)
    low = np.where(possible, k, 0)
    high = np.where(possible, n, 0)
    ways = log_factorials[high] - log_factorials[low] - log_factorials[high - low]
    return np.where(possible, ways, -np.inf)


def _hit_rate(groups: TieGroups, hits: Int64Array, k: int) -> Float64Array:
    """1 - the probability that no group has a target within the first k."""
    inside = groups.inside(k)
    counts = (hits > 0) & (inside > 0)
    sizes, n_hits, inside = groups.sizes[counts], hits[counts], inside[counts]
    factorials = _log_factorials(int(sizes.max(initial=0)))
    misses = _log_choose(factorials, sizes - n_hits, inside)
    no_hit = np.exp(misses - _log_choose(factorials, sizes, inside))
    probability = np.ones(groups.batch)
    np.multiply.at(probability, groups.rows[counts], no_hit)
    return 1 - probability


def _reciprocal_rank(
    groups: TieGroups, hits: Int64Array, hits_above: Int64Array, k: int
) -> Float64Array:
    """E[1 / rank of the first target]: it is in the first group that has one."""
    first = (hits > 0) & (hits_above == 0) & (groups.starts < k)
    starts, sizes, n_hits = groups.starts[first], groups.sizes[first], hits[first]
    factorials = _log_factorials(int(sizes.max(initial=0)))
    all_ways = _log_choose(factorials, sizes, n_hits)
    values = np.zeros(len(starts))
    for position in range(1, k + 1):
        reached = np.flatnonzero((starts + position <= k) & (position <= sizes - n_hits + 1))
        if not len(reached):
            break
        ways = _log_choose(factorials, sizes[reached] - position, n_hits[reached] - 1)
        values[reached] += np.exp(ways - all_ways[reached]) / (starts[reached] + position)
    totals = np.zeros(groups.batch)
    totals[groups.rows[first]] = values
    return totals


def _precision_sum(
    groups: TieGroups, hits: Int64Array, hits_above: Int64Array, k: int
) -> Float64Array:
    """E[sum over the ranks i <= k that hold a target of (targets among the first i) / i].

    At rank i of a group behind s items: (h / e) (above + 1 + (i - s - 1) (h - 1) / (e - 1)).
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, groups.depth + 1.0))])
    start = np.minimum(groups.starts, k)
    inside = groups.inside(k)
    reciprocal = harmonic[start + inside] - harmonic[start]
    slope = (hits - 1) / np.maximum(groups.sizes - 1, 1)
    values = (hits_above + 1 - (start + 1) * slope) * reciprocal + slope * inside
    return groups.summed(hits / groups.sizes * values)


def _rank_biased_precision(groups: TieGroups, hits: Int64Array, k: int) -> Float64Array:
    """The sum of (1 - p) p^rank of the hits, p = 0.8: by its geometric series over each group."""
    start = np.minimum(groups.starts, k)
    reached = PERSISTENCE**start - PERSISTENCE ** (start + groups.inside(k))
    return groups.summed(hits / groups.sizes * reached)
