"""`plait recommend`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import AsJson, Home, HowMany, User, opened, print_answer

__all__ = ["recommend"]


def recommend(
    home: Home,
    user: User = None,
    k: HowMany = 10,
    filter: Annotated[str | None, typer.Option(help="Such as 'price < 20'.")] = None,
    json: AsJson = False,
) -> None:
    """Recommend items to a user."""
    with opened(home) as shop:
        print_answer(shop, shop.recommend(user=user, k=k, filter=filter), json)
