"""A report for people: one table, then what to know before believing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from plait.evaluate.report import Difference, Report, Result
from plait.measure.bootstrap import Interval

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["notes", "print_report", "table"]

SHOWN = ("recall", "ndcg", "mrr", "hit_rate", "coverage", "novelty")
"""The metrics that fit on a screen; JSON has them all. The first two show their intervals."""

WIDEST = 140


def print_report(report: Report, console: Console | None = None) -> None:
    """The table and the notes, on stdout unless told otherwise."""
    from rich.console import Console

    out = console or Console()
    if not out.is_terminal:
        out = Console(file=out.file, width=WIDEST)
    out.print(table(report))
    for line in notes(report):
        out.print(line, soft_wrap=True, markup=False, highlight=False)


def table(report: Report) -> Table:
    """Rows by NDCG at the largest k, baselines dim; slices of the main metrics are in JSON."""
    from rich.table import Table

    k = max(report.protocol.k)
    names = [f"{name}@{k}" for name in SHOWN]
    found = Table(box=None, header_style="bold", pad_edge=False)
    found.add_column("model", no_wrap=True)
    for heading in (*names, "fit s", "evaluate s", "peak MB"):
        found.add_column(heading, justify="right", no_wrap=True)
    for one in sorted(report.results, key=lambda row: -row.metrics[f"ndcg@{k}"].value):
        style = "dim" if one.baseline else "bold" if one.model.endswith("fused") else None
        found.add_row(*_cells(one, names), style=style)
    return found


def notes(report: Report) -> Iterator[str]:
    """What was asked, what the fusion is ahead of, and every flag that is raised."""
    protocol, data = report.protocol, report.data
    settings = [f"seen {protocol.seen}", f"seed {protocol.seed}", f"goal {_listed(protocol.goal)}"]
    if protocol.test_days is not None:
        settings.insert(0, f"test {protocol.test_days:g} days")
    if protocol.refit:
        settings.insert(0, "refit")
    yield ""
    yield f"protocol {protocol.name} ({', '.join(settings)}), hash {protocol.hash}"
    yield (
        f"{data['queries']:,} queries with {data['targets']:,} targets among {data['items']:,} "
        f"items, fitted on {data['train']:,} of {data['interactions']:,} events"
    )
    if data["excluded"]:
        yield f"{data['excluded']:,} targets excluded: the user had seen them before"
    yield from map(_versus, report.paired)
    for flag in report.flags:
        if flag.raised:
            yield f"flag {flag.name}: {flag.text}"
    if report.looked:
        yield f"this test was looked at {report.looked} time{'s' * (report.looked > 1)}"


def _cells(one: Result, names: Sequence[str]) -> list[str]:
    shown = [_number(one.metrics[name], place < 2) for place, name in enumerate(names)]
    seconds = [f"{one.fit_seconds:.1f}", f"{one.evaluate_seconds:.1f}", f"{one.peak_mb:,.0f}"]
    return [one.model, *shown, *seconds]


def _number(one: Interval, with_ends: bool) -> str:
    digits = 4 if abs(one.value) < 1 else 2
    ends = f" [{one.low:.{digits}f} {one.high:.{digits}f}]" if with_ends else ""
    return f"{one.value:.{digits}f}{ends}"


def _versus(one: Difference) -> str:
    gap = one.difference
    verdict = ": a tie" if one.tie else ""
    return (
        f"{one.metric}: {one.model} - {one.against} = {gap.value:+.4f} "
        f"[{gap.low:+.4f} {gap.high:+.4f}]{verdict}"
    )


def _listed(goal: Sequence[str]) -> str:
    return ", ".join(goal) or "any"
