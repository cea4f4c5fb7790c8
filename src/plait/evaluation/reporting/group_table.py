"""Tables of the groups that `--group` selects: exposure of items, accuracy for users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan
from typing import TYPE_CHECKING

from plait.evaluation.results.report import FUSED, Report, Result
from plait.evaluation.results.undefined_metrics import DASH
from plait.utils.printable_text import printable_line

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["group_tables", "new_table", "text_cell"]


def text_cell(text: str) -> Text:
    """Make a cell or heading of text from data: what looks like markup in it is none.

    Args:
        text: Such as a category, or the name of a recipe.

    Returns:
        The text, its control characters visible.
    """
    from rich.text import Text

    return Text(printable_line(text))


def new_table(first: str, *headings: str) -> Table:
    """Create an empty text table.

    Args:
        first: Heading of the first column, which is aligned left.
        headings: Headings of the other columns, which are aligned right.

    Returns:
        The table.
    """
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(text_cell(first), no_wrap=True)
    for heading in headings:
        table.add_column(text_cell(heading), justify="right", no_wrap=True)
    return table


def group_tables(report: Report, main_metric: str) -> Iterator[Table]:
    """Tabulate exposure by values of an item field, or accuracy by values of a user field.

    The columns are fusions and baselines; JSON has all models.

    Args:
        report: The report.
        main_metric: The metric by which users are compared.

    Yields:
        The tables, none without a group.
    """
    rows = [
        row
        for row in report.results
        if not row.has_no_lists and (row.baseline or row.model.rpartition("/")[2] == FUSED)
    ]
    names = [row.model for row in rows]
    group = report.data.get("group")
    if group:
        metric = f"exposure@{max(report.protocol.k)}"
        table = new_table(f"{metric} by {group['field']}", "items", "events", *names)
        for value, share in group["shares"].items():
            cells = (_cell(row, f"{metric}|{value}", 3) for row in rows)
            table.add_row(
                text_cell(value), f"{share['items']:.3f}", f"{share['events']:.3f}", *cells
            )
        yield table
    metrics = {name for row in rows for name in row.metrics}
    slices: Mapping[str, int] = report.data.get("slices", {})
    user_groups = [name for name in slices if "=" in name and f"{main_metric}|{name}" in metrics]
    if user_groups:
        field = user_groups[0].partition("=")[0]
        table = new_table(f"{main_metric} by {field}", "queries", *names)
        for name in user_groups:
            cells = (_cell(row, f"{main_metric}|{name}", 4) for row in rows)
            table.add_row(text_cell(name.partition("=")[2]), f"{slices[name]:,}", *cells)
        yield table


def _cell(row: Result, name: str, digits: int) -> str:
    """A value, with its bounds where it has an interval."""
    interval = row.metrics.get(name)
    if interval is None or isnan(interval.value):
        return DASH
    bounds = ""
    if interval.low < interval.high:
        bounds = f" [{interval.low:.{digits}f} {interval.high:.{digits}f}]"
    return f"{interval.value:.{digits}f}{bounds}"
