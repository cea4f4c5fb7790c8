"""Percentile bootstrap over users: how far a mean could lie from what another sample would give.

All columns share the same resamples, so the interval of a difference of columns is paired.
Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan, nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.data.types import Int64Array
from plait.metrics.ties import Doubles

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

CELLS = 1 << 22
"""How many drawn users are held at once."""


class Interval(NamedTuple):
    """A mean and the ends of its interval; NaN where there was nothing to measure.

    The ends alone are NaN where the mean is of one user: nothing says how another would differ.
    """

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """As JSON carries it, which has no NaN."""
        return {name: None if isnan(one) else one for name, one in self._asdict().items()}

    @classmethod
    def of(cls, found: Mapping[str, float | None]) -> Interval:
        """What `to_dict` gave."""
        told = (found[name] for name in cls._fields)
        return cls(*(nan if one is None else one for one in told))


def intervals(
    values: npt.NDArray[np.floating], *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """The mean of every column of [U, C] with its interval; U users, all values finite.

    Deterministic in `seed` and U. Of one user the ends are NaN, of none the value as well.
    """
    users, columns = values.shape
    if not users:
        return [Interval(nan, nan, nan)] * columns
    means = values.mean(axis=0, dtype=np.float64)
    if users == 1:
        return [Interval(float(one), nan, nan) for one in means]
    drawn = resampled_means(values, resamples, seed)
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail), axis=0)
    return [
        Interval(float(mean), float(min(least, mean)), float(max(most, mean)))
        for mean, least, most in zip(means, low, high, strict=True)
    ]


def resampled_means(values: npt.NDArray[np.floating], resamples: int, seed: int) -> Doubles:
    """float64 [resamples, C]: column means over users drawn with replacement."""
    exact = np.ascontiguousarray(values, np.float64)
    drawn = [one @ exact / len(values) for one in weights_drawn(len(values), resamples, seed)]
    return np.concatenate(drawn)


def weights_drawn(users: int, resamples: int, seed: int) -> Iterator[Doubles]:
    """How often each of `users` is drawn: float64 [rows, users], `resamples` rows in all."""
    generator = np.random.default_rng(seed)
    step = max(1, CELLS // users)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, users, (rows, users), np.int32)
        drawn = drawn + (np.arange(rows) * users)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users)
        yield counts.astype(np.float64)


def cluster_sums(values: npt.NDArray[np.floating], clusters: Int64Array, size: int) -> Doubles:
    """The columns of [N, C] added up by cluster 0..size - 1, float64 [size, C]."""
    found = [np.bincount(clusters, column, size) for column in np.asarray(values, np.float64).T]
    return np.stack(found, axis=1) if found else np.zeros((size, 0))


def ratio_draws(
    over: npt.NDArray[np.floating], under: npt.NDArray[np.floating], resamples: int, seed: int
) -> Doubles:
    """float64 [1 + resamples, C]: the sum of `over` by that of `under`, both [U, C], of all users
    and of each resample of them; NaN where a resample has nothing under the line.

    Fewer than two users say nothing of others: of one there is the first row alone, and a column
    that only one has anything under the line of is NaN in every resample.
    """
    draws = [np.ones((1, len(over)))]
    if len(over) > 1:
        draws.extend(weights_drawn(len(over), resamples, seed))
    found = []
    for one in draws:
        below = np.broadcast_to(one @ under, (len(one), over.shape[1]))
        empty = np.full(below.shape, np.nan)
        found.append(np.divide(one @ over, below, out=empty, where=below != 0))
    every = np.concatenate(found)
    every[1:, np.broadcast_to((under != 0).sum(axis=0) < 2, every.shape[1:])] = np.nan
    return every


def percentile_intervals(draws: Doubles, *, level: float = 0.95) -> list[Interval]:
    """From `ratio_draws`, or a function of them: the first row is the value, the rest its ends.

    The ends are NaN where there are no resamples, or none has anything under the line.
    """
    value, rest = draws[0], draws[1:]
    tail = (1 - level) / 2
    there = ~np.isnan(rest).all(axis=0)
    low, high = np.full((2, len(value)), np.nan)
    if there.any():
        low[there], high[there] = np.nanquantile(rest[:, there], (tail, 1 - tail), axis=0)
    return [
        Interval(float(one), float(min(least, one)), float(max(most, one)))
        for one, least, most in zip(value, low, high, strict=True)
    ]


def simultaneous_intervals(draws: Doubles, best: int, *, level: float = 0.95) -> list[Interval]:
    """Column `best` of `draws` less each other column, in their order; first row as in `spans`.

    Whoever is best of many was lucky, too: intervals of one pair each would call the best of ten
    equal models better than some other one most of the time. These hold for all pairs of columns at
    once with the chance `level`: as many standard errors wide as the largest error among the pairs
    is at most (Romano and Wolf, "Stepwise multiple testing as formalized data snooping", 2005, the
    first step). Of two columns it is the percentile interval of their difference.
    """
    others = [one for one in range(draws.shape[1]) if one != best]
    gaps = draws[:, [best]] - draws[:, others]
    if len(others) < 2 or len(draws) < 2:
        return percentile_intervals(gaps, level=level)
    least, most = np.triu_indices(draws.shape[1], 1)
    pairs = draws[:, least] - draws[:, most]
    away, there = np.abs(pairs[1:] - pairs[0]), ~np.isnan(draws[1:]).any(axis=1)
    if not there.any():
        return [Interval(float(one), nan, nan) for one in gaps[0]]
    scale = _errors(pairs[1:][there])
    told = scale > 0
    wide = 0.0
    if told.any():
        wide = float(np.quantile((away[there][:, told] / scale[told]).max(axis=1), level))
    ends = wide * _errors(gaps[1:][there])
    return [
        Interval(float(one), float(one - end), float(one + end))
        for one, end in zip(gaps[0], ends, strict=True)
    ]


def _errors(drawn: Doubles) -> Doubles:
    """The standard error of each column, 0 where all that differs are the last bits."""
    found: Doubles = drawn.std(axis=0)
    found[found <= 1e-9 * np.abs(drawn).max(axis=0)] = 0.0
    return found
