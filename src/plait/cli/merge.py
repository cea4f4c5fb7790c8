"""`plait merge`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import Home, open_home
from plait.cli.output import print_lines
from plait.errors import InputError

__all__ = ["merge"]


def merge(
    home: Home,
    source: Annotated[str, typer.Argument(help="The guest, such as session:3f9a.")],
    into: Annotated[str | None, typer.Argument(help="The customer.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the merge of the guest back.")] = False,
) -> None:
    """Join the events of a guest to those of a customer, or take that back.

    Args:
        home: The folder of the log, the bundles and the key.
        source: The id of the guest.
        into: The id of the customer.
        undo: Take the merge of the guest back.

    Raises:
        InputError: If neither a customer nor `undo` is given, or both.
        ConflictError: If the guest has become another customer.
        NotFoundError: If there is no merge to take back.
    """
    if (into is None) is not undo:
        raise InputError(
            "give the customer, or --undo",
            hint="plait merge --home DIR session:3f9a 17850, or plait merge --home DIR "
            "session:3f9a --undo",
            field="into",
        )
    with open_home(home) as workspace:
        if into is None:
            version = workspace.unmerge_users(source)
            print_lines(f"{source} is apart again, version {version}")
        else:
            version = workspace.merge_users(source, into)
            print_lines(f"{source} is {into}, version {version}")
