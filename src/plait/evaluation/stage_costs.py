"""Seconds and peak memory of the stages of one evaluated pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from plait.evaluation.results.report import FUSED
from plait.utils.peak_memory import PeakMemory

__all__ = ["StageCosts"]


@dataclass(slots=True)
class StageCosts:
    """Costs by stage, and those of the whole pipeline.

    Attributes:
        fit_seconds: Seconds of the last fit by stage.
        query_seconds: Seconds to answer all queries by row.
        stage_peak_mb: Peak memory of the last fit by stage, in MB.
        total_fit_seconds: Seconds from the first to the last fit.
        peak: Samples the memory while it is entered.
    """

    fit_seconds: dict[str, float] = field(default_factory=dict)
    query_seconds: dict[str, float] = field(default_factory=dict)
    stage_peak_mb: dict[str, float] = field(default_factory=dict)
    total_fit_seconds: float = 0.0
    peak: PeakMemory = field(default_factory=PeakMemory)

    def on_stage_fitted(self, stage: str, seconds: float) -> None:
        """Record the fit of a stage: the callback that fitting takes as `watch`.

        Args:
            stage: Name of the stage.
            seconds: Seconds that it took.
        """
        self.fit_seconds[stage] = seconds
        self.stage_peak_mb[stage] = self.peak.peak_since_last()

    def add_query_seconds(self, row: str, seconds: float) -> None:
        """Add to the seconds that answering takes.

        Args:
            row: Name of the row.
            seconds: Seconds to add.
        """
        self.query_seconds[row] = self.query_seconds.get(row, 0.0) + seconds

    @contextmanager
    def measure_queries(self, row: str) -> Iterator[None]:
        """Add the seconds of the block to those of a row.

        Args:
            row: Name of the row.

        Yields:
            Nothing.
        """
        began = time.perf_counter()
        yield
        self.add_query_seconds(row, time.perf_counter() - began)

    def fit_seconds_of(self, row: str) -> float:
        """Look up the seconds to fit a row.

        Args:
            row: Name of the row.

        Returns:
            The total for `fused`, else the seconds of the stage's last fit.
        """
        return self.total_fit_seconds if row == FUSED else self.fit_seconds.get(row, 0.0)

    def peak_mb_of(self, row: str) -> float:
        """Look up the peak memory of a row.

        Args:
            row: Name of the row.

        Returns:
            The peak in MB of the whole pipeline for `fused`, else that of the stage's fit.
        """
        whole = self.peak.peak
        return whole if row == FUSED else self.stage_peak_mb.get(row, whole)
