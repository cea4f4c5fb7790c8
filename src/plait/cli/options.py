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
    from plait.shop import Answer, Shop

__all__ = ["AsJson", "Home", "HowMany", "User", "opened", "print_answer", "print_json"]

Home = Annotated[Path, typer.Option(help="The folder of the log, the bundles and the key.")]
HowMany = Annotated[int, typer.Option("-k", help="How many items.")]
User = Annotated[str | None, typer.Option(help="The user's id; none: anybody.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def opened(home: Path, *, must_exist: bool = True) -> Iterator[Shop]:
    """The shop of a home; closed, and everything flushed, on leaving."""
    from plait.errors import NotFoundError
    from plait.shop import open as open_shop

    if must_exist and not home.is_dir():
        raise NotFoundError(f"there is no home at {home}", hint=f"plait ingest --home {home} ...")
    with open_shop(home) as shop:
        yield shop


def print_json(found: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1, default=str) + "\n")


def print_answer(shop: Shop, answer: Answer, as_json: bool) -> None:
    """An answer as a table of items with their reasons."""
    if as_json:
        print_json(answer.to_dict())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for heading in ("item", "title", "score", "why"):
        table.add_column(heading, overflow="fold")
    for item in answer.items:
        why = "; ".join(list(dict.fromkeys(reason["text"] for reason in item.reasons))[:2])
        table.add_row(item.id, shop.title(item.id), f"{item.score:.4f}", why)
    console = Console()
    console.print(table)
    for word in answer.degraded:
        console.print(f"degraded: {word}")
