"""Renders a comparison as one self-contained HTML page: conclusions, tables, plots, warnings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from plait.errors import StorageError
from plait.evaluation.protocol_checks import PROTOCOLS_WITH
from plait.evaluation.reporting.comparison_notes import (
    active_warnings,
    seed_notes,
    simultaneous_note,
)
from plait.evaluation.reporting.plot_style import to_png, to_svg
from plait.evaluation.reporting.plots import Plot, plots
from plait.evaluation.reporting.report_tables import weight_rows
from plait.evaluation.results.comparison import ComparedRow, Comparison, compare, slice_metric
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.per_query_metrics import LOWER_IS_BETTER, is_better
from plait.evaluation.results.run_store import Run
from plait.evaluation.results.undefined_metrics import (
    DASH,
    undefined_metric_notes,
    undefined_reason,
)
from plait.utils.printable_text import printable

__all__ = ["comparison_plots", "render_page", "write_pages"]

SHOWN = (
    *("ndcg", "recall", "mrr", "map", "hit_rate", "precision"),
    *("coverage", "diversity", "novelty", "gini", "popularity-lift"),
    *("rmse", "mae", "r2"),
    *("auc", "gauc", "log_loss", "ece", "known"),
)
"""Metrics of the first table, as far as a run has them."""

NEUTRAL = ("novelty", "gini", "popularity-lift", "coverage", "diversity", "known")
"""Metrics of which neither more nor less is better."""

COUNTS = ("queries", "targets", "items", "users", "interactions")


@dataclass(frozen=True, slots=True)
class _Cell:
    """A value of a table; empty where the row lacks the metric."""

    text: str = ""
    bounds: str = ""
    title: str = ""
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    baseline: bool
    cells: Sequence[_Cell]


@dataclass(frozen=True, slots=True)
class _Table:
    columns: Sequence[str]
    rows: Sequence[_Row]
    notes: Sequence[str]


def write_pages(
    runs: Sequence[Run], path: Path | None, folder: Path | None, rows: Sequence[str] = ()
) -> Comparison:
    """Compare runs and write the page, the plots, or both.

    Args:
        runs: Runs of the same protocol on the same data.
        path: The HTML file to write, if any.
        folder: Folder for the plots as PNG, if any.
        rows: Names of the rows to compare, see `compare`.

    Returns:
        The comparison.

    Raises:
        MissingExtraError: Without matplotlib.
        StorageError: If a file cannot be written.
    """
    comparison = compare(runs, rows)
    try:
        if path is not None:
            path.write_text(render_page(comparison), encoding="utf-8")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for plot in comparison_plots(comparison):
                (folder / f"{plot.name}.png").write_bytes(to_png(plot.draw))
    except OSError as problem:
        raise StorageError(f"cannot write {problem.filename}: {problem}") from problem
    return comparison


def render_page(comparison: Comparison) -> str:
    """Render a comparison as HTML.

    Args:
        comparison: The comparison.

    Returns:
        A page that loads nothing else.

    Raises:
        MissingExtraError: Without matplotlib.
    """
    report = comparison.runs[0].report
    rows = _visible_rows(comparison)
    main = slice_metric(comparison.main_metric)
    slices = dict.fromkeys(
        name
        for entry in comparison.entries
        for name in entry.row["metrics"]
        if name.startswith(f"{main}|")
    )
    labels = {row.label for row in rows}
    differences = [gap for gap in comparison.differences if gap.against in labels]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        # Of texts control characters are made visible; drawings are no plain texts and stay.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    return environment.get_template("comparison_page.html.j2").render(
        protocol=report["protocol"],
        options=_describe_options(report["protocol"]),
        counts=[f"{report['data'][name]:,} {name}" for name in COUNTS if name in report["data"]],
        runs=[run.name for run in comparison.runs],
        seed_notes=list(seed_notes(comparison)),
        best=comparison.entries[0].label,
        main_metric=comparison.main_metric,
        standing=_standing([gap for gap in differences if gap.metric == comparison.main_metric]),
        simultaneous_note=simultaneous_note(comparison) if len(comparison.entries) > 2 else "",
        conclusions=[difference.conclusion for difference in differences],
        table=_metric_table(rows, _first_columns(comparison.entries)),
        plots=[
            {"title": plot.title, "text": plot.text, "svg": _unique_ids(to_svg(plot.draw), plot)}
            for plot in comparison_plots(comparison)
        ],
        weights=[
            (f"{run.name}: {name}" if len(comparison.runs) > 1 else name, *weight_rows(weights))
            for run in comparison.runs
            for name, weights in (run.report.get("fusion") or {}).items()
        ],
        slice_metric=main,
        slice_table=_metric_table(rows, list(slices), prefix=f"{main}|") if slices else None,
        warnings=active_warnings(comparison),
        looked=max(int(run.report.get("looked") or 0) for run in comparison.runs),
    )


def comparison_plots(comparison: Comparison) -> list[Plot]:
    """Prepare the plots of a comparison.

    Args:
        comparison: The comparison.

    Returns:
        The plots that its rows have figures for.

    Raises:
        MissingExtraError: Without matplotlib.
    """
    data = comparison.runs[0].report["data"]
    return plots(_visible_rows(comparison), comparison.metrics, data)


def _describe_options(protocol: dict[str, Any]) -> list[str]:
    """The options of a protocol that are set, as "name value"."""
    options = [
        f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in protocol.items()
        if name not in ("name", "hash") and value not in (None, [], "", False)
    ]
    if protocol["name"] in PROTOCOLS_WITH["refit"] and not protocol.get("refit"):
        options.append("models fitted on train alone")
    return options


def _standing(differences: Sequence[Difference]) -> str:
    """How the best row compares with the others by the main metric."""
    undecided = [gap for gap in differences if gap.unknown]
    ties = [
        f"{gap.against}{' (within the spread of seeds)' * gap.by_seeds}"
        for gap in differences
        if gap.tie and not gap.unknown
    ]
    tied = f", tied with {_enumerate(ties)}" if ties else ""
    if undecided:
        others = _enumerate([gap.against for gap in undecided])
        reasons = ", ".join(dict.fromkeys(gap.unknown_reason for gap in undecided))
        return f"{tied}; whether it is better than {others} is unknown ({reasons})."
    return f"{tied or ', ahead of every other row'}."


def _enumerate(names: Sequence[str]) -> str:
    return " and ".join([*filter(None, [", ".join(names[:-1])]), names[-1]])


def _first_columns(entries: Sequence[ComparedRow]) -> list[str]:
    """The metrics of the first table: those without slices, each at its largest k."""
    largest: dict[str, tuple[int, str]] = {}
    for name in entries[0].row["metrics"]:
        bare, _, k = name.partition("@")
        if "|" not in name:
            largest[bare] = max(largest.get(bare, (-1, "")), (int(k or 0), name))
    return [largest[bare][1] for bare in SHOWN if bare in largest]


def _metric_table(rows: Sequence[ComparedRow], columns: Sequence[str], prefix: str = "") -> _Table:
    """Rows by metrics; without a prefix to cut from the names, also what the rows cost."""
    best = {name: _best_value(rows, name) for name in columns}
    table_rows = []
    for row in rows:
        cells = [_cell(row, name, best[name]) for name in columns]
        if not prefix:
            costs = (row.row["fit_seconds"], row.row["evaluate_seconds"])
            cells += [_Cell(f"{seconds:.1f}") for seconds in costs]
            cells.append(_Cell(f"{row.row['peak_mb']:,.0f}"))
        table_rows.append(_Row(row.label, row.baseline, cells))
    headings = [name.removeprefix(prefix) for name in columns]
    if not prefix:
        headings += ["fit s", "evaluate s", "peak MB"]
    notes = undefined_metric_notes([row.metrics for row in rows], columns)
    return _Table(headings, table_rows, list(notes))


def _best_value(rows: Sequence[ComparedRow], name: str) -> float | None:
    """The best value of a column, None where neither more nor less is better."""
    if name.partition("|")[0].partition("@")[0] in NEUTRAL:
        return None
    values = [interval.value for row in rows if (interval := row.defined_metric(name))]
    return (max if is_better(name, 1.0) else min)(values, default=None)


def _cell(row: ComparedRow, name: str, best: float | None) -> _Cell:
    interval = row.metric(name)
    if interval is None:
        return _Cell()
    if isnan(interval.value):
        return _Cell(DASH, title=undefined_reason(name))
    lower = name.partition("|")[0] in LOWER_IS_BETTER
    digits = 4 if abs(interval.value) < 1 or lower else 2
    bounds = ""
    if interval.low < interval.high:
        bounds = f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"
    return _Cell(f"{interval.value:.{digits}f}", bounds, is_best=interval.value == best)


def _visible_rows(comparison: Comparison) -> list[ComparedRow]:
    """The rows that returned lists."""
    entries = list(comparison.entries)
    if not is_better(comparison.main_metric, 1.0):
        return entries
    return [entry for entry in entries if not entry.has_no_lists] or entries


def _unique_ids(svg: str, plot: Plot) -> str:
    """A drawing whose ids do not clash with those of other drawings on the page."""
    svg = re.sub(r'\bid="', f'id="{plot.name}-', svg)
    svg = re.sub(r'href="#', f'href="#{plot.name}-', svg)
    return re.sub(r"url\(#", f"url(#{plot.name}-", svg)
