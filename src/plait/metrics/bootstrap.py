"""Percentile bootstrap over users: the sampling error of means and ratios.

All columns share the same resamples, so that the interval of a difference of columns is paired.
Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan, nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.data.array_types import Float64Array, Int64Array

__all__ = [
    "Interval",
    "cluster_sums",
    "intervals",
    "percentile_intervals",
    "ratio_draws",
    "resampled_means",
    "simultaneous_intervals",
    "weights_drawn",
]

_MAX_CELLS = 1 << 22
"""How many drawn users are in memory at once."""


class Interval(NamedTuple):
    """An estimate with its confidence interval.

    Attributes:
        value: NaN if there was nothing to measure.
        low: the lower end; NaN for a single user.
        high: the upper end; NaN for a single user.
    """

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Convert to JSON, which has no NaN."""
        return {name: None if isnan(number) else number for name, number in self._asdict().items()}

    @classmethod
    def of(cls, entries: Mapping[str, float | None]) -> Interval:
        """Restore an interval.

        Args:
            entries: what `to_dict` returned.

        Returns:
            The interval.
        """
        numbers = (entries[name] for name in cls._fields)
        return cls(*(nan if number is None else number for number in numbers))


def intervals(
    values: npt.NDArray[np.floating], *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """Estimate the mean of columns over users.

    Args:
        values: finite floats [U, C], a row a user.
        resamples: how many samples of users are drawn.
        seed: seeds the draws, which also depend on U.
        level: the confidence level.

    Returns:
        An interval for each column.
    """
    users, columns = values.shape
    if not users:
        return [Interval(nan, nan, nan)] * columns
    means = values.mean(axis=0, dtype=np.float64)
    if users == 1:
        return [Interval(float(mean), nan, nan) for mean in means]
    draws = resampled_means(values, resamples, seed)
    tail = (1 - level) / 2
    lows, highs = np.quantile(draws, (tail, 1 - tail), axis=0)
    return _intervals(means, lows, highs)


def resampled_means(values: npt.NDArray[np.floating], resamples: int, seed: int) -> Float64Array:
    """Compute column means over users drawn with replacement.

    Args:
        values: floats [U, C].
        resamples: how many samples of users are drawn.
        seed: seeds the draws.

    Returns:
        float64 [resamples, C].
    """
    exact = np.ascontiguousarray(values, np.float64)
    draws = weights_drawn(len(values), resamples, seed)
    return np.concatenate([weights @ exact / len(values) for weights in draws])


def weights_drawn(users: int, resamples: int, seed: int) -> Iterator[Float64Array]:
    """Draw how often each user is in each resample.

    Args:
        users: the number of users.
        resamples: the number of resamples.
        seed: seeds the draws.

    Yields:
        float64 [rows, users], `resamples` rows in all.
    """
    generator = np.random.default_rng(seed)
    step = max(1, _MAX_CELLS // users)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, users, (rows, users), np.int32)
        cells = drawn + (np.arange(rows) * users)[:, None]
        counts = np.bincount(cells.ravel(), minlength=rows * users).reshape(rows, users)
        yield counts.astype(np.float64)


def cluster_sums(values: npt.NDArray[np.floating], clusters: Int64Array, size: int) -> Float64Array:
    """Add up rows by cluster.

    Args:
        values: floats [N, C].
        clusters: int64 [N], from 0 to `size` - 1.
        size: the number of clusters.

    Returns:
        float64 [size, C].
    """
    sums = [np.bincount(clusters, column, size) for column in np.asarray(values, np.float64).T]
    return np.stack(sums, axis=1) if sums else np.zeros((size, 0))


def ratio_draws(
    numerators: npt.NDArray[np.floating],
    denominators: npt.NDArray[np.floating],
    resamples: int,
    seed: int,
) -> Float64Array:
    """Compute ratios of sums over all users and over resamples of them.

    Args:
        numerators: floats [U, C].
        denominators: floats [U, C] or [U, 1].
        resamples: how many samples of users are drawn.
        seed: seeds the draws.

    Returns:
        float64 [1 + resamples, C], the first row of all users; NaN where the denominator is 0. With
        one user there is only the first row; a column with a single user whose denominator is not 0
        is NaN in every resample.
    """
    draws = [np.ones((1, len(numerators)))]
    if len(numerators) > 1:
        draws.extend(weights_drawn(len(numerators), resamples, seed))
    blocks = []
    for weights in draws:
        totals = np.broadcast_to(weights @ denominators, (len(weights), numerators.shape[1]))
        empty = np.full(totals.shape, np.nan)
        blocks.append(np.divide(weights @ numerators, totals, out=empty, where=totals != 0))
    ratios = np.concatenate(blocks)
    is_single = np.broadcast_to((denominators != 0).sum(axis=0) < 2, ratios.shape[1:])
    ratios[1:, is_single] = np.nan
    return ratios


def percentile_intervals(draws: Float64Array, *, level: float = 0.95) -> list[Interval]:
    """Turn resamples into intervals.

    Args:
        draws: float64 [1 + resamples, C], as from `ratio_draws`, or a function of them: the first
            row holds the values.
        level: the confidence level.

    Returns:
        An interval for each column; its ends are NaN without a resample that is not NaN.
    """
    values, resamples = draws[0], draws[1:]
    tail = (1 - level) / 2
    is_known = ~np.isnan(resamples).all(axis=0)
    lows, highs = np.full((2, len(values)), np.nan)
    if is_known.any():
        quantiles = np.nanquantile(resamples[:, is_known], (tail, 1 - tail), axis=0)
        lows[is_known], highs[is_known] = quantiles
    return _intervals(values, lows, highs)


def simultaneous_intervals(
    draws: Float64Array, best: int, *, level: float = 0.95
) -> list[Interval]:
    """Compare one column with all others, accounting for multiple comparisons.

    The best of many models was also lucky: intervals of single pairs would call the best of ten
    equal models better than some other one most of the time. These intervals hold for all pairs of
    columns at once with probability `level`: they are as many standard errors wide as the largest
    error among the pairs is at most (Romano and Wolf, "Stepwise multiple testing as formalized data
    snooping", 2005, the first step). With two columns it is the percentile interval of their
    difference.

    Args:
        draws: float64 [1 + resamples, C], the first row holds the values.
        best: the column to compare with the others.
        level: the confidence level.

    Returns:
        The interval of column `best` minus each other column, in their order.
    """
    others = [column for column in range(draws.shape[1]) if column != best]
    differences = draws[:, [best]] - draws[:, others]
    if len(others) < 2 or len(draws) < 2:
        return percentile_intervals(differences, level=level)
    first, second = np.triu_indices(draws.shape[1], 1)
    pairs = draws[:, first] - draws[:, second]
    is_known = ~np.isnan(draws[1:]).any(axis=1)
    if not is_known.any():
        return [Interval(float(difference), nan, nan) for difference in differences[0]]
    errors = _standard_errors(pairs[1:][is_known])
    has_error = errors > 0
    width = 0.0
    if has_error.any():
        deviations = np.abs(pairs[1:] - pairs[0])[is_known][:, has_error]
        width = float(np.quantile((deviations / errors[has_error]).max(axis=1), level))
    margins = width * _standard_errors(differences[1:][is_known])
    return [
        Interval(float(difference), float(difference - margin), float(difference + margin))
        for difference, margin in zip(differences[0], margins, strict=True)
    ]


def _intervals(values: Float64Array, lows: Float64Array, highs: Float64Array) -> list[Interval]:
    """Intervals that contain their values."""
    return [
        Interval(float(value), float(min(low, value)), float(max(high, value)))
        for value, low, high in zip(values, lows, highs, strict=True)
    ]


def _standard_errors(draws: Float64Array) -> Float64Array:
    """The standard error of each column; 0 where only the last bits differ."""
    errors: Float64Array = draws.std(axis=0)
    errors[errors <= 1e-9 * np.abs(draws).max(axis=0)] = 0.0
    return errors
