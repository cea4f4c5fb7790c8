"""`plait similar`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import AsJson, Filter, Home, HowMany, Language, open_home, print_response

__all__ = ["similar"]


def similar(
    home: Home,
    item: Annotated[str, typer.Option(help="The item's id.")],
    k: HowMany = 10,
    filter: Filter = None,
    language: Language = None,
    json: AsJson = False,
) -> None:
    """Find items like an item.

    Args:
        home: The folder of the log, the bundles and the key.
        item: The external id of the item.
        k: The number of items.
        filter: A condition on the fields of items, such as `price < 20`.
        language: The language of the reasons; None: as the recipe says.
        json: Print JSON instead of a table.

    Raises:
        NotFoundError: If the item is unknown.
    """
    with open_home(home) as workspace:
        print_response(
            workspace, workspace.similar(item, k=k, filter=filter, language=language), json
        )
