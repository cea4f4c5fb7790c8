"""The report of an evaluation, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plait.errors import InputError
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import DataWarning
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.per_query_metrics import PerQueryMetrics
from plait.evaluation.results.query_lists import QueryLists
from plait.metrics.bootstrap import Interval

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

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
        fusion: The weights of the fusion by recipe, with seed and window where there are several.
        own_metrics: The names of one's own metrics.
        lists: The lists of every query; None where none are measured, or they are too many.
        again: Measures the same fits by other options; None unless they were kept.
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
    fusion: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    own_metrics: tuple[str, ...] = ()
    lists: QueryLists | None = None
    again: Callable[[Mapping[str, Any]], Report] | None = None

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

    def per_user(self, model: str = FUSED) -> pl.DataFrame:
        """Return the list, the targets and all metrics of every query of a row.

        Args:
            model: Name of the row.

        Returns:
            A polars frame: user, window (under several windows), items and targets (lists of ids),
            and one column for each metric.

        Raises:
            InputError: If there is no such row, the protocol measures no lists, or they are more
                than a report keeps (50 million items).
        """
        if self.lists is None:
            raise InputError(
                "this report has no lists",
                hint="protocols that rank have them, with a smaller k or fewer rows"
                if self.protocol.ranks
                else f"the protocol {self.protocol.name} measures none",
                field="model",
            )
        return self.lists.to_frame(model)

    def weights(self) -> pl.DataFrame:
        """Return the weights that the fusions learned.

        Returns:
            A polars frame: recipe (with seed and window where there are several), history_from
            (the least length of a history in the band), queries, model and weight; no rows where
            no fusion learned.
        """
        import polars as pl

        cells = [
            (name, band["history_from"], band["queries"], model, weight)
            for name, weights in self.fusion.items()
            for band in weights.get("bands", ())
            for model, weight in band["weights"].items()
        ]
        schema = {
            "recipe": pl.String,
            "history_from": pl.Int64,
            "queries": pl.Int64,
            "model": pl.String,
            "weight": pl.Float64,
        }
        return pl.DataFrame(cells, schema=schema, orient="row")

    def plot(self, name: str = "accuracy") -> Figure:
        """Draw the rows side by side.

        Args:
            name: "accuracy"; or, where the report has them, the slices "history", "popularity",
                "age" and "window", the costs "cost-seconds" and "cost-memory", "exposure" and
                "calibration".

        Returns:
            A matplotlib figure, which a notebook shows; `savefig` writes it to a file.

        Raises:
            MissingExtraError: Without matplotlib.
            InputError: If the report has no such plot.
        """
        from plait.evaluation.reporting.report_figure import report_figure

        return report_figure(self, name)

    def measure(self, **options: Any) -> Report:
        """Measure the same fitted models by other options; nothing is fitted.

        The weights of the fusion stay as they were learned.

        Args:
            options: `k`, `seen`, `group`, `group_by`, `candidates`, `resamples` and `metrics`, as
                of the evaluation; others stay as they were.

        Returns:
            Another report.

        Raises:
            InputError: If the fits were not kept, or an option decides what is fitted.
        """
        if self.again is None:
            raise InputError(
                "the fitted models of this report were not kept",
                hint="evaluate with keep_fits=True",
                field="keep_fits",
            )
        return self.again(options)

    def compare(self, *rows: str) -> Sequence[Difference]:
        """Compare rows query by query, as `plait compare` does.

        Args:
            rows: Names of rows, with or without their recipe; none: all rows that returned lists.

        Returns:
            The best row less each other row, a paired difference for every metric. With more than
            two rows their intervals hold for all pairs at once.

        Raises:
            InputError: If there is no such row, less than two, or the report has no values of
                queries.
        """
        from plait.evaluation.results.comparison import compare
        from plait.evaluation.results.run_store import Run

        if self.detail is None:
            hint = "evaluate again: reports that were read from JSON have none"
            raise InputError("this report has no values of queries", hint=hint, field="rows")
        run = Run(self.run or "this report", self.to_dict(), self.detail)
        return compare([run], rows).differences

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
            **({"fusion": dict(self.fusion)} if self.fusion else {}),
        }
