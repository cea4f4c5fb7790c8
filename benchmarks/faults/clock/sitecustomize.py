"""A clock that can be moved while a process runs: on PYTHONPATH, Python imports this at its start.

The file named by CHAOS_CLOCK_FILE holds the seconds by which `time.time` and `time.time_ns` are
wrong. It is read again twenty times a second, so that one write moves the clock of all processes.
"""

import contextlib
import os
import time
from pathlib import Path

_READ_EVERY = 0.05


class _ShiftedClock:
    """The real time plus what the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._real = time.time_ns
        self._shift, self._next = 0, 0.0

    def time_ns(self) -> int:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _READ_EVERY
            with contextlib.suppress(OSError, ValueError):  # while the file is written
                self._shift = int(float(self._path.read_text()) * 1e9)
        return self._real() + self._shift

    def time(self) -> float:
        return self.time_ns() / 1e9


if "CHAOS_CLOCK_FILE" in os.environ:
    _clock = _ShiftedClock(Path(os.environ["CHAOS_CLOCK_FILE"]))
    time.time, time.time_ns = _clock.time, _clock.time_ns
