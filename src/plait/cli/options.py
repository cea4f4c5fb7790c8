"""Options that several commands share, and how they print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from plait.workspace import Response, Workspace

__all__ = [
    "AsJson",
    "Home",
    "HowMany",
    "User",
    "check_targets",
    "opened",
    "print_answer",
    "print_json",
    "score_text",
]

Home = Annotated[Path, typer.Option(help="The folder of the log, the bundles and the key.")]
HowMany = Annotated[int, typer.Option("-k", help="How many items.")]
User = Annotated[str | None, typer.Option(help="The user's id; none: anybody.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

NO_SCORE = "–"
"""Stands for the score of an item that no model knows."""

_WIDE = 1000
"""Columns of a table that nobody looks at in a terminal."""


@contextmanager
def opened(home: Path, *, must_exist: bool = True) -> Iterator[Workspace]:
    """The shop of a home; closed, and everything flushed, on leaving."""
    from plait.errors import InputError, NotFoundError
    from plait.eventlog import FILE_NAME
    from plait.settings import load_settings
    from plait.workspace import open as open_shop

    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is no folder", hint="--home names the folder of a shop")
    settings = load_settings(home)
    if must_exist and not settings.database and not (home / FILE_NAME).is_file():
        raise NotFoundError(
            f"there is no home at {home}",
            hint=f"plait ingest --home {home} --events FILE makes one",
        )
    with open_shop(settings) as shop:
        yield shop


def check_targets(*files: Path | None, html: Path | None = None, png: Path | None = None) -> None:
    """Ask before a long run what would only fail behind it.

    Raises StorageError where a file has no folder to lie in, MissingExtraError where a page or
    plots are wanted and matplotlib is not installed.
    """
    from plait.errors import StorageError

    for path in (*files, html):
        if path is not None and not path.absolute().parent.is_dir():
            raise StorageError(
                f"{path} cannot be written: there is no folder {path.parent}",
                hint=f"mkdir -p {path.parent}",
            )
    if html is not None or png is not None:
        from plait.evaluation.reporting.plot_style import require_matplotlib

        require_matplotlib()


def print_json(found: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1, default=str) + "\n")


def score_text(score: float | None, format_spec: str) -> str:
    """A score formatted for a terminal, or a dash if the item has none.

    Args:
        score: The score of an item; None if no model knows the item.
        format_spec: A format specification with the width, such as `6.2f`.

    Returns:
        The text, as wide as `format_spec` says.
    """
    if score is not None:
        return format(score, format_spec)
    width = format_spec.partition(".")[0]
    return NO_SCORE.rjust(int(width or 0))


def print_answer(shop: Workspace, answer: Response, as_json: bool) -> None:
    """An answer as a table of items with their reasons; in a pipe one line an item."""
    if as_json:
        print_json(answer.to_dict())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for heading in ("item", "title", "score", "why"):
        table.add_column(heading, overflow="fold")
    for item in answer.items:
        why = "; ".join(list(dict.fromkeys(reason["text"] for reason in item.reasons))[:2])
        cells = (item.id, shop.title(item.id), score_text(item.score, ".4f"), why)
        table.add_row(*(Text(one) for one in cells))  # no markup: a title may hold brackets
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    if answer.items:
        console.print(table)
    else:
        print("no items: none is known, all were seen before, or no other fits the question")
    for word in answer.degraded:
        print(f"degraded: {word}")
