"""What `--group` asked for, as a short table: whom lists show, and how good they are for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from plait.evaluation.results.report import FUSED, Report, Result
from plait.evaluation.results.undefined_metrics import DASH

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["group_tables"]


def group_tables(report: Report, main: str) -> Iterator[Table]:
    """A table of exposure by values of an item field, and one of `main` by those of a user field.

    Fusions and baselines alone, as columns; JSON has the strands too. None without a group.
    """
    rows = [
        one
        for one in report.results
        if not one.silent and (one.baseline or one.model.rpartition("/")[2] == FUSED)
    ]
    shares: Mapping[str, Mapping[str, float]] = report.data.get("group", {}).get("shares", {})
    if shares:
        field, metric = report.data["group"]["field"], f"exposure@{max(report.protocol.k)}"
        found = _empty(f"{metric} by {field}", ("items", "events"), rows)
        for value, part in shares.items():
            own = (f"{part['items']:.3f}", f"{part['events']:.3f}")
            found.add_row(value, *own, *(_cell(one, f"{metric}|{value}", 3) for one in rows))
        yield found
    sizes = _asked(report.data, rows, main)
    if sizes:
        field = next(iter(sizes)).partition("=")[0]
        found = _empty(f"{main} by {field}", ("queries",), rows)
        for name, size in sizes.items():
            cells = (_cell(one, f"{main}|{name}", 4) for one in rows)
            found.add_row(name.partition("=")[2], f"{size:,}", *cells)
        yield found


def _asked(data: Mapping[str, Any], rows: list[Result], main: str) -> dict[str, int]:
    """How many queries each value of a user field has: the slices that are called FIELD=VALUE."""
    slices: Mapping[str, int] = data.get("slices", {})
    there = {name for one in rows for name in one.metrics}
    return {
        name: size for name, size in slices.items() if "=" in name and f"{main}|{name}" in there
    }


def _empty(title: str, sizes: tuple[str, ...], rows: list[Result]) -> Table:
    from rich.table import Table

    found = Table(box=None, header_style="bold", pad_edge=False)
    found.add_column(title, no_wrap=True)
    for heading in (*sizes, *(one.model for one in rows)):
        found.add_column(heading, justify="right", no_wrap=True)
    return found


def _cell(row: Result, name: str, digits: int) -> str:
    """A value, with its ends where it has an interval."""
    one = row.metrics.get(name)
    if one is None or isnan(one.value):
        return DASH
    ends = f" [{one.low:.{digits}f} {one.high:.{digits}f}]" if one.low < one.high else ""
    return f"{one.value:.{digits}f}{ends}"
