"""How models are drawn, and figures as SVG and PNG. Needs matplotlib (the extra `report`).

Colours are those of Okabe and Ito, told apart by people who see fewer; shapes repeat them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from plait.errors import MissingExtraError
from plait.evaluation.results.comparison import ComparedRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "GREY",
    "SeriesStyle",
    "add_legend",
    "looks_of",
    "new_figure",
    "require_matplotlib",
    "short",
    "to_png",
    "to_svg",
]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A900", "#8C6BB1")
SHAPES = "oDs^vP<>"
GREY = "#8A8A8A"
INK = "#123457"
"""Stands in SVG for the colour of the page's own text."""

WIDTH = 8.0
"""Inches."""


@dataclass(frozen=True, slots=True)
class SeriesStyle:
    """How a model is drawn everywhere."""

    colour: str
    shape: str
    hollow: bool

    @property
    def style(self) -> dict[str, Any]:
        """For `Axes.plot` and `Axes.errorbar`."""
        face = "none" if self.hollow else self.colour
        return {
            "color": self.colour,
            "marker": self.shape,
            "markerfacecolor": face,
            "markeredgecolor": self.colour,
            "markeredgewidth": 1.4,
            "markersize": 6.5,
        }


def to_svg(draw: Callable[[], Figure]) -> str:
    """A figure as SVG to be put into a page, its text in the page's colour."""
    out = io.StringIO()
    with _inked(INK):
        draw().savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    text = re.sub(r"<metadata>.*?</metadata>", "", out.getvalue(), flags=re.DOTALL)
    return text[text.index("<svg") :].replace(INK, "currentColor")


def to_png(draw: Callable[[], Figure]) -> bytes:
    """A figure as PNG: nearly black on white."""
    out = io.BytesIO()
    with _inked("#222222"):
        draw().savefig(out, format="png", dpi=160, facecolor="white")
    return out.getvalue()


def require_matplotlib() -> None:
    """Raises MissingExtraError without matplotlib."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError("a page with plots", "report")


def _inked(ink: str) -> Any:
    """Everything written while this lasts has the colour `ink`."""
    import matplotlib as mpl

    names = ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor")
    settings: dict[Any, Any] = dict.fromkeys(names, ink)
    settings |= {"svg.fonttype": "path", "svg.hashsalt": "plait"}
    settings |= {"xtick.color": GREY, "ytick.color": GREY}
    return mpl.rc_context(settings)


def looks_of(entries: Sequence[ComparedRow]) -> dict[str, SeriesStyle]:
    """Colours for models, grey for baselines."""
    found: dict[str, SeriesStyle] = {}
    models = baselines = 0
    for one in entries:
        if one.baseline:
            found[one.label] = SeriesStyle(GREY, SHAPES[baselines % len(SHAPES)], hollow=True)
            baselines += 1
        else:
            place = models % len(COLOURS)
            found[one.label] = SeriesStyle(COLOURS[place], SHAPES[place], models >= len(COLOURS))
            models += 1
    return found


def new_figure(height: float, columns: int = 1, **more: Any) -> tuple[Figure, list[Axes]]:
    """An empty figure of `height` inches, and its panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, **more)[0]
    for one in axes:
        _plain(one)
    return figure, list(axes)


def _plain(axes: Axes) -> None:
    """No box, light lines behind, everything written in ink."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(labelsize=10)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.7)
    axes.set_axisbelow(True)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(11)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Names above the plot, in as many columns as fit."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    widest = max(len(one) for one in labels)
    columns = max(1, min(len(labels), int(88 / (widest + 6))))
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        fontsize=10,
        handletextpad=0.4,
        columnspacing=1.4,
    )


def short(label: str) -> str:
    """Long names lose their middle."""
    return label if len(label) <= 34 else f"{label[:16]}…{label[-17:]}"
