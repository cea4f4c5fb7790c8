"""`plait recommend`."""

from __future__ import annotations

from plait.cli.options import (
    AsJson,
    Filter,
    Home,
    HowMany,
    Language,
    User,
    open_home,
    print_response,
)

__all__ = ["recommend"]


def recommend(
    home: Home,
    user: User = None,
    k: HowMany = 10,
    filter: Filter = None,
    language: Language = None,
    json: AsJson = False,
) -> None:
    """Recommend items to a user.

    Args:
        home: The folder of the log, the bundles and the key.
        user: The external id of the user; None: a user without a history.
        k: The number of items.
        filter: A condition on the fields of items, such as `price < 20`.
        language: The language of the reasons; None: as the recipe says.
        json: Print JSON instead of a table.
    """
    with open_home(home) as workspace:
        print_response(
            workspace, workspace.recommend(user=user, k=k, filter=filter, language=language), json
        )
