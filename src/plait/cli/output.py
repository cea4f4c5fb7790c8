"""Prints lines, JSON, scores and tables for commands; data in them cannot steer a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from plait.utils.printable_text import escape_controls_in_json, printable, printable_line

if TYPE_CHECKING:
    from rich.table import Table

    from plait.workspace import Response, Workspace

__all__ = [
    "NO_SCORE",
    "WIDE",
    "add_row",
    "new_table",
    "print_json",
    "print_lines",
    "print_response",
    "print_table",
    "score_text",
]

NO_SCORE = "–"
"""Stands for the score of an item that no model knows."""

_NO_ITEMS = "no items: none is known, all were seen before, or none matches the query"

WIDE = 1000
"""Columns of a table that is written to a pipe or a file."""


def print_lines(*lines: object, flush: bool = False, to_stderr: bool = False) -> None:
    """Print lines on stdout, or on stderr.

    Args:
        *lines: The lines; their control characters are made visible, line ends too, so that no
            name in them begins a line of its own.
        flush: Whether a reader of a pipe gets them at once.
        to_stderr: Whether they are notes beside the output.
    """
    texts = (printable(str(line)).replace("\n", r"\n") for line in lines)
    print(*texts, sep="\n", flush=flush, file=sys.stderr if to_stderr else sys.stdout)


def print_json(value: Any, *, indent: int | None = 1) -> None:
    """Print one JSON document on stdout.

    Args:
        value: Anything `json` can write; other objects become their `str`.
        indent: By how much a level is indented; None: the document is one line.
    """
    document = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    sys.stdout.write(escape_controls_in_json(document) + "\n")


def new_table(headings: Iterable[str]) -> Table:
    """Make an empty table.

    Args:
        headings: The headings of its columns; they may come from data.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for heading in headings:
        table.add_column(Text(printable_line(heading)), overflow="fold")
    return table


def add_row(table: Table, cells: Iterable[str]) -> None:
    """Add a row to a table.

    Args:
        table: The table.
        cells: The texts of its cells; brackets in them are no markup.
    """
    from rich.text import Text

    table.add_row(*(Text(printable_line(cell)) for cell in cells))


def print_table(table: Table, width: int = WIDE) -> None:
    """Print a table: on a terminal in its width, in a pipe wider.

    Args:
        table: The table.
        width: The width in a pipe or a file, in columns.
    """
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else width).print(table)


def score_text(score: float | None, format_spec: str) -> str:
    """Format a score for a terminal, or a dash if the item has none.

    Args:
        score: The score of an item; None if no model knows the item.
        format_spec: A format specification with the width, such as `6.2f`.

    Returns:
        The text, as wide as `format_spec` says.
    """
    if score is not None:
        return format(score, format_spec)
    return NO_SCORE.rjust(int(format_spec.partition(".")[0] or 0))


def print_response(
    workspace: Workspace, response: Response, as_json: bool, if_empty: str = _NO_ITEMS
) -> None:
    """Print a response as a table of items with their reasons; in a pipe one line an item.

    Args:
        workspace: Where the titles of the items are looked up.
        response: What a query returned.
        as_json: Print the response as one JSON document instead.
        if_empty: What is printed for a response without items.
    """
    if as_json:
        print_json(response.to_dict())
        return
    from plait.ranking.explanation.safe_text import safe_text

    names = list(dict.fromkeys(name for item in response.items for name in item.fields or ()))
    table = new_table(("item", "title", "score", *names, "why"))
    for item in response.items:
        reasons = list(dict.fromkeys(reason["text"] for reason in item.reasons))
        own = item.fields or {}
        texts = [workspace.title(item.id), *(str(own.get(name, "")) for name in names)]
        title, *fields = map(safe_text, texts)  # without markup of HTML, in one line
        score = score_text(item.score, ".4f")
        add_row(table, (item.id, title, score, *fields, "; ".join(reasons[:2])))
    if response.items:
        print_table(table)
    else:
        print_lines(if_empty)
    if response.did_you_mean:
        print_lines(f"did you mean: {response.did_you_mean}")
    for reason in response.degraded:
        print_lines(f"degraded: {reason}")
