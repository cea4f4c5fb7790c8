"""Tables below that of a report: the other lengths of lists, and the weights of the fusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from plait.evaluation.reporting.group_table import new_table, text_cell
from plait.evaluation.results.report import Report
from plait.evaluation.results.undefined_metrics import DASH

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["cutoff_table", "weight_rows", "weight_tables"]

_SHOWN = ("recall", "ndcg", "mrr", "hit_rate")

_MAX_TABLES = 4
"""More fits than these are left to `Report.weights` and JSON."""


def cutoff_table(report: Report) -> Iterator[Table]:
    """Tabulate the metrics at every k but the largest, which the first table shows.

    Args:
        report: The report.

    Yields:
        A table, if the protocol ranks and has more than one k.
    """
    cutoffs = sorted(report.protocol.k)[:-1] if report.protocol.ranks else []
    names = [f"{name}@{k}" for k in cutoffs for name in _SHOWN]
    if not names:
        return
    table = new_table("model", *names)
    rows = [row for row in report.results if not row.has_no_lists]
    for row in sorted(rows, key=lambda row: -row.metrics[names[1]].value):
        values = [row.metrics[name].value for name in names]
        cells = [DASH if isnan(value) else f"{value:.4f}" for value in values]
        table.add_row(text_cell(row.model), *cells, style="dim" if row.baseline else None)
    yield table


def weight_rows(weights: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Arrange the weights of one fusion, a column for each band of histories.

    Args:
        weights: What `Fuse.describe` returns.

    Returns:
        The headings of the bands, and the models with their weights as text. Without learned
        weights one column has those of the recipe.
    """
    bands = weights.get("bands") or []
    if not bands:
        named = weights.get("given") or {}
        return ["not learned"], [(name, [f"{value:.3f}"]) for name, value in named.items()]
    headings = [f"history {band['history_from']}+" for band in bands]
    models = dict.fromkeys(name for band in bands for name in band["weights"])
    return headings, [
        (model, [f"{band['weights'].get(model, 0.0):.3f}" for band in bands]) for model in models
    ]


def weight_tables(report: Report) -> Iterator[Table]:
    """Tabulate the weights of the fusions.

    Args:
        report: The report.

    Yields:
        A table for each fit, none where nothing was fused or there are more than four fits.
    """
    if len(report.fusion) > _MAX_TABLES:
        return
    for name, weights in report.fusion.items():
        headings, rows = weight_rows(weights)
        if rows:
            table = new_table(f"weights of {name}", *headings)
            for model, cells in rows:
                table.add_row(text_cell(model), *cells)
            yield table
