"""`plait recommend`."""

from __future__ import annotations

import sys
from collections.abc import Container
from pathlib import Path
from typing import Annotated

import typer

from plait.cli.option_groups import takes_option_group
from plait.cli.options import AsJson, Filter, Home, HowMany, User, open_home
from plait.cli.output import print_json, print_lines, print_response
from plait.cli.query_options import QueryControls
from plait.errors import InputError
from plait.ingest.column_synonyms import is_user_column
from plait.schema.missing_words import MISSING_WORDS
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
        names = _user_ids(users, workspace.host.state().users.index)
        responses = workspace.recommend_many(names, k=k, filter=filter, **keywords)
        for name, response in zip(names, responses, strict=True):
            if json:
                print_json({"user": name, **response.to_dict()}, indent=None)
            else:
                print_lines("\t".join(map(printable_line, (name, *response.ids))))


def _user_ids(path: Path, known: Container[str]) -> list[str]:
    """The ids of a file, one a line; "-" is the standard input.

    A header and words for missing values are passed over, unless there is a user of that name.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{path} cannot be read: {problem}", field="users") from None
    lines = [line.strip().strip('"').strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    header = [name for name in lines[:1] if is_user_column(name) and name not in known]
    missing = [line for line in lines if line in MISSING_WORDS and line not in known]
    if header:
        note = f"{path}: the first line, {header[0]!r}, is a header and no user"
        print_lines(note, to_stderr=True)
    if missing:
        count = f"{len(missing):,} line{'s' * (len(missing) > 1)}"
        note = f"{path}: {count} such as {missing[0]!r} name no user"
        print_lines(note, to_stderr=True)
    return [line for line in lines[len(header) :] if line not in missing]
