"""The report of an evaluation, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import DataWarning
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.per_query import PerQueryMetrics
from plait.metrics.bootstrap import Interval

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FUSED", "Report", "Result", "has_no_lists"]

FUSED = "fused"
"""The row of the whole recipe."""


def has_no_lists(metrics: Mapping[str, Interval]) -> bool:
    """Tell whether a model returned no list for any query.

    Args:
        metrics: Metrics of its row by name.

    Returns:
        True if the row has a coverage and it is 0 at every k.
    """
    coverages = [value.value for name, value in metrics.items() if name.startswith("coverage@")]
    return bool(coverages) and not any(coverages)


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the report.

    Attributes:
        model: Name of the row.
        baseline: Whether the row is a baseline.
        fit_seconds: Seconds to fit.
        evaluate_seconds: Seconds to answer all queries.
        peak_mb: Peak memory in MB (10^6 bytes).
        metrics: Metrics by name, slices as "recall@10|new-items".
        spread: Standard deviation between seeds by metric, empty for a single seed.
    """

    model: str
    baseline: bool
    fit_seconds: float
    evaluate_seconds: float
    peak_mb: float
    metrics: Mapping[str, Interval]
    spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_no_lists(self) -> bool:
        """Whether the model returned no list for any query, as a text model without texts."""
        return has_no_lists(self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON holds it."""
        row: dict[str, Any] = {
            "model": self.model,
            "baseline": self.baseline,
            "fit_seconds": round(self.fit_seconds, 4),
            "evaluate_seconds": round(self.evaluate_seconds, 4),
            "peak_mb": round(self.peak_mb, 1),
            "metrics": {name: interval.to_dict() for name, interval in self.metrics.items()},
        }
        if self.spread:
            row["spread"] = {
                name: None if math.isnan(deviation) else deviation
                for name, deviation in self.spread.items()
            }
        return row


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The result of an evaluation.

    Attributes:
        protocol: The resolved protocol.
        results: The rows of models and baselines.
        paired: Differences of each fusion to the best other row and to the first fusion.
        flags: Warnings about the data.
        data: Counts and identity of the data.
        looked: How often the test of this protocol was evaluated, this evaluation included; 0
            where no history is kept.
        seeds: Seeds of the fits.
        recipes: Recipes by name, as data.
        run: Id of the run, the folder in which a home stores it.
        detail: Per-query metrics, which a comparison with another run needs.
    """

    protocol: Protocol
    results: Sequence[Result]
    paired: Sequence[Difference] = ()
    flags: Sequence[DataWarning] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    looked: int = 0
    seeds: tuple[int, ...] = ()
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    run: str = ""
    detail: PerQueryMetrics | None = None

    def __repr__(self) -> str:
        rows = ", ".join(row.model for row in self.results)
        return f"Report({self.protocol.name}, hash {self.protocol.hash}: {rows})"

    def __str__(self) -> str:
        """The tables and notes that `plait evaluate` prints."""
        from plait.evaluation.reporting.table import report_text

        return report_text(self)

    def to_frame(self) -> pl.DataFrame:
        """Return every metric of every row.

        Returns:
            A polars frame with the columns model, baseline, metric, value, low and high.
        """
        import polars as pl

        cells = [
            {"model": row.model, "baseline": row.baseline, "metric": name, **interval._asdict()}
            for row in self.results
            for name, interval in row.metrics.items()
        ]
        return pl.DataFrame(cells)

    def result(self, model: str) -> Result:
        """Look up a row.

        Args:
            model: Name of the row.

        Returns:
            The row.

        Raises:
            KeyError: If there is no such row; the message lists the rows.
        """
        for row in self.results:
            if row.model == model:
                return row
        raise KeyError(f"no row {model!r}; there are {[row.model for row in self.results]}")

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `plait evaluate --json` writes."""
        return {
            "protocol": {**self.protocol.to_dict(), "hash": self.protocol.hash},
            "results": [row.to_dict() for row in self.results],
            "paired": [difference.to_dict() for difference in self.paired],
            "flags": [flag.to_dict() for flag in self.flags],
            "data": dict(self.data),
            "excluded": self.data.get("excluded", 0),
            "looked": self.looked,
            "seeds": list(self.seeds),
            "recipes": dict(self.recipes),
            "run": self.run,
        }
