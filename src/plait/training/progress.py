"""The progress of a run in one line: loss, metric, targets a second, time left."""

from __future__ import annotations

import time
from collections.abc import Callable

from plait.pipeline.fit_context import Progress

__all__ = ["ThroughputMeter"]

_INTERVAL = 0.2
"""Seconds between two reports."""


class ThroughputMeter:
    """Counts batches and targets and reports them at intervals.

    Args:
        progress: The callback.
        total: Batches of the whole run.
        done: Batches done before, by the run that is resumed.
        metric: The name of the validation metric.
        clock: Returns seconds.
    """

    def __init__(
        self,
        progress: Progress,
        total: int,
        done: int,
        metric: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._progress, self._total, self._metric = progress, total, metric
        self._clock = clock
        self._started = self._reported = clock()
        self._resumed_at = self._done = done
        self._targets = 0.0
        self.best: float | None = None

    @property
    def targets_per_second(self) -> float:
        """Targets a second since this process started or resumed the run."""
        return self._targets / max(self._clock() - self._started, 1e-9)

    def step(self, targets: float, loss: float) -> None:
        """Count a batch.

        Args:
            targets: Its number of targets.
            loss: The mean loss of the epoch so far.
        """
        self._done += 1
        self._targets += targets
        now = self._clock()
        if now - self._reported >= _INTERVAL:
            self._reported = now
            self._progress(self.line(loss), self._done, self._total)

    def close(self, loss: float) -> None:
        """Report the end of the run; batches saved by early stopping count as done.

        Args:
            loss: The loss of the last epoch.
        """
        self._progress(self.line(loss, ended=True), self._total, self._total)

    def line(self, loss: float, *, ended: bool = False) -> str:
        """Return a line such as `loss 6.213 · ndcg@10 0.0541 · 11,203/s · 1:20 left`.

        Args:
            loss: The loss to show.
            ended: Whether the run is over, so that no time is left.
        """
        columns = [f"loss {loss:.4g}"]
        if self.best is not None:
            columns.append(f"{self._metric} {self.best:.4f}")
        columns.append(f"{self.targets_per_second:,.0f}/s")
        if not ended:
            elapsed = self._clock() - self._started
            per_batch = elapsed / max(self._done - self._resumed_at, 1)
            left = int(per_batch * (self._total - self._done))
            columns.append(f"{left // 60}:{left % 60:02} left")
        return " · ".join(columns)
