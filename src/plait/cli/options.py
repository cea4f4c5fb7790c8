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
    "NO_SCORE",
    "WIDE",
    "AsJson",
    "Filter",
    "Home",
    "HowMany",
    "Language",
    "User",
    "check_targets",
    "open_home",
    "print_json",
    "print_response",
    "score_text",
]

Home = Annotated[Path, typer.Option(help="The folder of the log, the bundles and the key.")]
HowMany = Annotated[int, typer.Option("-k", help="How many items.")]
User = Annotated[str | None, typer.Option(help="The user's id; none: anybody.")]
Filter = Annotated[str | None, typer.Option(help="Such as 'price < 20'.")]
Language = Annotated[
    str | None, typer.Option(help="Of the reasons: en, de, fr, es or zh; none: as the recipe says.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

NO_SCORE = "–"
"""Stands for the score of an item that no model knows."""

WIDE = 1000
"""Columns of a table that is written to a pipe or a file."""


@contextmanager
def open_home(home: Path, *, must_exist: bool = True) -> Iterator[Workspace]:
    """Open the workspace of a home; close it, with everything flushed, on leaving.

    Args:
        home: The folder of the log, the bundles and the key.
        must_exist: Whether to refuse a folder without a log.

    Yields:
        The open workspace.

    Raises:
        InputError: If `home` is a file.
        NotFoundError: If there has to be a log and there is none.
    """
    from plait.errors import InputError, NotFoundError
    from plait.eventlog import FILE_NAME
    from plait.settings import load_settings
    from plait.workspace import open as open_workspace

    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is not a folder", hint="--home names a folder")
    settings = load_settings(home)
    if must_exist and not settings.database and not (home / FILE_NAME).is_file():
        raise NotFoundError(
            f"there is no home at {home}",
            hint=f"plait ingest --home {home} --events FILE creates one",
        )
    with open_workspace(settings) as workspace:
        yield workspace


def check_targets(*files: Path | None, html: Path | None = None, png: Path | None = None) -> None:
    """Check before a long run that its results can be written.

    Args:
        *files: Files that will be written; None is skipped.
        html: The page that will be written.
        png: The folder of plots that will be written.

    Raises:
        StorageError: If a file has no folder to lie in.
        MissingExtraError: If a page or plots are asked for and matplotlib is not installed.
    """
    from plait.errors import StorageError

    for path in (*files, html):
        if path is not None and not path.absolute().parent.is_dir():
            raise StorageError(
                f"{path} cannot be written: the folder {path.parent} does not exist",
                hint=f"mkdir -p {path.parent}",
            )
    if html is not None or png is not None:
        from plait.evaluation.reporting.plot_style import require_matplotlib

        require_matplotlib()


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
    for heading in ("item", "title", "score", "why"):
        table.add_column(heading, overflow="fold")
    for item in response.items:
        reasons = list(dict.fromkeys(reason["text"] for reason in item.reasons))
        title = safe_text(workspace.title(item.id))  # it may hold what steers a terminal
        cells = (item.id, title, score_text(item.score, ".4f"), "; ".join(reasons[:2]))
        table.add_row(*map(Text, cells))  # no markup: a title may hold brackets
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    if response.items:
        console.print(table)
    else:
        print("no items: none is known, all were seen before, or none matches the query")
    for reason in response.degraded:
        print(f"degraded: {reason}")
