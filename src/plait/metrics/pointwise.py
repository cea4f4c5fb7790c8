"""Metrics of predictions, user by user: ratings by their error, clicks by order and probability.

Every function gives value and ends by a bootstrap over users, who are drawn with all they have.
"""

from __future__ import annotations

import itertools
from math import nan
from typing import NamedTuple

import numpy as np

from plait.data.types import BoolArray, Int64Array
from plait.metrics.bootstrap import (
    Interval,
    cluster_sums,
    percentile_intervals,
    ratio_draws,
    weights_drawn,
)
from plait.metrics.ties import Doubles

__all__ = [
    "BootstrapConfig",
    "auc",
    "calibration",
    "click_metrics",
    "click_slice",
    "log_losses",
    "rating_metrics",
    "user_auc",
]

BINS = 10
"""Bins of equal size that calibration is read from."""

EPSILON = 1e-7

ROUNDING = 1e-12
"""A variance that is a smaller share of the squares than this is none."""


class BootstrapConfig(NamedTuple):
    """How a bootstrap draws."""

    resamples: int = 1000
    seed: int = 0


def rating_metrics(
    predicted: Doubles, actual: Doubles, users: Int64Array, chance: BootstrapConfig
) -> dict[str, Interval]:
    """RMSE, MAE and R2 of N predictions, float64 [N] each; `users` int64 [N] whose they are.

    R2 is NaN where all ratings are the same, as there is nothing to explain.
    """
    error = predicted - actual
    apart = actual - actual.mean() if len(actual) else actual
    columns = np.stack([error**2, np.abs(error), apart, apart**2], axis=1)
    who, clusters = np.unique(users, return_inverse=True)
    counts = np.bincount(clusters).astype(np.float64)[:, None]
    draws = ratio_draws(cluster_sums(columns, clusters, len(who)), counts, *chance)
    square, absolute, mean, mean_square = draws.T
    variance = mean_square - mean**2
    level = actual.mean() ** 2 if len(actual) else 0.0  # what rounding leaves of equal ratings
    known = variance > ROUNDING * (mean_square + level)
    explained = 1 - np.divide(square, variance, out=np.full(len(square), np.nan), where=known)
    found = percentile_intervals(np.stack([np.sqrt(square), absolute, explained], axis=1))
    return dict(zip(("rmse", "mae", "r2"), found, strict=True))


def click_metrics(
    chances: Doubles, clicked: BoolArray, users: Int64Array, chance: BootstrapConfig
) -> dict[str, Interval]:
    """AUC, GAUC, log loss and expected calibration error of N predicted chances in (0, 1).

    GAUC is the mean AUC of users with a click and a miss, weighed by what they were shown (Zhou et
    al., "Deep interest network", 2018). Calibration: ten bins with as many predictions each, the
    mean distance of predicted and true rate.
    """
    own, weights = user_auc(chances, clicked, users)
    grouped = ratio_draws((own * weights)[:, None], weights[:, None], *chance)
    lost = _lost(chances, clicked, users, chance)
    found = percentile_intervals(
        np.concatenate([grouped, lost, _missed(chances, clicked, users, chance)], axis=1)
    )
    return {
        "auc": auc(chances, clicked, users, chance),
        **dict(zip(("gauc", "log_loss", "ece"), found, strict=True)),
    }


def click_slice(
    chances: Doubles, clicked: BoolArray, users: Int64Array, chance: BootstrapConfig
) -> dict[str, Interval]:
    """AUC and log loss of a part of the examples; the AUC is NaN where all are clicks, or none."""
    (loss,) = percentile_intervals(_lost(chances, clicked, users, chance))
    both = clicked.any() and not clicked.all()
    order = auc(chances, clicked, users, chance) if both else Interval(nan, nan, nan)
    return {"auc": order, "log_loss": loss}


def _lost(
    chances: Doubles, clicked: BoolArray, users: Int64Array, chance: BootstrapConfig
) -> Doubles:
    """The mean log loss, float64 [1 + resamples, 1]."""
    who, clusters = np.unique(users, return_inverse=True)
    losses = log_losses(chances, clicked)
    size = np.bincount(clusters).astype(np.float64)[:, None]
    return ratio_draws(cluster_sums(losses[:, None], clusters, len(who)), size, *chance)


