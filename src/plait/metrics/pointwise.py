"""Metrics of single predictions: errors of ratings, order and calibration of click probabilities.

Every metric is bootstrapped over users, who are drawn with all of their predictions.
"""

from __future__ import annotations

import itertools
from math import nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.data.array_types import BoolArray, Float64Array, Int64Array
from plait.metrics.bootstrap import (
    Interval,
    cluster_sums,
    percentile_intervals,
    ratio_draws,
    weights_drawn,
)

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

_BINS = 10
"""The number of calibration bins, of about equal size."""

_EPSILON = 1e-7

_ROUNDING = 1e-12
"""A variance below this share of the mean square is a rounding error."""


class BootstrapConfig(NamedTuple):
    """How a bootstrap draws.

    Attributes:
        resamples: the number of resamples.
        seed: seeds the draws.
    """

    resamples: int = 1000
    seed: int = 0


def rating_metrics(
    predicted: Float64Array, actual: Float64Array, users: Int64Array, bootstrap: BootstrapConfig
) -> dict[str, Interval]:
    """Compute the errors of predicted ratings.

    With errors e_i = predicted - actual: RMSE is sqrt(mean e^2), MAE is mean |e| (Herlocker et al.,
    "Evaluating collaborative filtering recommender systems", 2004), R2 is 1 - mean e^2 / variance
    of the actual ratings (Wright, 1921).

    Args:
        predicted: float64 [N].
        actual: float64 [N].
        users: int64 [N], the user of each rating.
        bootstrap: how users are drawn.

    Returns:
        "rmse", "mae" and "r2"; R2 is NaN if all ratings are equal.
    """
    error = predicted - actual
    centred = actual - actual.mean() if len(actual) else actual
    columns = np.stack([error**2, np.abs(error), centred, centred**2], axis=1)
    square, absolute, mean, mean_square = _user_means(columns, users, bootstrap).T
    variance = mean_square - mean**2
    level = actual.mean() ** 2 if len(actual) else 0.0  # what rounding leaves of equal ratings
    varies = variance > _ROUNDING * (mean_square + level)
    unknown = np.full(len(square), np.nan)
    explained = 1 - np.divide(square, variance, out=unknown, where=varies)
    values = percentile_intervals(np.stack([np.sqrt(square), absolute, explained], axis=1))
    return dict(zip(("rmse", "mae", "r2"), values, strict=True))


def click_metrics(
    chances: Float64Array, clicked: BoolArray, users: Int64Array, bootstrap: BootstrapConfig
) -> dict[str, Interval]:
    """Compute the quality of predicted click probabilities.

    AUC: see `auc`. GAUC is the mean AUC of users with a click and a miss, weighted by their number
    of examples (Zhou et al., "Deep interest network", 2018). Log loss: see `log_losses`. ECE is the
    mean over bins of |mean prediction - click rate|, weighted by bin size (Naeini, Cooper and
    Hauskrecht, 2015), with ten bins of about equal size.

    Args:
        chances: float64 [N], predicted probabilities between 0 and 1.
        clicked: bool [N].
        users: int64 [N], the user of each example.
        bootstrap: how users are drawn.

    Returns:
        "auc", "gauc", "log_loss" and "ece".
    """
    own, weights = user_auc(chances, clicked, users)
    grouped = ratio_draws((own * weights)[:, None], weights[:, None], *bootstrap)
    losses = _user_means(log_losses(chances, clicked)[:, None], users, bootstrap)
    errors = _calibration_errors(chances, clicked, users, bootstrap)
    values = percentile_intervals(np.concatenate([grouped, losses, errors], axis=1))
    return {
        "auc": auc(chances, clicked, users, bootstrap),
        **dict(zip(("gauc", "log_loss", "ece"), values, strict=True)),
    }


def click_slice(
    chances: Float64Array, clicked: BoolArray, users: Int64Array, bootstrap: BootstrapConfig
) -> dict[str, Interval]:
    """Compute AUC and log loss of a part of the examples.

    Args:
        chances: float64 [N], predicted probabilities.
        clicked: bool [N].
        users: int64 [N], the user of each example.
        bootstrap: how users are drawn.

    Returns:
        "auc", NaN if all examples are clicks, or none is, and "log_loss"; see `auc` and
        `log_losses`.
    """
    losses = _user_means(log_losses(chances, clicked)[:, None], users, bootstrap)
    has_both = clicked.any() and not clicked.all()
    order = auc(chances, clicked, users, bootstrap) if has_both else Interval(nan, nan, nan)
    return {"auc": order, "log_loss": percentile_intervals(losses)[0]}


def log_losses(chances: Float64Array, clicked: BoolArray) -> Float64Array:
    """Compute the negative log likelihood of outcomes, -log p or -log(1 - p) (Good, 1952).

    Args:
        chances: float64 [N], predicted probabilities; clipped to 1e-7 from 0 and 1.
        clicked: bool [N].

    Returns:
        float64 [N].
    """
    clipped = np.clip(chances, _EPSILON, 1 - _EPSILON)
    losses: Float64Array = -np.where(clicked, np.log(clipped), np.log1p(-clipped))
    return losses


