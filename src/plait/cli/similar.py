"""`plait similar`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import AsJson, Home, HowMany, opened, print_answer

__all__ = ["similar"]


def similar(
    home: Home,
    item: Annotated[str, typer.Option(help="The item's id.")],
    k: HowMany = 10,
    filter: Annotated[str | None, typer.Option(help="Such as 'price < 20'.")] = None,
    json: AsJson = False,
) -> None:
    """Find items like an item."""
    with opened(home) as shop:
        print_answer(shop, shop.similar(item, k=k, filter=filter), json)
