"""Styles of models in plots, and figures as SVG and PNG. Needs matplotlib (the extra `report`).

The colours are those of Okabe and Ito (2008), which colour-blind people can distinguish; shapes
repeat them.
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
from plait.utils.printable_text import printable_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "GREY",
    "SeriesStyle",
    "add_legend",
    "new_figure",
    "require_matplotlib",
    "series_styles",
    "shorten",
    "to_png",
    "to_svg",
]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A900", "#8C6BB1")
SHAPES = "oDs^vP<>"
GREY = "#8A8A8A"
INK = "#123457"
"""Placeholder in SVG for the text colour of the page."""

WIDTH = 8.0
"""Inches."""


@dataclass(frozen=True, slots=True)
class SeriesStyle:
    """The style of a model in every plot.

    Attributes:
        colour: Colour of marks and lines.
        shape: Marker of matplotlib.
        hollow: Whether marks are not filled.
    """

    colour: str
    shape: str
    hollow: bool

    @property
    def style(self) -> dict[str, Any]:
        """Keyword arguments of `Axes.plot` and `Axes.errorbar`."""
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
    """Draw a figure as SVG, its text in the colour of the surrounding page.

    Args:
        draw: Draws the figure.

    Returns:
        The `<svg>` element.
    """
    out = io.StringIO()
    with _text_colour(INK):
        draw().savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    text = re.sub(r"<metadata>.*?</metadata>", "", out.getvalue(), flags=re.DOTALL)
    return text[text.index("<svg") :].replace(INK, "currentColor")


def to_png(draw: Callable[[], Figure]) -> bytes:
    """Draw a figure as PNG on white.

    Args:
        draw: Draws the figure.

    Returns:
        Content of the file.
    """
    out = io.BytesIO()
    with _text_colour("#222222"):
        draw().savefig(out, format="png", dpi=160, facecolor="white")
    return out.getvalue()


def require_matplotlib() -> None:
    """Require the extra `report`.

    Raises:
        MissingExtraError: Without matplotlib.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError("a page with plots", "report")


def _text_colour(colour: str) -> Any:
    """Context in which all text has this colour."""
    import matplotlib as mpl

    names = ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor")
    settings: dict[Any, Any] = dict.fromkeys(names, colour)
    settings |= {"svg.fonttype": "path", "svg.hashsalt": "plait"}
    settings |= {"text.parse_math": False, "text.usetex": False}  # names may hold dollar signs
    settings |= {"xtick.color": GREY, "ytick.color": GREY}
    return mpl.rc_context(settings)


def series_styles(entries: Sequence[ComparedRow]) -> dict[str, SeriesStyle]:
    """Assign colours to models; baselines are grey.

    Args:
        entries: The rows.

    Returns:
        The style of every label.
    """
    styles: dict[str, SeriesStyle] = {}
    models = baselines = 0
    for entry in entries:
        if entry.baseline:
            shape = SHAPES[baselines % len(SHAPES)]
            styles[entry.label] = SeriesStyle(GREY, shape, hollow=True)
            baselines += 1
        else:
            number = models % len(COLOURS)
            hollow = models >= len(COLOURS)
            styles[entry.label] = SeriesStyle(COLOURS[number], SHAPES[number], hollow)
            models += 1
    return styles


def new_figure(height: float, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Create an empty figure with panels side by side.

    Args:
        height: Height in inches.
        columns: Number of panels.
        options: Passed to `Figure.subplots`.

    Returns:
        The figure and its panels: without a box, with light grid lines behind the marks.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = list(figure.subplots(1, columns, squeeze=False, **options)[0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(labelsize=10)
        axes.grid(color=GREY, alpha=0.25, linewidth=0.7)
        axes.set_axisbelow(True)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize(11)
    return figure, panels


def add_legend(figure: Figure, axes: Axes) -> None:
    """Add a legend above the plot, in as many columns as fit.

    Args:
        figure: The figure.
        axes: The panel whose marks are named.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    longest = max(map(len, labels))
    columns = max(1, min(len(labels), int(88 / (longest + 6))))
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


def shorten(label: str) -> str:
    """Cut the middle out of a long name.

    Args:
        label: The name.

    Returns:
        One line of at most 34 characters; matplotlib would leave a label out of the legend that
        begins with an underscore.
    """
    label = printable_line(label)
    label = f" {label}" if label.startswith("_") else label
    return label if len(label) <= 34 else f"{label[:16]}…{label[-17:]}"
