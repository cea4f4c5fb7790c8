"""How much memory the process held at most, between one look and the next."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["PeakMemory"]

STEP = 0.01
"""Seconds between two samples."""


class PeakMemory:
    """Samples the resident memory on a thread while it is entered.

    Where the system has no /proc, the peak since the process began stands in for it.
    """

    def __init__(self) -> None:
        self._peak = 0.0
        self._whole = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="plait-memory", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def peak(self) -> float:
        """The peak since entering, in MB (10^6 bytes)."""
        self._look()
        return self._whole

    def peak_since_last(self) -> float:
        """The peak since the last lap, in MB; the next lap begins."""
        self._look()
        with self._lock:
            peak, self._peak = self._peak, 0.0
        return peak

    def _sample(self) -> None:
        while not self._over.wait(STEP):
            self._look()

    def _look(self) -> None:
        found = _resident()
        with self._lock:
            self._peak = max(self._peak, found)
            self._whole = max(self._whole, found)


def _resident() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 1e6
    except (OSError, ValueError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