def auc(
    chances: Float64Array, clicked: BoolArray, users: Int64Array, bootstrap: BootstrapConfig
) -> Interval:
    """Compute the area under the ROC curve.

    The probability that a click has a higher prediction than a miss, ties counting half (Hanley and
    McNeil, 1982).

    Args:
        chances: float64 [N], predicted probabilities.
        clicked: bool [N].
        users: int64 [N], the user of each example.
        bootstrap: how users are drawn.

    Returns:
        The area; 0.5 if all examples are clicks, or none is.
    """
    values, level = np.unique(chances, return_inverse=True)
    _, clusters = np.unique(users, return_inverse=True)
    n_users = int(clusters.max(initial=-1)) + 1
    draws = [np.ones((1, n_users)), *(weights_drawn(n_users, *bootstrap) if n_users > 1 else ())]
    areas = []
    for weights in itertools.chain.from_iterable(draws):
        counts = np.bincount(level, weights[clusters], len(values))
        hits = np.bincount(level[clicked], weights[clusters[clicked]], len(values))
        misses = counts - hits
        below = np.cumsum(misses) - misses
        pairs = hits.sum() * misses.sum()
        areas.append((hits * (below + misses / 2)).sum() / pairs if pairs else np.nan)
    if np.isnan(areas[0]):
        return Interval(0.5, 0.5, 0.5)
    return percentile_intervals(np.array(areas)[:, None])[0]


def user_auc(
    chances: Float64Array, clicked: BoolArray, users: Int64Array
) -> tuple[Float64Array, Float64Array]:
    """Compute the AUC of each user (see `auc`), and its weight in GAUC.

    Args:
        chances: float64 [N], predicted probabilities.
        clicked: bool [N].
        users: int64 [N], the user of each example.

    Returns:
        The areas and the weights, the number of examples, float64 [U] by ascending user number;
        both 0 for a user with clicks or misses alone.
    """
    _, clusters = np.unique(users, return_inverse=True)
    size = int(clusters.max(initial=-1)) + 1
    order = np.lexsort((chances, clusters))
    row_users, values, is_hit = clusters[order], chances[order], clicked[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (row_users[1:] != row_users[:-1]) | (values[1:] != values[:-1])
    level = np.cumsum(is_first) - 1
    hits = np.bincount(level, is_hit).astype(np.float64)
    misses = np.bincount(level, ~is_hit).astype(np.float64)
    level_users = row_users[is_first]
    misses_before = np.cumsum(misses) - misses
    first_levels = np.searchsorted(level_users, np.arange(size))
    below = misses_before - misses_before[first_levels][level_users]
    wins = np.bincount(level_users, hits * (below + misses / 2), size)
    pairs = np.bincount(level_users, hits, size) * np.bincount(level_users, misses, size)
    has_both = pairs > 0
    areas = np.divide(wins, pairs, out=np.zeros(size), where=has_both)
    weights = np.where(has_both, np.bincount(clusters, minlength=size), 0)
    return areas, weights.astype(np.float64)


def calibration(chances: Float64Array, clicked: BoolArray) -> list[tuple[float, float, int]]:
    """Compute the points of a reliability diagram (DeGroot and Fienberg, 1983).

    Args:
        chances: float64 [N], predicted probabilities.
        clicked: bool [N].

    Returns:
        For up to ten bins of about equal size, none of them empty: the mean prediction, the share
        of clicks, and the number of examples.
    """
    bins = _calibration_bins(chances)
    counts = np.bincount(bins)
    means, rates = np.bincount(bins, chances) / counts, np.bincount(bins, clicked) / counts
    return [
        (float(mean), float(rate), int(count))
        for mean, rate, count in zip(means, rates, counts, strict=True)
    ]


def _user_means(
    columns: npt.NDArray[np.floating], users: Int64Array, bootstrap: BootstrapConfig
) -> Float64Array:
    """The means of columns [N, C] over users drawn, float64 [1 + resamples, C]."""
    _, clusters = np.unique(users, return_inverse=True)
    counts = np.bincount(clusters).astype(np.float64)[:, None]
    return ratio_draws(cluster_sums(columns, clusters, len(counts)), counts, *bootstrap)


def _calibration_bins(chances: Float64Array) -> Int64Array:
    """The bin of each prediction, int64 [N]: equal predictions share one, and none is empty."""
    values, level, counts = np.unique(chances, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    ideal = np.minimum((middle * _BINS / max(len(chances), 1)).astype(np.int64), _BINS - 1)
    _, dense = np.unique(ideal, return_inverse=True)
    bins: Int64Array = dense[level] if len(values) else np.zeros(0, np.int64)
    return bins


def _calibration_errors(
    chances: Float64Array, clicked: BoolArray, users: Int64Array, bootstrap: BootstrapConfig
) -> Float64Array:
    """The expected calibration error, float64 [1 + resamples, 1], with fixed bins."""
    bins = _calibration_bins(chances)
    _, clusters = np.unique(users, return_inverse=True)
    counts = np.bincount(clusters).astype(np.float64)[:, None]
    width = int(bins.max(initial=0)) + 1
    cells = np.bincount(clusters * width + bins, chances - clicked, len(counts) * width)
    differences = cells.astype(np.float64).reshape(-1, width)
    draws = np.abs(ratio_draws(differences, counts, *bootstrap))
    errors: Float64Array = draws.sum(axis=1, keepdims=True)
    return errors
