"""The newest interactions in the order of the log: the input of counts between fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.array_types import Int16Array, Int32Array, Int64Array

__all__ = ["MAX_RECENT_ROWS", "RecentInteractions"]

MAX_RECENT_ROWS = 1 << 18
"""How many of the newest interactions are at hand."""

_FIRST_SIZE = 1024
_ROW = np.dtype(
    [("offset", "i8"), ("user", "i4"), ("item", "i4"), ("event_type", "i2"), ("time", "i8")]
)


def _is_used() -> list[int]:
    return [0]


@dataclass(frozen=True, slots=True, eq=False)
class RecentInteractions:
    """`MAX_RECENT_ROWS` interactions or more; appending is cheap, and versions share memory.

    Attributes:
        buffer: The rows, with room behind them that a later version may have filled.
        first: The index of the first row of the buffer, counted since the lineage began.
        stop: The index after the last row of this version.
        lineage: The same object in all versions that only had rows appended.
        n_filled: How many rows of the buffer are taken, shared by all versions with this buffer.
    """

    buffer: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, _ROW))
    first: int = 0
    stop: int = 0
    lineage: object = field(default_factory=object)
    n_filled: list[int] = field(default_factory=_is_used)

    def __len__(self) -> int:
        return self.stop - self.first

    @property
    def last_offset(self) -> int:
        """The offset of the newest row, -1 without rows."""
        return int(self.buffer["offset"][len(self) - 1]) if len(self) else -1

    def rows(self, start: int = 0) -> npt.NDArray[Any]:
        """Read rows.

        Args:
            start: The index of the first row to read.

        Returns:
            Records with `offset`, `user`, `item`, `event_type` and `time` (what a history is
            ordered by): those from `start` on that are still at hand.
        """
        return self.buffer[max(start - self.first, 0) : len(self)]

    def with_rows(
        self,
        offsets: Int64Array,
        users: Int32Array,
        items: Int32Array,
        event_types: Int16Array,
        times: Int64Array,
    ) -> RecentInteractions:
        """Append interactions.

        Args:
            offsets: int64 [N], their places in the log.
            users: int32 [N].
            items: int32 [N].
            event_types: int16 [N].
            times: int64 [N].

        Returns:
            The version that holds them too, and the oldest no longer where there are too many.
        """
        size, more = self.stop - self.first, len(offsets)
        if not more:
            return self
        buffer, first, n_filled = self.buffer, self.first, self.n_filled
        if size + more > len(buffer) or n_filled[0] != size:
            stays = min(size, MAX_RECENT_ROWS)
            buffer = np.zeros(max(_FIRST_SIZE, 2 * (stays + more)), _ROW)
            buffer[:stays] = self.buffer[size - stays : size]
            first, size, n_filled = self.stop - stays, stays, _is_used()
        target = buffer[size : size + more]
        for name, column in zip(
            _ROW.names or (), (offsets, users, items, event_types, times), strict=True
        ):
            target[name] = column
        n_filled[0] = size + more
        return RecentInteractions(buffer, first, self.stop + more, self.lineage, n_filled)

    def without_users(self, users: set[int]) -> RecentInteractions:
        """Remove users.

        Args:
            users: User numbers.

        Returns:
            The version without their rows, of a new lineage.
        """
        rows = self.rows()
        rows = rows[~np.isin(rows["user"], np.fromiter(users, np.int32, len(users)))]
        return RecentInteractions(rows, 0, len(rows), n_filled=[len(rows)])
