"""`plait undo`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import AsJson, Home, open_home
from plait.cli.output import print_json, print_lines
from plait.eventlog.retraction import ImportRecord
from plait.utils.plurals import counted
from plait.utils.timestamps import iso

__all__ = ["undo"]


def undo(
    home: Home,
    import_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="An import that --list shows; else the last one.")
    ] = "",
    list: Annotated[bool, typer.Option("--list", help="List the imports.")] = False,
    json: AsJson = False,
) -> None:
    """Take an import back; its rows do not count any more and may be imported again.

    Args:
        home: The folder of the log.
        import_id: The import; "" for the last one that counts.
        list: List the imports instead.
        json: Print JSON instead of lines.
    """
    with open_home(home) as workspace:
        records = workspace.imports() if list else [workspace.undo(import_id)]
        version = workspace.vitals()["head"]
    if json:
        plain = [_plain(record) for record in records]
        print_json(plain if list else {"version": version, "undone": plain[0]})
    elif list:
        print_lines(*(map(_line, records) if records else ["no imports"]))
    else:
        rows = sum(records[0].rows.values())
        verb = "does" if rows == 1 else "do"
        taken = f"{counted(rows, 'row')} {verb} not count any more"
        print_lines(f"import {records[0].id} taken back: {taken}")
        for later, count in records[0].staying.items():
            print_lines(f"left in place: {counted(count, 'row')} that import {later} named again")
        print_lines("until the next plait fit the models know them")


def _line(record: ImportRecord) -> str:
    rows = record.rows.items()
    sources = ", ".join(f"{count:,} {kind} of {name}" for (kind, name), count in rows)
    state = "" if record.retracted is None else "  (taken back)"
    return f"{record.id}  {iso(record.time)}  {sources}{state}"


def _plain(record: ImportRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "time": iso(record.time),
        "sources": [
            {"kind": kind, "source": name, "rows": count}
            for (kind, name), count in record.rows.items()
        ],
        "undone": record.retracted is not None,
        "staying": record.staying,
    }
