"""A report for people: one table, then what to know before believing it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.errors import StorageError
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.group_table import group_tables
from plait.evaluation.results import comparison
from plait.evaluation.results.comparison import Comparison
from plait.evaluation.results.per_query import better
from plait.evaluation.results.report import Difference, Report, Result
from plait.evaluation.results.seed_variance import ONE_SEED, seeded
from plait.evaluation.results.undefined_metrics import DASH, ends_of, undefined_metric_notes
from plait.metrics.bootstrap import Interval

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["notes", "print_comparison", "print_report", "table", "write_json"]

SHOWN = ("recall", "ndcg", "mrr", "hit_rate", "coverage", "novelty")
"""The metrics that fit on a screen; JSON has them all. The first two show their intervals."""

RATED = ("rmse", "mae", "r2", "known")
CLICKED = ("auc", "gauc", "log_loss", "ece", "known")

ZERO = f"{0:.4f}"
"""A deviation that is none, or too small to be printed."""

_WIDE = 10_000
"""Wider than any table."""


def print_report(report: Report, console: Console | None = None) -> None:
    """The table, those of groups, and the notes, on stdout unless told otherwise."""
    _print([table(report), *group_tables(report, _main(report.protocol))], notes(report), console)


def print_comparison(found: Comparison, console: Console | None = None) -> None:
    """Rows of several runs with the metrics that decide, and the verdicts."""
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("row", no_wrap=True)
    for heading in (*found.metrics, "fit s", "peak MB"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for one in found.entries:
        cells = [one.metric(name) for name in found.metrics]
        numbers = ["" if cell is None else _number(cell, with_ends=True) for cell in cells]
        costs = (f"{one.row['fit_seconds']:.1f}", f"{one.row['peak_mb']:,.0f}")
        shown.add_row(one.label, *numbers, *costs, style="dim" if one.baseline else None)
    _print([shown], comparison.notes(found), console)


def table(report: Report) -> Table:
    """Rows by the metric that decides, baselines dim; slices of the main metrics are in JSON.

    Strands that had no list for anybody are left out: the notes name them.
    """
    from rich.table import Table

    names = _columns(report.protocol)
    found = Table(box=None, header_style="bold", pad_edge=False)
    found.add_column("model", no_wrap=True)
    for heading in (*names, "fit s", "evaluate s", "peak MB"):
        found.add_column(heading, justify="right", no_wrap=True)
    main = _main(report.protocol)
    sign = -1 if better(main, 1.0) else 1
    rows = [one for one in report.results if not one.silent]
    for one in sorted(rows, key=lambda row: sign * row.metrics[main].value):
        style = "dim" if one.baseline else "bold" if one.model.endswith("fused") else None
        found.add_row(*_cells(one, names), style=style)
    return found


def notes(report: Report) -> Iterator[str]:
    """What was asked, what the fusion is ahead of, and every flag that is raised."""
    protocol, data = report.protocol, report.data
    silent = [one.model for one in report.results if one.silent]
    yield ""
    if silent:
        yield f"left out, because they had no list for anybody: {', '.join(silent)}"
    shown = [one.metrics for one in report.results if not one.silent]
    yield from undefined_metric_notes(shown, _columns(protocol))
    yield f"protocol {protocol.name} ({', '.join(_settings(protocol))}), hash {protocol.hash}"
    targets = f"{data['targets']:,} targets"
    if "clicks" in data:
        targets = f"{data['targets']:,} examples, {data['clicks']:,} of them clicks,"
    yield (
        f"{data['queries']:,} queries with {targets} among {data['items']:,} "
        f"items, fitted on {data['train']:,} of {data['interactions']:,} events"
    )
    if data["excluded"]:
        yield f"{data['excluded']:,} targets excluded: the user had seen them before"
    if len(report.seeds) > 1:
        yield from _spread(report)
    elif report.paired and any(seeded(one.model, report.recipes) for one in report.results):
        yield ONE_SEED
    yield from map(_versus, report.paired)
    for flag in report.flags:
        if flag.raised:
            yield f"flag {flag.name}: {flag.text}"
    if report.looked:
        yield f"this test was looked at {report.looked} time{'s' * (report.looked > 1)}"


def write_json(path: Path, found: Mapping[str, Any]) -> None:
    """One JSON document. Raises StorageError if it cannot be written."""
    try:
        text = json.dumps(found, indent=1, ensure_ascii=False, default=str)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem}") from problem


def _print(shown: Sequence[Table], lines: Iterator[str], console: Console | None) -> None:
    from rich.console import Console

    out = console or Console()
    for place, one in enumerate(shown):
        # As wide as it is: where a figure does not fit, rich would cut its end off.
        width = out.measure(one, options=out.options.update(width=_WIDE)).maximum
        wide = Console(file=out.file, width=max(width, 1), force_terminal=out.is_terminal)
        wide.print(*[""] * (place > 0), one, sep="\n")
    for line in lines:
        out.print(line, soft_wrap=True, markup=False, highlight=False)


def _columns(protocol: Protocol) -> list[str]:
    if protocol.ranks:
        return [f"{name}@{max(protocol.k)}" for name in SHOWN]
    return list(RATED if protocol.name == "ratings" else CLICKED)


def _main(protocol: Protocol) -> str:
    """The metric that decides."""
    return _columns(protocol)[1 if protocol.ranks else 0]


def _settings(protocol: Protocol) -> list[str]:
    """What was chosen, the protocol's own options first."""
    own = [
        ("refit", protocol.refit),
        (f"{protocol.windows} windows", protocol.windows > 1),
        (f"test {protocol.test_days or 0:g} days", protocol.test_days is not None),
        (f"{protocol.test_users:g} of the users", protocol.name == "held-out-users"),
        (f"{protocol.fold_in:g} folded in", protocol.name == "held-out-users"),
        (f"file {protocol.test_file}", bool(protocol.test_file)),
        (
            f"{protocol.draw} {protocol.test_share:g}",
            protocol.name == "ratings" and not protocol.test_file,
        ),
        (f"negative {_listed(protocol.negative)}", bool(protocol.negative)),
        (f"seen {protocol.seen}", protocol.ranks),
    ]
    said = [text for text, there in own if there]
    return [*said, f"seed {protocol.seed}", f"goal {_listed(protocol.goal)}"]


