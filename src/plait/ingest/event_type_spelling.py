"""Finds event types that look like misspellings of other event types."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain, islice

__all__ = ["USUAL_EVENT_TYPES", "misspelt", "similar_name"]

USUAL_EVENT_TYPES = (
    "view",
    "click",
    "cart",
    "purchase",
    "rating",
    "hide",
    "return",
    "like",
    "dislike",
    "wishlist",
    "favorite",
    "bookmark",
    "share",
    "search",
    "play",
    "follow",
    "comment",
    "review",
    "download",
    "order",
    "checkout",
    "remove",
)
"""Names that are never taken for misspellings."""

MAX_COMPARED = 500
"""How many known names a name is compared with at most, the likelier ones first."""

_LONG = 6
"""From so many letters on two of them may be wrong."""


def misspelt(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Find the names that look like misspellings of known ones.

    Args:
        names: Event types.
        known: Event types of the log.

    Returns:
        By name the known name that is probably meant.
    """
    right = dict.fromkeys(islice(chain(USUAL_EVENT_TYPES, known), MAX_COMPARED))
    similar = {
        name: similar_name(name, [other for other in right if other != name])
        for name in names
        if name not in USUAL_EVENT_TYPES
    }
    return {name: other for name, other in similar.items() if other}


def similar_name(name: str, known: Iterable[str]) -> str:
    """Find the known name that a name is a letter or two away from.

    Args:
        name: A name.
        known: Names, the likelier ones first.

    Returns:
        The nearest of them; "" if none is near.
    """
    plain = _letters(name)
    best, least = "", 3
    for other in known:
        allowed = 2 if min(len(plain), len(other)) >= _LONG else 1
        if abs(len(plain) - len(other)) > allowed or min(len(plain), len(other)) < 3:
            continue
        edits = _edit_distance(plain, _letters(other))
        if edits <= allowed and edits < least:
            best, least = other, edits
    return best


def _letters(name: str) -> str:
    """The name without signs at its ends, blanks and underscores."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _edit_distance(left: str, right: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours (Damerau, 1964)."""
    before: list[int] = []
    last = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            edits = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != other))
            is_swap = row > 1 and column > 1 and letter == right[column - 2]
            if is_swap and left[row - 2] == other:
                edits = min(edits, before[column - 2] + 1)
            current.append(edits)
        before, last = last, current
    return last[-1]
