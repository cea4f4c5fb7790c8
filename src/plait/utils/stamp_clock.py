"""The time that events without a time get: a clock that jumps for a while does not count."""

from __future__ import annotations

import time
from collections.abc import Callable

from plait.utils.timestamps import DAY

__all__ = ["StampClock", "steady_micros"]

_HOLD = 600_000_000
"""After so many microseconds a clock that jumped is believed."""


def steady_micros() -> int:
    """Return microseconds since the machine started, sleep included where the system counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) // 1000


class StampClock:
    """Tells the time of the system; after a jump of more than a day, for ten minutes its own.

    Args:
        wall: The clock of the system, microseconds since 1970 UTC.
        steady: A clock that never jumps, in microseconds.
    """

    def __init__(
        self,
        wall: Callable[[], int] = lambda: time.time_ns() // 1000,
        steady: Callable[[], int] = steady_micros,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._anchor = wall(), steady()
        self._jumped_at: int | None = None

    def now(self) -> int:
        """Return the time, microseconds since 1970 UTC."""
        wall, steady = self._wall(), self._steady()
        anchor, anchored_at = self._anchor
        own = anchor + steady - anchored_at
        if abs(wall - own) > DAY:
            if self._jumped_at is None:
                self._jumped_at = steady
            if steady - self._jumped_at < _HOLD:
                return own
        self._anchor, self._jumped_at = (wall, steady), None
        return wall
