"""`plait ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import AsJson, Home, opened, print_json
from plait.cli.progress import bars
from plait.errors import InputError

__all__ = ["ingest"]

File = Annotated[Path | None, typer.Option(help="CSV, TSV, JSONL or Parquet, also .gz or .zst.")]


def ingest(
    home: Home,
    events: File = None,
    items: File = None,
    users: File = None,
    facts: File = None,
    map: Annotated[Path | None, typer.Option(help="A TOML file that maps the columns.")] = None,
    json: AsJson = False,
) -> None:
    """Append files to the log; importing a file twice changes nothing."""
    files = {"events": events, "items": items, "users": users, "facts": facts}
    given = {name: path for name, path in files.items() if path is not None}
    if not given:
        raise InputError("nothing to ingest", hint="name --events, --items, --users or --facts")
    with opened(home, must_exist=False) as shop, bars() as advance:
        receipt = shop.ingest(**given, map=map, progress=advance)
    if json:
        print_json(receipt.to_dict())
    else:
        for line in receipt.lines():
            print(line)
    for kind, one in receipt.by_kind.items():
        if one.rows and one.rows == one.rejected:
            raise InputError(
                f"every row of {kind} was refused: {one.rejected:,} of {one.rows:,}",
                hint="say in a mapping which column means what: docs/data-formats.md",
                field=kind,
            )
