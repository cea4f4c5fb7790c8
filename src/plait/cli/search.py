"""`plait search`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import AsJson, Home, HowMany, User, opened, print_answer

__all__ = ["search"]


def search(
    home: Home,
    text: Annotated[str, typer.Argument(help="The words to look for.")],
    user: User = None,
    k: HowMany = 10,
    filter: Annotated[str | None, typer.Option(help="Such as 'price < 20'.")] = None,
    json: AsJson = False,
) -> None:
    """Search items by words, steered by what is known of the user."""
    with opened(home) as shop:
        print_answer(shop, shop.search(text, user=user, k=k, filter=filter), json)
