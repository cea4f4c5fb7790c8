"""Popularity between fits: counts of the fit and of later events, with one decay.

A user counts once for an item on a day, with the event of the largest weight.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from plait.data.dataset import Interactions, event_type_weights
from plait.data.recent_interactions import MAX_RECENT_ROWS
from plait.data.state_view import State
from plait.models.popularity.half_life_selection import MAX_AGE, MAX_GAP
from plait.utils.timestamps import DAY

__all__ = ["FittedCounts", "LiveCounts", "normalize", "once_a_day"]

_DAYS = 2
"""For how many of the newest days it is known who counted for what."""


@dataclass(frozen=True, slots=True)
class FittedCounts:
    """What a fit leaves for the time after it.

    Attributes:
        version: The offset up to which the log was counted.
        totals: float64 [S + 1], the sum of all decayed counts, of all users and by segment.
        newest: The time of the newest event counted, in microseconds; its weight has not decayed.
        is_timed: Whether events have times.
        half_life_days: After how many days a count halves; 0: never.
        event_weights: The weight of each event type; "*" stands for any other.
        segment_by: The user field of the segments; "" without segments.
        segments: The row of each value of that field.
    """

    version: int
    totals: Float64Array
    newest: int
    is_timed: bool
    half_life_days: float
    event_weights: Mapping[str, float]
    segment_by: str
    segments: Mapping[str, int]


class LiveCounts:
    """Adds new interactions of a state to the counts of a fit; safe among threads.

    Args:
        fitted: What the fit left.
        shares: float32 [S + 1, n], the shares that it computed; NaN where nothing was counted.
    """

    def __init__(self, fitted: FittedCounts, shares: Float32Array) -> None:
        self._fitted = fitted
        self._fitted_counts = np.nan_to_num(shares.astype(np.float64)) * fitted.totals[:, None]
        self._lock = threading.Lock()
        self._latest: tuple[object, Float32Array] | None = None
        self._lineage: object = None
        self._reset()

    def shares(self, state: State) -> Float32Array | None:
        """Compute the share of each item in all counts.

        Args:
            state: The state of the log.

        Returns:
            float32 [S + 1, n_items], NaN where nothing was counted; None: nothing is newer than the
            fit.
        """
        recent = state.recent
        if self._latest is not None and self._latest[0] is recent:
            return self._latest[1]
        if recent.last_offset <= self._fitted.version:
            return None
        with self._lock:
            if recent.lineage is not self._lineage:
                self._reset()
                self._lineage, self._stop = recent.lineage, recent.first
            if recent.stop > self._stop or self._latest is None:
                rows, self._stop = recent.rows(self._stop), recent.stop
                is_new = rows["offset"] > self._fitted.version
                self._add(rows[~is_new], state, is_counted=False)
                self._add(rows[is_new], state)
                self._latest = recent, normalize(self._counts)
            return self._latest[1]

    def counts(self, state: State) -> Float64Array:
        """Return the counts themselves: a new event changes no other item's.

        Args:
            state: The state of the log.

        Returns:
            float64 [n], decayed to the time of the newest event that the fit counted.
        """
        self.shares(state)
        with self._lock:
            counts: Float64Array = self._counts[0].copy()
        return counts

    def _reset(self) -> None:
        self._latest, self._stop = None, 0
        self._counts = self._fitted_counts.copy()
        self._newest, self._age = self._fitted.newest, 0.0
        self._counted: dict[int, dict[int, float]] = {}

    def _add(self, rows: npt.NDArray[Any], state: State, *, is_counted: bool = True) -> None:
        """Count rows; without `is_counted` they are only remembered as counted by the fit."""
        fitted = self._fitted
        if not is_counted:
            rows = rows[rows["time"] // DAY > fitted.newest // DAY - _DAYS]
        by_type = event_type_weights(state.event_types, fitted.event_weights)
        weights = by_type[rows["event_type"]] if len(rows) else np.zeros(0, np.float32)
        rows, weights = rows[weights > 0], weights[weights > 0].astype(np.float64)
        days = np.zeros(len(rows), np.int64)
        if fitted.is_timed:
            days = rows["time"] // DAY
            weights *= np.exp2(self._ages(rows["time"]))
        keys = rows["user"].astype(np.int64) << 32 | rows["item"]
        more = len(state.catalogue) - self._counts.shape[1]
        if more > 0:
            self._counts = np.pad(self._counts, ((0, 0), (0, more)))
        for day in np.unique(days).tolist():
            self._add_day(day, keys[days == day], weights[days == day], state, is_counted)
        for day in sorted(self._counted)[:-_DAYS]:
            del self._counted[day]

    def _add_day(
        self, day: int, keys: Int64Array, weights: Float64Array, state: State, is_counted: bool
    ) -> None:
        """Count the pairs of a user and an item on one day by what they exceed before."""
        pairs, groups = np.unique(keys, return_inverse=True)
        largest = np.zeros(len(pairs))
        np.maximum.at(largest, groups, weights)
        counted = self._counted.setdefault(day, {})
        before = np.array([counted.get(pair, 0.0) for pair in pairs.tolist()])
        largest = np.maximum(largest, before)
        if len(counted) > MAX_RECENT_ROWS:  # memory is bounded; a user may then count twice
            counted.clear()
        counted.update(zip(pairs.tolist(), largest.tolist(), strict=True))
        if not is_counted:
            return
        users, items = pairs >> 32, pairs & 0xFFFFFFFF
        np.add.at(self._counts[0], items, largest - before)
        column = state.users.columns.get(self._fitted.segment_by)
        if column is not None:
            rows = np.array(
                [self._fitted.segments.get(str(column.get(user)), 0) for user in users.tolist()]
            )
            inside = rows > 0
            np.add.at(self._counts, (rows[inside], items[inside]), (largest - before)[inside])

    def _ages(self, times: Int64Array) -> Float64Array:
        """How many half-lives after the fit's newest event each time counts as, float64 [N]."""
        days = self._fitted.half_life_days
        if not days or not len(times):
            return np.zeros(len(times))
        if self._age > MAX_AGE:  # else the numbers would leave the range of floats
            self._counts *= np.exp2(-self._age)
            self._age = 0.0
            self._counted.clear()
        ages = np.maximum(self._age - (self._newest - times) / (DAY * days), -MAX_AGE)
        later = np.flatnonzero(times > self._newest)
        if len(later):
            later = later[np.argsort(times[later], kind="stable")]
            gaps = np.diff(times[later], prepend=self._newest) / (DAY * days)
            ages[later] = self._age + np.cumsum(np.minimum(gaps, MAX_GAP))
            self._newest, self._age = int(times[later[-1]]), float(ages[later[-1]])
        return np.minimum(ages, 4 * MAX_AGE)


def normalize(counts: npt.NDArray[Any]) -> Float32Array:
    """Divide the counts of each row by their sum.

    Args:
        counts: [S, n].

    Returns:
        float32 [S, n]; NaN where nothing was counted.
    """
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    shares: Float32Array = np.where(counts > 0, counts / totals, np.nan).astype(np.float32)
    return shares


def once_a_day(interactions: Interactions, *, is_timed: bool) -> BoolArray:
    """Mark one interaction of each user with an item on a day.

    Args:
        interactions: N interactions, ordered by user and time.
        is_timed: Whether `times` are times; if not, all of them are one day.

    Returns:
        bool [N], the interaction with the largest weight, of equal ones the last.
    """
    items = interactions.items.astype(np.int64)
    keys = interactions.users * (items.max(initial=0) + 1) + items
    days = interactions.times // DAY if is_timed else np.zeros_like(keys)
    order = np.lexsort((interactions.weights, days, keys))
    keys, days = keys[order], days[order]
    is_last = np.ones(len(keys), np.bool_)
    is_last[:-1] = (keys[1:] != keys[:-1]) | (days[1:] != days[:-1])
    marked = np.zeros(len(keys), np.bool_)
    marked[order[is_last]] = True
    return marked
