"""Plots of rows side by side. Needs matplotlib (the extra `report`).

A model has the same colour and shape in every plot of a page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.evaluation.reporting.plot_style import (
    GREY,
    SeriesStyle,
    add_legend,
    looks_of,
    new_figure,
    require_matplotlib,
    short,
)
from plait.evaluation.results.comparison import ComparedRow, sliced
from plait.evaluation.results.per_query import better
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


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A drawing: `name` is the file's, `title` and `text` are for the page."""

    name: str
    title: str
    text: str
    draw: Callable[[], Figure]


def plots(
    entries: Sequence[ComparedRow], metrics: Sequence[str], data: Mapping[str, Any]
) -> list[Plot]:
    """The plots that the rows have figures for. `data` is the report's.

    Raises MissingExtraError without matplotlib.
    """
    require_matplotlib()
    looks = looks_of(entries)
    metrics = [one for one in metrics if any(_told(entry, one) for entry in entries)]
    if not metrics:
        return []
    main = metrics[0]
    found = [
        Plot(
            "accuracy",
            "Accuracy",
            "Means with 95 % bootstrap intervals over users. Hollow grey marks are baselines.",
            lambda: _accuracy(entries, looks, metrics[:2]),
        )
    ]
    for name, said in SLICES.items():
        bands = _bands(entries, sliced(main), name)
        if len(bands) > 1:
            named = {one: _with_size(data, name, one) for one in bands}
            found.append(_slice_plot(entries, looks, sliced(main), name, said, named))
    found += [
        Plot(
            f"cost-{key}",
            f"Accuracy against {word}",
            f"{main} and what the row costs: {said}.",
            _cost_of(entries, looks, main, key, said),
        )
        for key, word, said in (
            ("seconds", "seconds", "seconds to fit, on a logarithmic scale"),
            ("memory", "megabytes", "peak memory in MB while it was fitted"),
        )
    ]
    return found + _more(entries, looks, data)


def _told(one: ComparedRow, name: str) -> Interval | None:
    """A metric, if there is a value to draw."""
    found = one.metric(name)
    return None if found is None or math.isnan(found.value) else found


def _more(
    entries: Sequence[ComparedRow], looks: Mapping[str, SeriesStyle], data: Mapping[str, Any]
) -> list[Plot]:
    """Plots that only some protocols have."""
    found = []
    if any(_points(one) for one in entries):
        text = "Predicted and true share of clicks, in ten bins. On the diagonal both are the same."
        found.append(Plot("reliability", "Calibration", text, lambda: _reliability(entries, looks)))
    if data.get("group"):
        field = data["group"]["field"]
        text = "Share of the places in all lists, beside the share of all events (grey bars)."
        found.append(
            Plot("exposure", f"Exposure by {field}", text, lambda: _exposure(entries, looks, data))
        )
    return found


def _accuracy(
    entries: Sequence[ComparedRow], looks: Mapping[str, SeriesStyle], metrics: Sequence[str]
) -> Figure:
    figure, panels = new_figure(0.9 + 0.34 * len(entries), len(metrics), sharey=True)
    for axes, metric in zip(panels, metrics, strict=True):
        for place, one in enumerate(reversed(entries)):
            found = _told(one, metric)
            if found is not None:
                ends = [[found.value - found.low], [found.high - found.value]]
                look = looks[one.label]
                axes.errorbar(
                    found.value, place, xerr=ends, capsize=3, elinewidth=1.6, **look.style
                )
        axes.set_xlabel(metric + ("" if better(metric, 1.0) else " (less is better)"))
        axes.locator_params(axis="x", nbins=6)
        axes.margins(x=0.08)
    panels[0].set_yticks(range(len(entries)), [short(one.label) for one in reversed(entries)])
    panels[0].set_ylim(-0.6, len(entries) - 0.4)
    return figure


def _bands(entries: Sequence[ComparedRow], metric: str, name: str) -> list[str]:
    """The values of a slice that a row has, in their order."""
    found: dict[str, None] = {}
    for one in entries:
        for key in one.row["metrics"]:
            if key.startswith(f"{metric}|{name}:"):
                found[key.partition(":")[2]] = None
    return sorted(found, key=_first_number)


def _with_size(data: Mapping[str, Any], name: str, band: str) -> str:
    """A band and, below it, how many queries or targets it has."""
    size = data.get("slices", {}).get(f"{name}:{band}")
    return band if size is None else f"{band}\n{size:,}"


def _first_number(band: str) -> tuple[int, str]:
    """Bands go by their lower end; days by their date."""
    digits = re.match(r"\d+", band)
    return (int(digits.group()) if digits else 0, band)


def _slice_plot(
    entries: Sequence[ComparedRow],
    looks: Mapping[str, SeriesStyle],
    metric: str,
    name: str,
    said: str,
    bands: Mapping[str, str],
) -> Plot:
    title = f"Accuracy {said.partition(' (')[0]}"
    text = f"{metric} {said}, with 95 % intervals; below each band, how many there are."
    return Plot(name, title, text, lambda: _slices(entries, looks, metric, name, said, bands))


