"""`plait copy-log`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import Home
from plait.cli.output import print_lines
from plait.utils.progress_bars import bars

__all__ = ["copy_log"]


def copy_log(
    home: Home,
    to: Annotated[str, typer.Option(help="postgresql+psycopg://USER:PASSWORD@HOST/NAME.")],
) -> None:
    """Copy the log of a home into an empty PostgreSQL database; bundles stay valid.

    Args:
        home: The folder of the log, the bundles and the key.
        to: The URL of the database, or a folder for an SQLite log.

    Raises:
        NotFoundError: If there is no home.
        ConflictError: If the target already holds a log.
        StorageError: If a database refuses, or the copy is not equal to the original.
    """
    from plait.cli.options import open_home
    from plait.eventlog.log_copy import copy_log as copy

    with open_home(home) as workspace:  # checks the home, and stores what it holds
        place = workspace.settings.database or home
    with bars() as advance:
        counts = copy(place, to, advance)
    print_lines(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))
    print_lines("copied and compared; stop the servers before the copy, and now set")
    print_lines("  database = the URL, in plait.toml or PLAIT_DATABASE")
