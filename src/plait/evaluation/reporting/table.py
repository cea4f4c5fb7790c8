"""Prints reports and comparisons as text tables with notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from typing import TYPE_CHECKING

from plait.evaluation.reporting.cold_start_table import cold_start_table
from plait.evaluation.reporting.comparison_notes import comparison_notes
from plait.evaluation.reporting.group_table import group_tables, new_table, text_cell
from plait.evaluation.reporting.metric_columns import main_metric, metric_columns
from plait.evaluation.reporting.report_notes import report_notes
from plait.evaluation.reporting.report_tables import cutoff_table, weight_tables
from plait.evaluation.results.comparison import Comparison
from plait.evaluation.results.per_query_metrics import is_better
from plait.evaluation.results.report import FUSED, Report
from plait.evaluation.results.run_store import write_json
from plait.evaluation.results.undefined_metrics import DASH
from plait.metrics.bootstrap import Interval
from plait.utils.printable_text import printable_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["print_comparison", "print_report", "report_table", "report_text", "write_json"]


_TEXT_WIDTH = 120

_MAX_WIDTH = 10_000
"""Wider than any table."""


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the tables of a report: rows, other k, groups, weights of the fusion; and the notes.

    Args:
        report: The report.
        console: Where to print, stdout by default.
    """
    tables = [
        report_table(report),
        *cutoff_table(report),
        *cold_start_table(report),
        *group_tables(report, main_metric(report.protocol)),
        *weight_tables(report),
    ]
    _print(tables, report_notes(report), console)


def report_text(report: Report) -> str:
    """Return what `print_report` prints, as text without colours.

    Args:
        report: The report.
    """
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    print_report(report, Console(file=out, width=_TEXT_WIDTH))
    return out.getvalue().rstrip()


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print the compared rows with the deciding metrics, and the conclusions.

    Args:
        comparison: The comparison.
        console: Where to print, stdout by default.
    """
    table = new_table("row", *comparison.metrics, "fit s", "peak MB")
    for entry in comparison.entries:
        intervals = [entry.metric(name) for name in comparison.metrics]
        cells = [
            "" if interval is None else _format_interval(interval, with_bounds=True)
            for interval in intervals
        ]
        costs = (f"{entry.row['fit_seconds']:.1f}", f"{entry.row['peak_mb']:,.0f}")
        table.add_row(
            text_cell(entry.label), *cells, *costs, style="dim" if entry.baseline else None
        )
    _print([table], comparison_notes(comparison), console)


def report_table(report: Report) -> Table:
    """Tabulate the rows of a report, sorted by the deciding metric; baselines are dim.

    Rows without any list are left out; the notes name them. JSON has all slices.

    Args:
        report: The report.

    Returns:
        The table.
    """
    main = main_metric(report.protocol)
    names = [*metric_columns(report.protocol), *report.own_metrics]
    table = new_table("model", *names, "fit s", "evaluate s", "peak MB")
    sign = -1 if is_better(main, 1.0) else 1
    rows = [row for row in report.results if not row.has_no_lists]
    for row in sorted(rows, key=lambda row: sign * row.metrics[main].value):
        cells = [
            _format_interval(row.metrics[name], with_bounds=column < 2)
            for column, name in enumerate(names)
        ]
        costs = (f"{row.fit_seconds:.1f}", f"{row.evaluate_seconds:.1f}", f"{row.peak_mb:,.0f}")
        style = "dim" if row.baseline else "bold" if row.model.endswith(FUSED) else None
        table.add_row(text_cell(row.model), *cells, *costs, style=style)
    return table


def _print(tables: Sequence[Table], lines: Iterable[str], console: Console | None) -> None:
    """Print tables at their full width: rich would cut figures that do not fit."""
    from rich.console import Console

    out = console or Console()
    for number, table in enumerate(tables):
        width = out.measure(table, options=out.options.update(width=_MAX_WIDTH)).maximum
        wide = Console(file=out.file, width=max(width, 1), force_terminal=out.is_terminal)
        wide.print(*[""] * (number > 0), table, sep="\n")
    for line in lines:
        out.print(printable_line(line), soft_wrap=True, markup=False, highlight=False, emoji=False)


def _format_interval(interval: Interval, *, with_bounds: bool) -> str:
    if isnan(interval.value):
        return DASH
    digits = 4 if with_bounds or abs(interval.value) < 1 else 2
    bounds = ""
    if with_bounds and not isnan(interval.low):
        bounds = f" [{interval.low:.{digits}f} {interval.high:.{digits}f}]"
    return f"{interval.value:.{digits}f}{bounds}"
