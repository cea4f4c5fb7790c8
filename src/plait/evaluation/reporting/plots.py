"""Plots of rows side by side. Needs matplotlib (the extra `report`).

A model has the same colour and shape in every plot of a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from plait.evaluation.reporting.plot_style import (
    GREY,
    SeriesStyle,
    add_legend,
    new_figure,
    require_matplotlib,
    series_styles,
    shorten,
)
from plait.evaluation.results.comparison import ComparedRow, slice_metric
from plait.evaluation.results.per_query_metrics import is_better
from plait.metrics.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Plot", "plots"]

SLICES = {
    "history": "by length of the user's history (events)",
    "popularity": "by popularity of the target (events in train)",
    "age": "by age of the target (since its first event)",
    "window": "by test window",
}

Styles = Mapping[str, SeriesStyle]


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A plot that has not been drawn yet.

    Attributes:
        name: Stem of the file.
        title: Heading on the page.
        text: Caption on the page.
        draw: Draws the figure.
    """

    name: str
    title: str
    text: str
    draw: Callable[[], Figure]


def plots(
    entries: Sequence[ComparedRow], metrics: Sequence[str], data: Mapping[str, Any]
) -> list[Plot]:
    """Prepare the plots that the rows have figures for.

    Args:
        entries: The rows.
        metrics: Names of the deciding metrics.
        data: The `data` section of the report.

    Returns:
        The plots.

    Raises:
        MissingExtraError: Without matplotlib.
    """
    require_matplotlib()
    defined = [name for name in metrics if any(entry.defined_metric(name) for entry in entries)]
    return list(_plots(entries, defined, data)) if defined else []


def _plots(
    entries: Sequence[ComparedRow], metrics: Sequence[str], data: Mapping[str, Any]
) -> Iterator[Plot]:
    styles, main = series_styles(entries), metrics[0]
    yield Plot(
        "accuracy",
        "Accuracy",
        "Means with 95 % bootstrap intervals over users. Hollow grey marks are baselines.",
        partial(_draw_accuracy, entries, styles, metrics[:2]),
    )
    sizes, metric = data.get("slices", {}), slice_metric(main)
    for name, axis_label in SLICES.items():
        bands = {
            band: f"{band}\n{sizes[f'{name}:{band}']:,}" if f"{name}:{band}" in sizes else band
            for band in _bands(entries, f"{metric}|{name}:")
        }
        if len(bands) > 1:
            yield Plot(
                name,
                f"Accuracy {axis_label.partition(' (')[0]}",
                f"{metric} {axis_label}, with 95 % intervals; below each band its size.",
                partial(_draw_slices, entries, styles, f"{metric}|{name}:", axis_label, bands),
            )
    for key, word, axis_label in (
        ("seconds", "seconds", "seconds to fit, on a logarithmic scale"),
        ("memory", "megabytes", "peak memory in MB during the fit"),
    ):
        yield Plot(
            f"cost-{key}",
            f"Accuracy against {word}",
            f"{main} and the cost of the row: {axis_label}.",
            partial(_draw_cost, entries, styles, main, axis_label, by_seconds=key == "seconds"),
        )
    if any(_reliability(entry) for entry in entries):
        yield Plot(
            "reliability",
            "Calibration",
            "Predicted and observed share of clicks, in ten bins. On the diagonal they are equal.",
            partial(_draw_reliability, entries, styles),
        )
    if data.get("group"):
        yield Plot(
            "exposure",
            f"Exposure by {data['group']['field']}",
            "Share of the positions in all lists, beside the share of all events (grey bars).",
            partial(_draw_exposure, entries, styles, data["group"]["shares"]),
        )


def _error_lengths(interval: Interval) -> tuple[float, float]:
    """Lengths of the error bar below and above the value."""
    return interval.value - interval.low, interval.high - interval.value


def _offset(number: int, count: int, width: float) -> float:
    """Where a mark of row `number` of `count` is drawn, relative to the centre of its band."""
    return (number - (count - 1) / 2) * width / max(count, 2)


def _draw_accuracy(
    entries: Sequence[ComparedRow], styles: Styles, metrics: Sequence[str]
) -> Figure:
    figure, panels = new_figure(0.9 + 0.34 * len(entries), len(metrics), sharey=True)
    rows = list(reversed(entries))
    for axes, metric in zip(panels, metrics, strict=True):
        for height, row in enumerate(rows):
            interval = row.defined_metric(metric)
            if interval is not None:
                below, above = _error_lengths(interval)
                axes.errorbar(
                    interval.value,
                    height,
                    xerr=[[below], [above]],
                    capsize=3,
                    elinewidth=1.6,
                    **styles[row.label].style,
                )
        axes.set_xlabel(metric + ("" if is_better(metric, 1.0) else " (less is better)"))
        axes.locator_params(axis="x", nbins=6)
        axes.margins(x=0.08)
    panels[0].set_yticks(range(len(rows)), [shorten(row.label) for row in rows])
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    return figure


