"""`plait ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import AsJson, Home, open_home
from plait.cli.output import print_json, print_lines
from plait.errors import InputError
from plait.utils.progress_bars import bars

__all__ = ["ingest"]

File = Annotated[Path | None, typer.Option(help="CSV, TSV, JSONL or Parquet, also .gz or .zst.")]


def ingest(
    home: Home,
    events: File = None,
    items: File = None,
    users: File = None,
    facts: File = None,
    map: Annotated[Path | None, typer.Option(help="A TOML file that maps the columns.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would happen, and store nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="A row replaces all fields of its item or user.")
    ] = False,
    sync: Annotated[
        bool, typer.Option("--sync", help="Remove items that the file of items does not have.")
    ] = False,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Clear or remove even more than a tenth.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Append files to the log; importing a file twice changes nothing.

    A row of an item or user changes the fields that the file has a column for; an empty cell clears
    a field.

    Args:
        home: The folder of the log, the bundles and the key; made if there is none.
        events: A file of interactions.
        items: A file of items.
        users: A file of users.
        facts: A file of triples (head, relation, tail).
        map: A TOML file that says what the columns mean.
        dry_run: Tell what would happen, and store nothing.
        replace: A row replaces all fields of its item or user.
        sync: Remove items that the file of items does not have.
        allow_loss: Go on where more than a tenth of the values of a field, or of the items, go.
        json: Print the counts as JSON instead of lines.

    Raises:
        InputError: If no file is named, every row of one was rejected, or one would take a tenth.
    """
    files = {"events": events, "items": items, "users": users, "facts": facts}
    paths: dict[str, Any] = {name: path for name, path in files.items() if path is not None}
    if not paths:
        raise InputError("nothing to ingest", hint="name --events, --items, --users or --facts")
    with open_home(home, must_exist=False) as workspace, bars() as advance:
        options = {"dry_run": dry_run, "replace": replace, "sync": sync, "allow_loss": allow_loss}
        imported = workspace.ingest(**paths, map=map, progress=advance, **options)
    if json:
        print_json(imported.to_dict())
    else:
        print_lines(*imported.lines())
    for name, counts in imported.by_kind.items():
        if counts.rows and counts.rows == counts.rejected:
            raise InputError(
                f"every row of {name} was rejected: {counts.rejected:,} of {counts.rows:,}",
                hint="describe the columns in a mapping: docs/data-formats.md",
                field=name,
            )
