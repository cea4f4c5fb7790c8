"""Prints reports and comparisons as text tables with notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING

from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.comparison_notes import comparison_notes
from plait.evaluation.reporting.group_table import group_tables, new_table
from plait.evaluation.results.comparison import Comparison
from plait.evaluation.results.per_query import is_better
from plait.evaluation.results.report import FUSED, Report
from plait.evaluation.results.run_store import write_json
from plait.evaluation.results.seed_variance import ONE_SEED, depends_on_seed
from plait.evaluation.results.undefined_metrics import DASH, undefined_metric_notes
from plait.metrics.bootstrap import Interval

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["print_comparison", "print_report", "report_notes", "report_table", "write_json"]

RANKING_COLUMNS = ("recall", "ndcg", "mrr", "hit_rate", "coverage", "novelty")
"""The metrics that fit on a screen; JSON has them all. The first two show their intervals."""

RATING_COLUMNS = ("rmse", "mae", "r2", "known")
CLICK_COLUMNS = ("auc", "gauc", "log_loss", "ece", "known")

ZERO = f"{0:.4f}"
"""A deviation that is zero, or too small to be printed."""

_MAX_WIDTH = 10_000
"""Wider than any table."""


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the table of a report, those of its groups, and the notes.

    Args:
        report: The report.
        console: Where to print, stdout by default.
    """
    tables = [report_table(report), *group_tables(report, _main_metric(report.protocol))]
    _print(tables, report_notes(report), console)


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
        table.add_row(entry.label, *cells, *costs, style="dim" if entry.baseline else None)
    _print([table], comparison_notes(comparison), console)


def report_table(report: Report) -> Table:
    """Tabulate the rows of a report, sorted by the deciding metric; baselines are dim.

    Rows without any list are left out; the notes name them. JSON has all slices.

    Args:
        report: The report.

    Returns:
        The table.
    """
    names, main = _columns(report.protocol), _main_metric(report.protocol)
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
        table.add_row(row.model, *cells, *costs, style=style)
    return table


def report_notes(report: Report) -> Iterator[str]:
    """Describe the queries, the differences of the fusions, and the data warnings.

    Args:
        report: The report.

    Yields:
        Lines of text.
    """
    protocol, data = report.protocol, report.data
    without_lists = [row.model for row in report.results if row.has_no_lists]
    shown = [row.metrics for row in report.results if not row.has_no_lists]
    yield ""
    if without_lists:
        yield f"left out, because they returned no list for any query: {', '.join(without_lists)}"
    yield from undefined_metric_notes(shown, _columns(protocol))
    options = ", ".join(_describe_options(protocol))
    yield f"protocol {protocol.name} ({options}), hash {protocol.hash}"
    targets = f"{data['targets']:,} targets"
    if "clicks" in data:
        targets = f"{data['targets']:,} examples, {data['clicks']:,} of them clicks,"
    yield (
        f"{data['queries']:,} queries with {targets} among {data['items']:,} "
        f"items, fitted on {data['train']:,} of {data['interactions']:,} events"
    )
    if data["excluded"]:
        yield f"{data['excluded']:,} targets excluded: the user had already seen them"
    if len(report.seeds) > 1:
        yield _describe_spread(report)
    elif report.paired and any(
        depends_on_seed(row.model, report.recipes) for row in report.results
    ):
        yield ONE_SEED
    yield from (difference.conclusion for difference in report.paired)
    for flag in report.flags:
        if flag.raised:
            yield f"flag {flag.name}: {flag.text}"
    if report.looked:
        yield f"this test has been evaluated {report.looked} time{'s' * (report.looked > 1)}"


def _print(tables: Sequence[Table], lines: Iterable[str], console: Console | None) -> None:
    """Print tables at their full width: rich would cut figures that do not fit."""
    from rich.console import Console

    out = console or Console()
    for number, table in enumerate(tables):
        width = out.measure(table, options=out.options.update(width=_MAX_WIDTH)).maximum
        wide = Console(file=out.file, width=max(width, 1), force_terminal=out.is_terminal)
        wide.print(*[""] * (number > 0), table, sep="\n")
    for line in lines:
        out.print(line, soft_wrap=True, markup=False, highlight=False)


def _columns(protocol: Protocol) -> list[str]:
    if protocol.ranks:
        return [f"{name}@{max(protocol.k)}" for name in RANKING_COLUMNS]
    return list(RATING_COLUMNS if protocol.name == "ratings" else CLICK_COLUMNS)


def _main_metric(protocol: Protocol) -> str:
    """The deciding metric."""
    return _columns(protocol)[1 if protocol.ranks else 0]


def _describe_options(protocol: Protocol) -> list[str]:
    """The options that were set, the protocol's own first."""
    is_held_out = protocol.name == "held-out-users"
    is_drawn = protocol.name == "ratings" and not protocol.test_file
    options = (
        ("refit", protocol.refit),
        (f"{protocol.windows} windows", protocol.windows > 1),
        (f"test {protocol.test_days or 0:g} days", protocol.test_days is not None),
        (f"{protocol.test_users:g} of the users", is_held_out),
        (f"{protocol.fold_in:g} folded in", is_held_out),
        (f"file {protocol.test_file}", bool(protocol.test_file)),
        (f"{protocol.draw} {protocol.test_share:g}", is_drawn),
        (f"negative {', '.join(protocol.negative)}", bool(protocol.negative)),
        (f"seen {protocol.seen}", protocol.ranks),
        (f"seed {protocol.seed}", True),
        (f"goal {', '.join(protocol.goal) or 'any'}", True),
    )
    return [text for text, is_set in options if is_set]


def _describe_spread(report: Report) -> str:
    """The standard deviation of the deciding metric between seeds, by row."""
    main = _main_metric(report.protocol)
    deviations = {
        row.model: f"{row.spread[main]:.4f}"
        for row in report.results
        if row.spread and not row.has_no_lists
    }
    parts = [
        f"{model} {deviation}"
        for model, deviation in deviations.items()
        if deviation not in ("nan", ZERO)
    ]
    if ZERO in deviations.values():
        parts.append(f"the others {ZERO}" if parts else f"{ZERO} in every row")
    return (
        f"means over {len(report.seeds)} seeds; standard deviation of {main} among them: "
        f"{', '.join(parts)}"
    )


def _format_interval(interval: Interval, *, with_bounds: bool) -> str:
    if isnan(interval.value):
        return DASH
    digits = 4 if with_bounds or abs(interval.value) < 1 else 2
    bounds = ""
    if with_bounds and not isnan(interval.low):
        bounds = f" [{interval.low:.{digits}f} {interval.high:.{digits}f}]"
    return f"{interval.value:.{digits}f}{bounds}"