def _bands(entries: Sequence[ComparedRow], prefix: str) -> list[str]:
    """The bands of a slice that a row has, by their lower bound; windows by their date."""
    names = {name for entry in entries for name in entry.row["metrics"] if name.startswith(prefix)}

    def lower_bound(band: str) -> tuple[int, str]:
        digits = re.match(r"\d+", band)
        return (int(digits.group()) if digits else 0, band)

    return sorted((name.removeprefix(prefix) for name in names), key=lower_bound)


def _draw_slices(
    entries: Sequence[ComparedRow],
    styles: Styles,
    prefix: str,
    axis_label: str,
    bands: Mapping[str, str],
) -> Figure:
    metric = prefix.partition("|")[0]
    figure, (axes,) = new_figure(4.4)
    for number, entry in enumerate(entries):
        intervals = [entry.defined_metric(f"{prefix}{band}") for band in bands]
        points = [(x, interval) for x, interval in enumerate(intervals) if interval is not None]
        errors = [_error_lengths(interval) for _, interval in points]
        axes.errorbar(
            [x + _offset(number, len(entries), 0.62) for x, _ in points],
            [interval.value for _, interval in points],
            yerr=[[below for below, _ in errors], [above for _, above in errors]],
            label=shorten(entry.label),
            linestyle="none",
            elinewidth=1.3,
            clip_on=False,
            **styles[entry.label].style,
        )
    axes.set_xticks(range(len(bands)), list(bands.values()))
    axes.set_xlim(-0.5, len(bands) - 0.5)
    axes.grid(visible=False, axis="x")
    for border in range(1, len(bands)):
        axes.axvline(border - 0.5, color=GREY, alpha=0.3, linewidth=0.7)
    if is_better(metric, 1.0):
        axes.set_ylim(bottom=0)
    axes.set_xlabel(axis_label)
    axes.set_ylabel(metric)
    add_legend(figure, axes)
    return figure


def _draw_cost(
    entries: Sequence[ComparedRow],
    styles: Styles,
    metric: str,
    axis_label: str,
    *,
    by_seconds: bool,
) -> Figure:
    from matplotlib.ticker import LogFormatter

    figure, (axes,) = new_figure(4.2)
    for entry in entries:
        interval = entry.defined_metric(metric)
        cost = max(entry.row["fit_seconds"], 0.01) if by_seconds else entry.row["peak_mb"]
        if interval is None or not cost:  # the memory of some baselines is not measured
            continue
        below, above = _error_lengths(interval)
        axes.errorbar(
            cost,
            interval.value,
            yerr=[[below], [above]],
            label=shorten(entry.label),
            linestyle="none",
            elinewidth=1.3,
            clip_on=False,
            **styles[entry.label].style,
        )
    if by_seconds:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
        axes.xaxis.set_minor_formatter(LogFormatter())  # the usual one writes mathematics
    axes.set_xlabel(axis_label)
    axes.set_ylabel(metric)
    axes.margins(x=0.06)
    add_legend(figure, axes)
    return figure


def _reliability(entry: ComparedRow) -> Sequence[Sequence[float]]:
    """Predicted and observed share of clicks, and the count, by bin; empty without clicks."""
    bins: Sequence[Sequence[float]] = entry.data.get("reliability", {}).get(entry.row["model"], ())
    return bins


def _draw_reliability(entries: Sequence[ComparedRow], styles: Styles) -> Figure:
    figure, (axes,) = new_figure(4.6)
    bins = {entry.label: _reliability(entry) for entry in entries}
    top = max(max(point[:2]) for points in bins.values() for point in points) * 1.05
    axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for label, points in bins.items():
        if points:
            axes.plot(
                [point[0] for point in points],
                [point[1] for point in points],
                label=shorten(label),
                linewidth=1.2,
                **styles[label].style,
            )
    axes.set_xlabel("predicted share of clicks")
    axes.set_ylabel("observed share of clicks")
    add_legend(figure, axes)
    return figure


def _draw_exposure(
    entries: Sequence[ComparedRow], styles: Styles, shares: Mapping[str, Mapping[str, float]]
) -> Figure:
    names = list(shares)
    figure, (axes,) = new_figure(1.4 + 0.42 * len(names))
    axes.barh(
        range(len(names)),
        [shares[name]["events"] for name in names],
        color=GREY,
        alpha=0.3,
        label="share of events",
    )
    for number, entry in enumerate(entries):
        metrics = {metric.partition("|")[0] for metric in entry.row["metrics"]}
        depths = [
            int(metric.partition("@")[2]) for metric in metrics if metric.startswith("exposure@")
        ]
        metric = f"exposure@{max(depths)}" if depths else "exposure"
        intervals = [entry.defined_metric(f"{metric}|{name}") for name in names]
        points = [(y, interval) for y, interval in enumerate(intervals) if interval is not None]
        if points:
            axes.plot(
                [interval.value for _, interval in points],
                [y + _offset(number, len(entries), 0.6) for y, _ in points],
                linestyle="none",
                label=shorten(entry.label),
                **styles[entry.label].style,
            )
    axes.set_yticks(range(len(names)), [shorten(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of the positions")
    add_legend(figure, axes)
    return figure
