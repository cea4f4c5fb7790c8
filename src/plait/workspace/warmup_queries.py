"""The questions that a server asks itself before it is ready."""

from __future__ import annotations

from itertools import islice

from plait.data.catalogue import Catalogue
from plait.data.types import Query
from plait.state import LiveState

__all__ = ["rehearsal"]

CHINESE = "红色的灯"
"""Words whose cutting takes a dictionary, which is slow to load."""

LOOKED_AT = 1000
"""How many entries are looked through for some that are there."""


def rehearsal(state: LiveState) -> list[Query]:
    """A question for every road: for somebody and nobody, for words, an item, a list."""
    items = _there(state.catalogue)
    users = [one for one in state.users.ids[:LOOKED_AT] if one][:3]
    found = [Query(), Query(text=CHINESE), *(Query(user=one) for one in users)]
    found += [Query(text=one) for one in _words(state.catalogue, items)]
    if items:
        found += [
            Query(items=(items[0],)),
            Query(candidates=tuple(items)),
            Query(history=(items[0],)),
        ]
    return found


def _there(catalogue: Catalogue) -> list[str]:
    """Outside ids of the first items that are there."""
    listed = enumerate(catalogue.ids[:LOOKED_AT])
    return list(islice((one for at, one in listed if one and catalogue.alive[at]), 10))


def _words(catalogue: Catalogue, items: list[str]) -> list[str]:
    """Two words that some of the items say of themselves."""
    values = (catalogue.fields(catalogue.number(one)).values() for one in items)
    texts = (one for row in values for one in row if isinstance(one, str) and one.strip())
    return [text.split()[0][:40] for text in islice(texts, 2)]
