"""`plait similar`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.option_groups import takes_option_group
from plait.cli.options import AsJson, Filter, Home, HowMany, open_home, print_response
from plait.cli.query_options import QueryControls

__all__ = ["similar"]


@takes_option_group(QueryControls)
def similar(
    home: Home,
    item: Annotated[list[str], typer.Option(help="The item's id; may be repeated, as for a cart.")],
    k: HowMany = 10,
    filter: Filter = None,
    event_type: Annotated[
        list[str] | None,
        typer.Option(
            help="Items that share users by this kind of event come first, as purchase; repeatable."
        ),
    ] = None,
    *,
    options: QueryControls,
    json: AsJson = False,
) -> None:
    """Find items like an item.

    Args:
        home: The folder of the log, the bundles and the key.
        item: The external ids of the items to start from.
        k: The number of items.
        filter: A condition on the fields of items, such as `price < 20`.
        event_type: The event types by which items share users.
        options: What the query asks beside its filter.
        json: Print JSON instead of a table.

    Raises:
        NotFoundError: If the item is unknown.
    """
    with open_home(home) as workspace:
        response = workspace.similar(
            item, k=k, filter=filter, event_types=event_type or (), **options.to_keywords()
        )
        print_response(workspace, response, json)
