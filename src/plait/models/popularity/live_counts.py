"""Popularity between fits: counts of the fit and of later events, with one decay.

Who counts how much is that of a fit (`robust_counts`). Exact is what lies within the newest
interactions at hand: who chose an item long before may count for it once more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.data.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from plait.data.dataset import event_type_weights
from plait.data.recent_interactions import MAX_RECENT_ROWS
from plait.data.state_view import State
from plait.models.popularity.counted_pairs import Count, CountedPairs, item_of, pair_keys, user_of
from plait.models.popularity.half_life_selection import MAX_AGE, MAX_GAP
from plait.models.popularity.robust_counts import DailyCells
from plait.utils.timestamps import DAY

__all__ = ["FittedCounts", "LiveCounts", "newest_cells", "normalize"]

_NOTHING = 1e-9
"""Smaller counts are rounding errors."""

_MANY_ROWS = 100
"""As many new rows are counted before a query asks for them."""

_LONGEST_WAIT = 0.02
"""Seconds that a query waits for another thread that counts; then it takes the counts before."""

_NO_CELLS = DailyCells(np.zeros(0, np.int32), np.zeros(0, np.int32), *np.zeros((3, 0)))


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
        unit: The weight of one user, the largest of an event type.
        n_items: How many items each user chose, up to two, int32 [n_users].
        first_days: The day of the first event of each user, int32 [n_users].
        most_newcomers: How much newcomers of a day may weigh, established users being 1.
        cell_rows: The segment of each of the newest cells, 0 for all users, int32 [C].
        cells: These cells: what items got on the newest days.
    """

    version: int
    totals: Float64Array
    newest: int
    is_timed: bool
    half_life_days: float
    event_weights: Mapping[str, float]
    segment_by: str
    segments: Mapping[str, int]
    unit: float
    n_items: Int32Array
    first_days: Int32Array
    most_newcomers: float
    cell_rows: Int32Array
    cells: DailyCells


class _Latest(NamedTuple):
    """What was counted up to the newest of some interactions."""

    recent: object
    shares: Float32Array
    counts: Float64Array