def log_losses(chances: Doubles, clicked: BoolArray) -> Doubles:
    """-log of the chance that each outcome was given, float64 [N]."""
    clean = np.clip(chances, EPSILON, 1 - EPSILON)
    losses: Doubles = -np.where(clicked, np.log(clean), np.log1p(-clean))
    return losses


def auc(
    chances: Doubles, clicked: BoolArray, users: Int64Array, chance: BootstrapConfig
) -> Interval:
    """The chance that a click has the higher prediction than a miss; equal ones count half.

    0.5 where all are clicks, or none.
    """
    values, level = np.unique(chances, return_inverse=True)
    who, clusters = np.unique(users, return_inverse=True)
    draws = [np.ones((1, len(who))), *(weights_drawn(len(who), *chance) if len(who) > 1 else ())]
    found = []
    for weights in itertools.chain.from_iterable(draws):
        counts = np.bincount(level, weights[clusters], len(values))
        hits = np.bincount(level[clicked], weights[clusters[clicked]], len(values))
        misses = counts - hits
        below = np.cumsum(misses) - misses
        total = hits.sum() * misses.sum()
        found.append((hits * (below + misses / 2)).sum() / total if total else np.nan)
    if np.isnan(found[0]):
        return Interval(0.5, 0.5, 0.5)
    return percentile_intervals(np.array(found)[:, None])[0]


def user_auc(chances: Doubles, clicked: BoolArray, users: Int64Array) -> tuple[Doubles, Doubles]:
    """The AUC of each user, float64 [U] in the order of their numbers, and what it weighs.

    0 with the weight 0 for a user with clicks or misses alone.
    """
    _, clusters = np.unique(users, return_inverse=True)
    size = int(clusters.max(initial=-1)) + 1
    order = np.lexsort((chances, clusters))
    whose, value, hit = clusters[order], chances[order], clicked[order]
    opens = np.ones(len(order), np.bool_)
    opens[1:] = (whose[1:] != whose[:-1]) | (value[1:] != value[:-1])
    level = np.cumsum(opens) - 1
    hits = np.bincount(level, hit).astype(np.float64)
    misses = np.bincount(level, ~hit).astype(np.float64)
    owner = whose[opens]
    before = np.cumsum(misses) - misses
    first = np.searchsorted(owner, np.arange(size))
    below = before - before[first][owner]
    wins = np.bincount(owner, hits * (below + misses / 2), size)
    pairs = np.bincount(owner, hits, size) * np.bincount(owner, misses, size)
    both = pairs > 0
    own = np.divide(wins, pairs, out=np.zeros(size), where=both)
    return own, np.where(both, np.bincount(clusters, minlength=size), 0).astype(np.float64)


def calibration(chances: Doubles, clicked: BoolArray) -> list[tuple[float, float, int]]:
    """By bin the mean prediction, the share of clicks and how many there are; none is empty."""
    bins = _bins(chances)
    size = np.bincount(bins)
    mean, rate = np.bincount(bins, chances) / size, np.bincount(bins, clicked) / size
    return [
        (float(one), float(true), int(many))
        for one, true, many in zip(mean, rate, size, strict=True)
    ]


def _bins(chances: Doubles) -> Int64Array:
    """Bins of about the same size, equal predictions in the same one; int64 [N], none empty."""
    values, level, counts = np.unique(chances, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    wanted = np.minimum((middle * BINS / max(len(chances), 1)).astype(np.int64), BINS - 1)
    _, dense = np.unique(wanted, return_inverse=True)
    found: Int64Array = dense[level] if len(values) else np.zeros(0, np.int64)
    return found


def _missed(
    chances: Doubles, clicked: BoolArray, users: Int64Array, chance: BootstrapConfig
) -> Doubles:
    """The expected calibration error, float64 [1 + resamples, 1]; the bins stay as they are."""
    bins = _bins(chances)
    who, clusters = np.unique(users, return_inverse=True)
    width = int(bins.max(initial=0)) + 1
    size = len(who) * width
    gaps = (
        np.bincount(clusters * width + bins, chances - clicked, size)
        .astype(np.float64)
        .reshape(-1, width)
    )
    count = np.bincount(clusters).astype(np.float64)[:, None]
    missed: Doubles = np.abs(ratio_draws(gaps, count, *chance)).sum(axis=1, keepdims=True)
    return missed
