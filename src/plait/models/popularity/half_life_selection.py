"""Chooses the half-life of popularity from the log.

A film of last year sells for months, a news article for two days. So several half-lives are tried,
and the one whose list of popular items has the best NDCG@10 on held-out events is chosen. On
MovieLens latest-small, split by time, 365 days instead of a week doubles NDCG@10.
"""

from __future__ import annotations

import numpy as np

from plait.data.array_types import Float64Array, Int64Array
from plait.data.dataset import Dataset, user_item_keys
from plait.data.ragged import Ragged
from plait.metrics.dcg import discount, ideal_dcg
from plait.models.popularity.robust_counts import NEWCOMER_LIMIT, robust_interactions, user_weight
from plait.utils.timestamps import DAY

__all__ = [
    "HALF_LIVES",
    "MAX_AGE",
    "MAX_GAP",
    "best_half_life",
    "decay_weights",
    "mean_ndcg",
    "select_half_life",
]

HALF_LIVES = (7.0, 4.0, 14.0, 2.0, 28.0, 1.0, 56.0, 0.5, 112.0, 365.0, 0.0)
"""The half-lives that are tried, in days, usual ones first; 0: no decay."""

DEFAULT_HALF_LIFE = 7.0
"""The half-life of a log with too few events, in days."""

_MIN_EVENTS = 200
"""Logs with fewer events are too short to choose from."""

_TOP_K = 10
"""The cut-off of NDCG."""

_MAX_EVENTS = 2_000_000
"""Only the newest events are read."""

MAX_GAP = 3.0
"""A time without any event counts as so many half-lives at most."""

MAX_AGE = 60.0
"""Events decay no further after so many half-lives: their weight stays above zero."""


def decay_weights(times: Int64Array, half_life_days: float) -> Float64Array:
    """Weigh events by exponential decay.

    A time without any event counts as three half-lives at most: one event of today must not make
    an old log worthless.

    Args:
        times: int64 [N], microseconds, in any order.
        half_life_days: after how many days the weight halves; 0: no decay.

    Returns:
        float64 [N], 1 for the newest event.
    """
    if not half_life_days or not len(times):
        return np.ones(len(times))
    order = np.argsort(times, kind="stable")
    gaps = np.minimum(np.diff(times[order]) / (DAY * half_life_days), MAX_GAP)
    ages = np.empty(len(times))
    ages[order[::-1]] = np.concatenate([[0.0], np.cumsum(gaps[::-1])])
    return np.exp2(-np.minimum(ages, MAX_AGE))


def best_half_life(dataset: Dataset, newcomer_limit: float = NEWCOMER_LIMIT) -> float:
    """Choose the half-life that predicts the last tenth of the events best from the others.

    Args:
        dataset: a data set with times.
        newcomer_limit: up to how many times their expected number newcomers count.

    Returns:
        Days, one of HALF_LIVES.
    """
    interactions = dataset.interactions
    if len(interactions) < _MIN_EVENTS:
        return DEFAULT_HALF_LIFE
    cut = np.sort(interactions.times)[len(interactions) * 9 // 10 - 1]
    later = interactions.take(interactions.times > cut)
    keys = np.unique(user_item_keys(later, dataset.n_items))
    if not len(keys):
        return DEFAULT_HALF_LIFE
    users, items = np.divmod(keys, dataset.n_items)
    counts = np.unique(users, return_counts=True)[1]
    targets = Ragged.from_lengths(items.astype(np.int32), counts)
    past = dataset.keep(interactions.times <= cut)
    return select_half_life(past, targets, None, newcomer_limit)


def select_half_life(
    past: Dataset,
    targets: Ragged,
    blocked: Ragged | None,
    newcomer_limit: float = NEWCOMER_LIMIT,
) -> float:
    """Choose the half-life whose list of popular items has the best mean NDCG@10.

    Args:
        past: The data set that popularity is counted from.
        targets: The target items of B queries that come after `past`.
        blocked: Items that are left out of the list of each query; None: none.
        newcomer_limit: Up to how many times their expected number newcomers count.

    Returns:
        Days, one of HALF_LIVES.
    """
    from scipy.stats import rankdata  # takes most of a second to import

    events = past.interactions
    if len(events) > _MAX_EVENTS:
        newest = np.argpartition(events.times, -_MAX_EVENTS)[-_MAX_EVENTS:]
        events = events.take(np.isin(np.arange(len(events)), newest))
    counted = robust_interactions(events, is_timed=True)
    unit = user_weight(past.event_weights)
    most_newcomers = newcomer_limit * counted.newcomer_ratio()
    gains: list[float] = []
    for days in HALF_LIVES:
        cells = counted.cells(slice(None), decay_weights(counted.interactions.times, days))
        saturated = cells.saturated(unit, most_newcomers)
        counts = np.bincount(cells.items, saturated, past.n_items).astype(np.float64)
        ranks = np.asarray(rankdata(-counts, method="average"), np.float64)
        gains.append(mean_ndcg(ranks, targets, blocked))
    return HALF_LIVES[int(np.argmax(np.round(gains, 6)))]


def mean_ndcg(ranks: Float64Array, targets: Ragged, blocked: Ragged | None) -> float:
    """Compute the mean NDCG@10 of queries that all get the same list.

    Args:
        ranks: float64 [n], the rank of each item from 1; ties share their mean rank.
        targets: the target items of B queries, at least one each.
        blocked: items that are left out of the list of each query; None: none.

    Returns:
        The mean over queries; a query whose targets are all blocked counts as 0.
    """
    target_ranks = ranks[targets.values]
    if blocked is not None:
        target_ranks = target_ranks - _blocked_above(ranks, targets, blocked)
    is_listed = target_ranks <= _TOP_K  # an infinite rank is not
    gains = np.where(is_listed, discount(target_ranks - 1), 0)
    totals = np.bincount(targets.rows, gains, len(targets))
    ideal = ideal_dcg(_TOP_K)[np.clip(targets.lengths, 1, _TOP_K)]
    return float((totals / ideal).mean())


def _blocked_above(ranks: Float64Array, targets: Ragged, blocked: Ragged) -> Float64Array:
    """The number of blocked items above each target, ties as halves; -inf for a blocked target."""
    # A history may hold an item more than once.
    blocked_keys = np.unique(blocked.rows * len(ranks) + blocked.values)
    rows, items = np.divmod(blocked_keys, len(ranks))
    doubled = np.round(2 * ranks).astype(np.int64)  # a mean rank is a whole or a half
    width = 2 * len(ranks) + 2
    blocked_ranks = np.sort(rows * width + doubled[items])
    target_ranks = targets.rows * width + doubled[targets.values]
    below, up_to = (
        np.searchsorted(blocked_ranks, target_ranks, side=side) for side in ("left", "right")
    )
    above = (below + up_to) / 2 - np.searchsorted(rows, targets.rows)
    is_blocked = np.isin(targets.rows * len(ranks) + targets.values, blocked_keys)
    return np.where(is_blocked, -np.inf, above)
