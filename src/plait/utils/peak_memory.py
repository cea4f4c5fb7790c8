"""Measures the peak of the resident memory."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil

__all__ = ["PeakMemory"]

INTERVAL = 0.01
"""Seconds between two samples."""


class PeakMemory:
    """Samples the resident memory of the process on a thread while it is entered."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._recent = 0.0
        self._peak = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plait-memory", daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def peak(self) -> float:
        """The peak since entering, in MB (10^6 bytes)."""
        self._sample()
        return self._peak

    def peak_since_last(self) -> float:
        """Return the peak since the previous call, or since entering.

        Returns:
            MB (10^6 bytes).
        """
        self._sample()
        with self._lock:
            peak, self._recent = self._recent, 0.0
        return peak

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        resident = self._process.memory_info().rss / 1e6
        with self._lock:
            self._recent = max(self._recent, resident)
            self._peak = max(self._peak, resident)