def _spread(report: Report) -> Iterator[str]:
    """How far seeds lie apart, by the metric that decides."""
    main = _main(report.protocol)
    rows = [one for one in report.results if not one.silent]
    told = [(one.model, f"{one.spread[main]:.4f}") for one in rows if one.spread]
    parts = [f"{model} {apart}" for model, apart in told if apart not in ("nan", ZERO)]
    rest = f"the others {ZERO}" if parts else f"{ZERO} in every row"
    yield (
        f"means over {len(report.seeds)} seeds; standard deviation of {main} among them: "
        f"{', '.join([*parts, *([rest] if any(apart == ZERO for _, apart in told) else [])])}"
    )


def _cells(one: Result, names: Sequence[str]) -> list[str]:
    shown = [_number(one.metrics[name], with_ends=place < 2) for place, name in enumerate(names)]
    seconds = [f"{one.fit_seconds:.1f}", f"{one.evaluate_seconds:.1f}", f"{one.peak_mb:,.0f}"]
    return [one.model, *shown, *seconds]


def _number(one: Interval, *, with_ends: bool) -> str:
    if isnan(one.value):
        return DASH
    digits = 4 if with_ends or abs(one.value) < 1 else 2
    known = with_ends and not isnan(one.low)
    ends = f" [{one.low:.{digits}f} {one.high:.{digits}f}]" if known else ""
    return f"{one.value:.{digits}f}{ends}"


def _versus(one: Difference) -> str:
    gap = one.difference
    verdict = f": unknown, {one.doubt}" if one.unknown else ": a tie" if one.tie else ""
    if one.by_seeds:
        verdict += f" within the spread of seeds, which alone may make {one.seed_margin:.4f}"
    return f"{one.metric}: {one.model} - {one.against} = {gap.value:+.4f}{ends_of(gap)}{verdict}"


def _listed(goal: Sequence[str]) -> str:
    return ", ".join(goal) or "any"
