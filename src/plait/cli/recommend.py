"""`plait recommend`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from plait.cli.option_groups import takes_option_group
from plait.cli.options import AsJson, Filter, Home, HowMany, User, open_home
from plait.cli.output import print_json, print_lines, print_response
from plait.cli.query_options import QueryControls
from plait.errors import InputError
from plait.utils.printable_text import printable_line

__all__ = ["recommend"]


@takes_option_group(QueryControls)
def recommend(
    home: Home,
    user: User = None,
    k: HowMany = 10,
    filter: Filter = None,
    users: Annotated[
        Path | None,
        typer.Option(help="A file with one user id a line (-: stdin): one line a user is printed."),
    ] = None,
    *,
    options: QueryControls,
    json: AsJson = False,
) -> None:
    """Recommend items to a user.

    Args:
        home: The folder of the log, the bundles and the key.
        user: The external id of the user; None: a user without a history.
        k: The number of items.
        filter: A condition on the fields of items, such as `price < 20`.
        users: A file of user ids; its users are answered in place of `user`.
        options: What the query asks beside its filter.
        json: Print JSON instead of a table.
    """
    with open_home(home) as workspace:
        keywords = options.to_keywords()
        if users is None:
            response = workspace.recommend(user=user, k=k, filter=filter, **keywords)
            print_response(workspace, response, json)
            return
        names = _user_ids(users)
        responses = workspace.recommend_many(names, k=k, filter=filter, **keywords)
        for name, response in zip(names, responses, strict=True):
            if json:
                print_json({"user": name, **response.to_dict()}, indent=None)
            else:
                print_lines("\t".join(map(printable_line, (name, *response.ids))))


def _user_ids(path: Path) -> list[str]:
    """The ids of a file, one a line; "-" is the standard input."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{path} cannot be read: {problem}", field="users") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
