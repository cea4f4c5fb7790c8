"""What users did, as parallel arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from plait.data.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.ragged import Ragged

__all__ = ["History"]


@dataclass(frozen=True, eq=False)
class History:
    """What B users did, oldest first: parallel arrays of N events and `offsets` int64 [B + 1].

    What is derived from them is kept: every strand asks for it again.
    """

    offsets: Int64Array
    items: Int32Array
    times: Int64Array
    weights: Float32Array

    @staticmethod
    def empty(batch: int) -> History:
        """B histories in which nothing happened."""
        return History(
            np.zeros(batch + 1, np.int64),
            np.zeros(0, np.int32),
            np.zeros(0, np.int64),
            np.zeros(0, np.float32),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def cache(self) -> dict[Any, Any]:
        """Room where stages keep what they computed from these events alone, each by its key."""
        return {}

    @cached_property
    def lengths(self) -> Int64Array:
        """How many events each of the B histories has."""
        return np.diff(self.offsets)

    @cached_property
    def rows(self) -> Int64Array:
        """The query, 0..B-1, of every one of the N events."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def event_age(self) -> Int64Array:
        """How many events each event lies before the newest of its history: 0 is the newest."""
        return np.repeat(self.offsets[1:], self.lengths) - 1 - np.arange(len(self.items))

    @cached_property
    def basket_age(self) -> Int64Array:
        """How many moments each event lies before the newest of its history: 0 is the newest.

        Events of one history with the same time are one basket; int64 [N].
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
        """The items alone."""
        return Ragged(self.items, self.offsets)

    def filter(self, mask: BoolArray) -> History:
        """The events where `mask` [N] holds; all B rows stay."""
        counts = np.bincount(self.rows[mask], minlength=len(self))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return History(offsets, self.items[mask], self.times[mask], self.weights[mask])

    def slice(self, start: int, stop: int) -> History:
        """The histories of the queries `start`..`stop`."""
        low, high = self.offsets[start], self.offsets[stop]
        return History(
            self.offsets[start : stop + 1] - low,
            self.items[low:high],
            self.times[low:high],
            self.weights[low:high],
        )