class LiveCounts:
    """Adds new interactions of a state to the counts of a fit; safe among threads.

    Args:
        fitted: What the fit left.
        shares: float32 [S + 1, n], the shares that it computed; NaN where nothing was counted.
    """

    def __init__(self, fitted: FittedCounts, shares: Float32Array) -> None:
        self._fitted, self._shares = fitted, shares
        self._fitted_counts = np.nan_to_num(shares.astype(np.float64)) * fitted.totals[:, None]
        self._lock = threading.Lock()
        self._latest: _Latest | None = None
        self._lineage: object = None
        self._reset()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy starts from the fit, as a lock cannot be copied."""
        return LiveCounts, (self._fitted, self._shares)

    def shares(self, state: State) -> Float32Array | None:
        """Compute the share of each item in all counts.

        Args:
            state: The state of the log.

        Returns:
            float32 [S + 1, n_items], NaN where nothing was counted; None: nothing is newer than the
            fit.
        """
        latest = self._newest_counts(state)
        return None if latest is None else latest.shares

    def counts(self, state: State) -> Float64Array:
        """Return the counts themselves: a new event changes no other item's.

        Args:
            state: The state of the log.

        Returns:
            float64 [n], decayed to the time of the newest event that the fit counted.
        """
        latest = self._newest_counts(state)
        return self._fitted_counts[0].copy() if latest is None else latest.counts.copy()

    def follow(self, state: State) -> None:
        """Count new interactions if they are many, so that no query does it.

        Args:
            state: The state of the log.
        """
        with self._lock:
            self._start_lineage(state)
            if state.recent.stop - self._stop >= _MANY_ROWS:
                self._count_new(state)

    def _newest_counts(self, state: State) -> _Latest | None:
        """What was counted up to a state, or shortly before while another thread counts."""
        recent, latest = state.recent, self._latest
        if latest is not None and latest.recent is recent:
            return latest
        if recent.last_offset <= self._fitted.version:
            return None
        if not self._lock.acquire(timeout=_LONGEST_WAIT):
            return latest
        try:
            self._start_lineage(state)
            if recent.stop > self._stop or self._latest is None:
                self._count_new(state)
            return self._latest
        finally:
            self._lock.release()

    def _start_lineage(self, state: State) -> None:
        """Begin anew where the interactions at hand do not continue those counted so far."""
        recent = state.recent
        if recent.lineage is not self._lineage:
            self._reset()
            self._lineage, self._stop = recent.lineage, recent.first

    def _count_new(self, state: State) -> None:
        recent = state.recent
        rows, self._stop = recent.rows(self._stop), recent.stop
        is_new = rows["offset"] > self._fitted.version
        self._add(rows[~is_new], state, is_counted=False)
        if recent.last_offset > self._fitted.version:
            self._add(rows[is_new], state)
            self._latest = _Latest(recent, normalize(self._counts), self._counts[0].copy())

    def _reset(self) -> None:
        fitted = self._fitted
        self._latest, self._stop = None, 0
        self._newest, self._age, self._dropped_age = fitted.newest, 0.0, 0.0
        self._pairs = CountedPairs(fitted.n_items, fitted.first_days)
        self._counts = self._fitted_counts.copy()
        self._cells: dict[tuple[int, int], DailyCells] = {}
        starts = np.flatnonzero(
            (np.diff(fitted.cell_rows, prepend=-1) != 0)
            | (np.diff(fitted.cells.days, prepend=-1) != 0)
        )
        for start, stop in pairwise([*starts.tolist(), len(fitted.cells)]):
            place = int(fitted.cell_rows[start]), int(fitted.cells.days[start])
            self._cells[place] = fitted.cells.take(slice(start, stop))

    def _add(self, rows: npt.NDArray[Any], state: State, *, is_counted: bool = True) -> None:
        """Count rows; without `is_counted` they are only remembered as counted by the fit."""
        fitted = self._fitted
        by_type = event_type_weights(state.event_types, fitted.event_weights)
        by_row = by_type[rows["event_type"]] if len(rows) else np.zeros(0, np.float32)
        rows, weights = rows[by_row > 0], by_row[by_row > 0].astype(np.float64)
        times = rows["time"]
        if fitted.is_timed:  # a time that cannot be would make all others old
            now = max(time.time_ns() // 1000, fitted.newest)
            times = np.where(times > now + DAY, now, times)
        days = times // DAY if fitted.is_timed else np.zeros(len(rows), np.int64)
        keys = pair_keys(rows["user"], rows["item"])
        order = np.lexsort((weights, days, keys))
        is_last = np.append(np.diff(keys[order]) != 0, np.ones(min(1, len(order)), np.bool_))
        order, first = order[is_last], days[order[np.roll(is_last, 1)]]
        if not is_counted:
            self._pairs.remember(keys[order], days[order], weights[order], first)
            return
        newcomers = self._pairs.came_with_item(keys[order], first)
        ages = self._ages(times) if fitted.is_timed else np.zeros(len(rows))
        more = len(state.catalogue) - self._counts.shape[1]
        if more > 0:
            self._counts = np.pad(self._counts, ((0, 0), (0, more)))
        by_row = np.argsort(order)
        order = order[by_row]
        column = state.users.columns.get(fitted.segment_by)
        changes: dict[tuple[int, int], list[Count]] = {}
        for key, day, weight, age, is_newcomer in zip(
            keys[order].tolist(),
            days[order].tolist(),
            weights[order].tolist(),
            (ages[order] + self._dropped_age).tolist(),
            newcomers[by_row].tolist(),
            strict=True,
        ):
            places = {0}
            if column is not None:
                places.add(fitted.segments.get(str(column.get(user_of(key))), 0))
            for count in self._pairs.count(key, day, weight, age, is_newcomer=is_newcomer):
                for place in places:
                    changes.setdefault((place, count.day), []).append(count)
        for (row, day), counts in changes.items():
            self._change_day(row, day, counts)
        self._counts[self._counts < _NOTHING] = 0

    def _change_day(self, row: int, day: int, counts: Sequence[Count]) -> None:
        """Bring the cells of a day up to date; its limit may change for all of its items."""
        before = self._cells.get((row, day), _NO_CELLS)
        mean_decay = before.decayed / np.maximum(before.counts, _NOTHING)
        decay_by_item = dict(zip(before.items.tolist(), mean_decay.tolist(), strict=True))
        items = np.array([item_of(count.pair) for count in counts], np.int64)
        added = np.array([count.amount for count in counts])
        decay = np.exp2(np.array([count.age for count in counts]) - self._dropped_age)
        unknown = np.flatnonzero(np.isnan(decay))
        decay[unknown] = [decay_by_item.get(item, 0.0) for item in items[unknown].tolist()]
        # A cell that is no longer at hand stays as the fit left it.
        added[unknown] *= decay[unknown] > 0
        after = DailyCells.of(
            np.full(len(before) + len(items), day, np.int64),
            np.concatenate([before.items, items]),
            np.concatenate([before.counts, added]),
            np.concatenate([before.decayed, added * decay]),
            np.concatenate([before.newcomers, added * [count.is_newcomer for count in counts]]),
        )
        fitted = self._fitted
        for cells, sign in ((before, -1), (after, 1)):
            amounts = (
                cells.saturated(fitted.unit, fitted.most_newcomers)
                if fitted.is_timed
                else cells.decayed
            )
            np.add.at(self._counts[row], cells.items, sign * amounts)
        self._cells[row, day] = after

    def _ages(self, times: Int64Array) -> Float64Array:
        """How many half-lives after the fit's newest event each time counts as, float64 [N]."""
        days = self._fitted.half_life_days
        if not days or not len(times):
            return np.zeros(len(times))
        if self._age > MAX_AGE:  # else the numbers would leave the range of floats
            self._counts *= np.exp2(-self._age)
            self._cells = {
                place: replace(cells, decayed=cells.decayed * np.exp2(-self._age))
                for place, cells in self._cells.items()
            }
            self._dropped_age += self._age
            self._age = 0.0
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


def newest_cells(cells: Sequence[DailyCells]) -> tuple[Int32Array, DailyCells]:
    """Choose the cells that can still change after a fit.

    Args:
        cells: Those of all users, then of each segment.

    Returns:
        The segment of each, int32 [C], and the cells: whole days, the newest that hold 2^18.
    """
    if not cells:
        return np.zeros(0, np.int32), _NO_CELLS
    days = np.sort(np.concatenate([part.days for part in cells]))
    first = days[-MAX_RECENT_ROWS] + 1 if len(days) > MAX_RECENT_ROWS else 0
    parts = [part.take(part.days >= first) for part in cells]
    rows = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts])
    columns = ("days", "items", "counts", "decayed", "newcomers")
    return rows, DailyCells(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in columns)
    )
