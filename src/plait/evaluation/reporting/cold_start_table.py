"""The table of new items or new users, below that of a report."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import TYPE_CHECKING

from plait.evaluation.ranking.cold_and_warm import ALONE
from plait.evaluation.reporting.group_table import new_table, text_cell
from plait.evaluation.results.report import Report
from plait.evaluation.results.undefined_metrics import DASH

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["cold_start_table"]


def cold_start_table(report: Report) -> Iterator[Table]:
    """Tabulate recall on cold and warm items, or by the number of events known of a user.

    Args:
        report: The report.

    Yields:
        A table with intervals, under the protocols cold-items and cold-users.
    """
    protocol = report.protocol
    slices: tuple[str, ...] = ("cold", "warm", *ALONE)
    if protocol.name == "cold-users":
        slices = tuple(f"events:{count}" for count in protocol.events)
    elif protocol.name != "cold-items":
        return
    names = [f"recall@{max(protocol.k)}|{name}" for name in slices]
    names = [name for name in names if name in report.results[0].metrics]
    rows = [row for row in report.results if not row.has_no_lists]
    if not names or not rows:
        return
    table = new_table("model", *names)
    for row in sorted(rows, key=lambda row: -row.metrics[names[0]].value):
        intervals = [row.metrics[name] for name in names]
        cells = [
            DASH
            if isnan(interval.value)
            else f"{interval.value:.4f} [{interval.low:.4f} {interval.high:.4f}]"
            for interval in intervals
        ]
        table.add_row(text_cell(row.model), *cells, style="dim" if row.baseline else None)
    yield table
