"""Prints results of commands: JSON, scores, and responses as tables."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.workspace import Response, Workspace

__all__ = ["NO_SCORE", "WIDE", "print_json", "print_response", "score_text"]

NO_SCORE = "–"
"""Stands for the score of an item that no model knows."""

WIDE = 1000
"""Columns of a table that is written to a pipe or a file."""


def print_json(value: Any) -> None:
    """Print one JSON document on stdout.

    Args:
        value: Anything `json` can write; other objects become their `str`.
    """
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


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


def print_response(workspace: Workspace, response: Response, as_json: bool) -> None:
    """Print a response as a table of items with their reasons; in a pipe one line an item.

    Args:
        workspace: Where the titles of the items are looked up.
        response: What a query returned.
        as_json: Print the response as one JSON document instead.
    """
    if as_json:
        print_json(response.to_dict())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from plait.ranking.explanation.safe_text import safe_text

    table = Table(box=None, header_style="bold")
    names = list(dict.fromkeys(name for item in response.items for name in item.fields or ()))
    for heading in ("item", "title", "score", *names, "why"):
        table.add_column(heading, overflow="fold")
    for item in response.items:
        reasons = list(dict.fromkeys(reason["text"] for reason in item.reasons))
        own = item.fields or {}
        texts = [workspace.title(item.id), *(str(own.get(name, "")) for name in names)]
        title, *fields = map(safe_text, texts)  # they may hold what steers a terminal
        cells = (item.id, title, score_text(item.score, ".4f"), *fields, "; ".join(reasons[:2]))
        table.add_row(*map(Text, cells))  # no markup: a title may hold brackets
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    if response.items:
        console.print(table)
    else:
        print("no items: none is known, all were seen before, or none matches the query")
    for reason in response.degraded:
        print(f"degraded: {reason}")
