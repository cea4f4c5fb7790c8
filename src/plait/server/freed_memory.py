"""Gives memory that a worker has freed back to the system, whenever the worker has grown."""

from __future__ import annotations

import threading

import psutil

from plait.utils.allocator import return_free_memory

__all__ = ["FreedMemory"]

MOST_GROWTH = 16 << 20
"""Bytes of resident memory by which a worker may grow before free memory is looked for."""

PAUSE = 1.0
"""Seconds between two looks at the resident memory: giving back all the time would only cost."""


class FreedMemory:
    """Watches the resident memory of this process on a thread of its own.

    An erasure, a large request or a new bundle needs memory for a moment, which the allocator keeps
    when it is freed. A worker whose log grows is looked at again after each `most_growth` bytes, so
    that the cost is bounded by its growth.

    Args:
        most_growth: Bytes by which the memory may grow before what is free is given back.
    """

    def __init__(self, most_growth: int = MOST_GROWTH) -> None:
        self._most_growth = most_growth
        self._process = psutil.Process()
        self._least = -most_growth  # the first look always gives back
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plait-freed-memory", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        self._thread.join()

    def give_back(self) -> bool:
        """Give free memory back if the process has grown since the last time.

        Returns:
            Whether it had grown.
        """
        resident: int = self._process.memory_info().rss
        has_grown = resident > self._least + self._most_growth
        if has_grown:
            return_free_memory()
            resident = self._process.memory_info().rss
            self._least = resident
        self._least = min(self._least, resident)
        return has_grown

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            self.give_back()
