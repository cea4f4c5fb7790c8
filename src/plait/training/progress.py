"""How a run stands, in a line: loss, metric, items a second, time left."""

from __future__ import annotations

import time
from collections.abc import Callable

from plait.pipeline.fit_context import Progress

__all__ = ["ThroughputMeter"]

_EVERY = 0.2
"""Seconds from one line to the next."""


class ThroughputMeter:
    """Counts steps and items (what is learned from: targets), and tells `report` now and then.

    `clock` gives seconds.
    """

    def __init__(
        self,
        report: Progress,
        total: int,
        done: int,
        metric: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._report, self._total, self._metric = report, total, metric
        self._clock = clock
        self._began = self._told = clock()
        self._first = self._done = done
        self._items = 0.0
        self.best: float | None = None

    @property
    def items_per_second(self) -> float:
        """Since this process took the run up."""
        return self._items / max(self._clock() - self._began, 1e-9)

    def step(self, items: float, loss: float) -> None:
        """A batch of `items` is done; `loss` is the mean of the epoch so far."""
        self._done += 1
        self._items += items
        now = self._clock()
        if now - self._told >= _EVERY:
            self._told = now
            self._report(self.line(loss), self._done, self._total)

    def close(self, loss: float) -> None:
        """The run is over; what early stopping left out counts as done."""
        self._report(self.line(loss, ended=True), self._total, self._total)

    def line(self, loss: float, *, ended: bool = False) -> str:
        """`loss 6.213 · ndcg@10 0.0541 · 11,203/s · 1:20 left`."""
        parts = [f"loss {loss:.4g}"]
        if self.best is not None:
            parts.append(f"{self._metric} {self.best:.4f}")
        parts.append(f"{self.items_per_second:,.0f}/s")
        if not ended:
            took = self._clock() - self._began
            left = took / max(self._done - self._first, 1) * (self._total - self._done)
            parts.append(f"{int(left) // 60}:{int(left) % 60:02} left")
        return " · ".join(parts)