def _slices(
    entries: Sequence[ComparedRow],
    looks: Mapping[str, SeriesStyle],
    metric: str,
    name: str,
    said: str,
    bands: Mapping[str, str],
) -> Figure:
    figure, (axes,) = new_figure(4.4)
    for number, one in enumerate(entries):
        shift = (number - (len(entries) - 1) / 2) * 0.62 / max(len(entries), 2)
        places, values, low, high = [], [], [], []
        for place, band in enumerate(bands):
            found = _told(one, f"{metric}|{name}:{band}")
            if found is not None:
                places.append(place + shift)
                values.append(found.value)
                low.append(found.value - found.low)
                high.append(found.high - found.value)
        axes.errorbar(
            places,
            values,
            yerr=[low, high],
            label=short(one.label),
            linestyle="none",
            elinewidth=1.3,
            clip_on=False,
            **looks[one.label].style,
        )
    axes.set_xticks(range(len(bands)), list(bands.values()))
    axes.set_xlim(-0.5, len(bands) - 0.5)
    axes.grid(visible=False, axis="x")
    for border in range(1, len(bands)):
        axes.axvline(border - 0.5, color=GREY, alpha=0.3, linewidth=0.7)
    if better(metric, 1.0):
        axes.set_ylim(bottom=0)
    axes.set_xlabel(said)
    axes.set_ylabel(metric)
    add_legend(figure, axes)
    return figure


def _cost_of(
    entries: Sequence[ComparedRow],
    looks: Mapping[str, SeriesStyle],
    metric: str,
    key: str,
    said: str,
) -> Callable[[], Figure]:
    return lambda: _cost(entries, looks, metric, key, said)


def _cost(
    entries: Sequence[ComparedRow],
    looks: Mapping[str, SeriesStyle],
    metric: str,
    key: str,
    said: str,
) -> Figure:
    figure, (axes,) = new_figure(4.2)
    for one in entries:
        found = _told(one, metric)
        cost = one.row["fit_seconds"] if key == "seconds" else one.row["peak_mb"]
        if found is None or (key == "memory" and not cost):
            continue  # what fits nothing was not metered
        ends = [[found.value - found.low], [found.high - found.value]]
        axes.errorbar(
            max(cost, 0.01) if key == "seconds" else cost,
            found.value,
            yerr=ends,
            label=short(one.label),
            linestyle="none",
            elinewidth=1.3,
            clip_on=False,
            **looks[one.label].style,
        )
    if key == "seconds":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g}")
    axes.set_xlabel(said)
    axes.set_ylabel(metric)
    axes.margins(x=0.06)
    add_legend(figure, axes)
    return figure


def _points(one: ComparedRow) -> Sequence[Sequence[float]]:
    """Predicted and true share of clicks, and how many, by bin; none of other protocols."""
    found: Sequence[Sequence[float]] = one.data.get("reliability", {}).get(one.row["model"], ())
    return found


def _reliability(entries: Sequence[ComparedRow], looks: Mapping[str, SeriesStyle]) -> Figure:
    figure, (axes,) = new_figure(4.6)
    every = [point for one in entries for point in _points(one)]
    top = max(max(point[:2]) for point in every) * 1.05
    axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for one in entries:
        points = _points(one)
        if points:
            axes.plot(
                [point[0] for point in points],
                [point[1] for point in points],
                label=short(one.label),
                linewidth=1.2,
                **looks[one.label].style,
            )
    axes.set_xlabel("predicted share of clicks")
    axes.set_ylabel("true share of clicks")
    add_legend(figure, axes)
    return figure


def _exposure(
    entries: Sequence[ComparedRow], looks: Mapping[str, SeriesStyle], data: Mapping[str, Any]
) -> Figure:
    shares = data["group"]["shares"]
    names = list(shares)
    figure, (axes,) = new_figure(1.4 + 0.42 * len(names))
    axes.barh(
        range(len(names)),
        [shares[name]["events"] for name in names],
        color=GREY,
        alpha=0.3,
        label="share of events",
    )
    for number, one in enumerate(entries):
        key = _deepest(one, "exposure")
        shift = (number - (len(entries) - 1) / 2) * 0.6 / max(len(entries), 2)
        known = [(place, _told(one, f"{key}|{name}")) for place, name in enumerate(names)]
        points = [(place, found.value) for place, found in known if found is not None]
        if points:
            axes.plot(
                [value for _, value in points],
                [place + shift for place, _ in points],
                linestyle="none",
                label=short(one.label),
                **looks[one.label].style,
            )
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of the places")
    add_legend(figure, axes)
    return figure


def _deepest(one: ComparedRow, metric: str) -> str:
    """The metric at its largest k: "exposure@10"."""
    names = {key.partition("|")[0] for key in one.row["metrics"] if key.startswith(f"{metric}@")}
    return max(names, key=lambda name: int(name.partition("@")[2]), default=f"{metric}@{math.inf}")
