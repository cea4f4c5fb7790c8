"""`plait search`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.option_groups import takes_option_group
from plait.cli.options import AsJson, Filter, Home, HowMany, User, open_home
from plait.cli.output import print_response
from plait.cli.query_options import QueryControls

__all__ = ["search"]


@takes_option_group(QueryControls)
def search(
    home: Home,
    text: Annotated[str, typer.Argument(help="The words to look for.")],
    user: User = None,
    k: HowMany = 10,
    filter: Filter = None,
    *,
    options: QueryControls,
    json: AsJson = False,
) -> None:
    """Search items by words, steered by what is known of the user.

    Args:
        home: The folder of the log, the bundles and the key.
        text: The words to look for.
        user: The external id of the user; None: a user without a history.
        k: The number of items.
        filter: A condition on the fields of items, such as `price < 20`.
        options: What the query asks beside its filter.
        json: Print JSON instead of a table.
    """
    with open_home(home) as workspace:
        print_response(
            workspace,
            workspace.search(text, user=user, k=k, filter=filter, **options.to_keywords()),
            json,
            "no items match" + (" the words and the filter" if filter else " the words"),
        )
