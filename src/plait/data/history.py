"""Histories of users as parallel arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from plait.data.array_types import (
    ABSENT,
    BoolArray,
    Float32Array,
    Int16Array,
    Int32Array,
    Int64Array,
)
from plait.data.ragged import Ragged, index_ranges, offsets_of

__all__ = ["History"]


@dataclass(frozen=True, eq=False)
class History:
    """The histories of B users, N events in all, oldest first.

    Derived arrays are cached, because every model of a pipeline needs them.

    Attributes:
        offsets: int64 [B + 1]; history i has the events `offsets[i]` to `offsets[i + 1]`.
        items: int32 [N], item numbers.
        times: int64 [N], microseconds since 1970 UTC, or positions.
        weights: float32 [N], the weights of the event types.
        event_types: int16 [N], the numbers of the event types in the state (`State.event_types`),
            -1 where there is none; None: not known.
    """

    offsets: Int64Array
    items: Int32Array
    times: Int64Array
    weights: Float32Array
    event_types: Int16Array | None = None

    @staticmethod
    def empty(batch: int) -> History:
        """Return histories without events.

        Args:
            batch: B, the number of histories.

        Returns:
            B empty histories.
        """
        nothing = np.zeros(0, np.int64)
        offsets = np.zeros(batch + 1, np.int64)
        return History(offsets, nothing.astype(np.int32), nothing, nothing.astype(np.float32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def cache(self) -> dict[Any, Any]:
        """A cache in which stages keep what they computed from these events alone, by key."""
        return {}

    @cached_property
    def lengths(self) -> Int64Array:
        """int64 [B]: the number of events of each history."""
        return np.diff(self.offsets)

    @cached_property
    def rows(self) -> Int64Array:
        """int64 [N]: the history, 0..B-1, of every event."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def event_age(self) -> Int64Array:
        """int64 [N]: how many events of its history are newer; 0 for the newest."""
        return np.repeat(self.offsets[1:], self.lengths) - 1 - np.arange(len(self.items))

    @cached_property
    def basket_age(self) -> Int64Array:
        """int64 [N]: how many baskets of its history are newer; 0 for the newest.

        The events of one history with the same time are one basket.
        """
        count = len(self.items)
        if not count:
            return np.zeros(0, np.int64)
        last = np.zeros(count, np.bool_)
        last[self.offsets[1:][self.lengths > 0] - 1] = True
        moves = np.ones(count, np.int64)  # 1 where the next event of the same history is later
        moves[:-1] = self.times[1:] != self.times[:-1]
        moves[last] = 0
        after = np.cumsum(moves[::-1])[::-1]
        ends = np.repeat(after[np.maximum(self.offsets[1:] - 1, 0)], self.lengths)
        return after - ends

    @property
    def ragged(self) -> Ragged:
        """The item numbers alone."""
        return Ragged(self.items, self.offsets)

    def filter(self, mask: BoolArray) -> History:
        """Select events; all B histories stay.

        Args:
            mask: bool [N], the events to keep.

        Returns:
            B histories with the selected events.
        """
        counts = np.bincount(self.rows[mask], minlength=len(self))
        items = Ragged.from_lengths(self.items[mask], counts)
        types = None if self.event_types is None else self.event_types[mask]
        return History(items.offsets, items.values, self.times[mask], self.weights[mask], types)

    def take(self, rows: Int64Array) -> History:
        """Select histories.

        Args:
            rows: int64 [R], their numbers in any order.

        Returns:
            R histories.
        """
        counts = self.lengths[rows]
        events = index_ranges(self.offsets[rows], counts)
        types = None if self.event_types is None else self.event_types[events]
        return History(
            offsets_of(counts), self.items[events], self.times[events], self.weights[events], types
        )

    def followed_by(self, items: Ragged, times: Int64Array) -> History:
        """Append items, the last one at the time of the query, the others each a moment earlier.

        Args:
            items: The items of B rows, oldest first; each counts with weight 1.
            times: int64 [B], when each query is made, microseconds since 1970 UTC.

        Returns:
            B histories.
        """
        later = History(items.offsets, items.values, times[:0], np.zeros(0, np.float32))
        rows = np.concatenate([self.rows, items.rows])
        order = np.argsort(rows, kind="stable")
        # One moment apart from each other, so that a list is not taken for one basket.
        later_times = times[items.rows] - later.event_age
        later_weights = np.ones(len(items.values), np.float32)
        types = self.event_types
        if types is not None:
            later_types = np.full(len(items.values), ABSENT, np.int16)
            types = np.concatenate([types, later_types])[order]
        return History(
            self.offsets + items.offsets,
            np.concatenate([self.items, items.values])[order],
            np.concatenate([self.times, later_times])[order],
            np.concatenate([self.weights, later_weights])[order],
            types,
        )

    def slice(self, start: int, stop: int) -> History:
        """Select consecutive histories.

        Args:
            start: The first history.
            stop: The one after the last.

        Returns:
            `stop` - `start` histories.
        """
        low, high = self.offsets[start], self.offsets[stop]
        return History(
            self.offsets[start : stop + 1] - low,
            self.items[low:high],
            self.times[low:high],
            self.weights[low:high],
            None if self.event_types is None else self.event_types[low:high],
        )
