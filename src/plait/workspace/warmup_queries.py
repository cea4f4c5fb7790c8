"""The warm-up queries of a server before it is ready."""

from __future__ import annotations

from itertools import islice

from plait.data.types import Query
from plait.state import LiveState

__all__ = ["warmup_queries"]

CHINESE = "红色的灯"
"""Words whose segmentation needs a dictionary, which is slow to load."""

N_EXAMINED = 1000
"""How many entries are examined for some that are alive."""


def warmup_queries(state: LiveState) -> list[Query]:
    """Make a query of every kind.

    Args:
        state: The state whose users and items the queries name.

    Returns:
        Queries of known users and without a user, for words, for an item, and for a list.
    """
    catalogue = state.catalogue
    entries = enumerate(catalogue.ids[:N_EXAMINED])
    alive = (item for number, item in entries if item and catalogue.alive[number])
    items = list(islice(alive, 10))
    users = [user for user in state.users.ids[:N_EXAMINED] if user][:3]
    values = (
        value for item in items for value in catalogue.fields(catalogue.number(item)).values()
    )
    texts = (value for value in values if isinstance(value, str) and value.strip())
    words = [text.split()[0][:40] for text in islice(texts, 2)]
    queries = [Query(), Query(text=CHINESE)]
    queries += [Query(user=user) for user in users]
    queries += [Query(text=word) for word in words]
    if items:
        queries += [
            Query(items=(items[0],)),
            Query(candidates=tuple(items)),
            Query(history=(items[0],)),
        ]
    return queries
