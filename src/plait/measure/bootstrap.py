"""Percentile bootstrap over users: how far a mean could lie from what another sample would give.

All columns share the same resamples, so the interval of a difference of columns is paired.
Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.measure.ties import Doubles

__all__ = ["Interval", "intervals", "resampled_means"]

CELLS = 1 << 22
"""How many drawn users are held at once."""


class Interval(NamedTuple):
    """A mean and the ends of its interval."""

    value: float
    low: float
    high: float


def intervals(
    values: npt.NDArray[np.floating], *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """The mean of every column of [U, C] with its interval; U users, all values finite.

    Deterministic in `seed` and U. One user, or none: the interval is the value itself.
    """
    users, columns = values.shape
    if not users:
        return [Interval(0.0, 0.0, 0.0)] * columns
    means = values.mean(axis=0, dtype=np.float64)
    if users == 1:
        return [Interval(float(one), float(one), float(one)) for one in means]
    drawn = resampled_means(values, resamples, seed)
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail), axis=0)
    return [
        Interval(float(mean), float(min(least, mean)), float(max(most, mean)))
        for mean, least, most in zip(means, low, high, strict=True)
    ]


def resampled_means(values: npt.NDArray[np.floating], resamples: int, seed: int) -> Doubles:
    """float64 [resamples, C]: column means over users drawn with replacement."""
    users = len(values)
    generator = np.random.default_rng(seed)
    exact = np.ascontiguousarray(values, np.float64)
    step = max(1, CELLS // users)
    found = []
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, users, (rows, users), np.int32)
        drawn = drawn + (np.arange(rows) * users)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users)
        found.append(weights.astype(np.float64) @ exact / users)
    return np.concatenate(found)
