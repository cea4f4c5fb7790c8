"""A single plot of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.errors import InputError
from plait.evaluation.reporting.comparison_page import comparison_plots
from plait.evaluation.results.comparison import compare
from plait.evaluation.results.report import Report
from plait.evaluation.results.run_store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["report_figure"]


def report_figure(report: Report, name: str) -> Figure:
    """Draw one plot of a report.

    Args:
        report: The report.
        name: The name of the plot.

    Returns:
        The figure.

    Raises:
        MissingExtraError: Without matplotlib.
        InputError: If the report has no such plot, or fewer than two rows.
    """
    if report.detail is None:
        raise InputError("this report has no values per query to draw", field="name")
    run = Run(report.run, report.to_dict(), report.detail)
    plots = {plot.name: plot for plot in comparison_plots(compare([run]))}
    if name not in plots:
        raise InputError(
            f"this report has no plot {name!r}", hint=f"there are {', '.join(plots)}", field="name"
        )
    return plots[name].draw()
