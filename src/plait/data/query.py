"""A query with external ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from plait.data.query_controls import Boost, PinnedItem, SeenRule

__all__ = ["Query", "context_with_user"]


@dataclass(frozen=True, slots=True)
class Query:
    """One query with external ids; every field may be absent.

    Attributes:
        user: The user's id.
        history: Item ids, oldest first, appended to what is known of the user.
        text: Words to search for.
        items: Items to which similar ones are sought.
        candidates: The items to rank; None: the models retrieve candidates.
        context: Free values such as time, place or device.
        filter: A filter expression.
        exclude: Items that may not be in the response.
        k: How many items to return.
        time: When the query is made, microseconds since 1970 UTC; None: now.
        seen: Whether items that the user knows may be returned, or which of them may not; None:
            as the recipe's rules say.
        session: The id of a session, whose events join the user's.
        event_types: Items are similar if users have events of these types with both, such as
            purchases; empty: as the models say.
        boosts: Which items move up or down.
        pins: Items with a fixed position, in place of the recipe's.
        fields: The names of the fields to return with each item; "*" stands for all.
        language: The language of the reasons; None: as the recipe says.
        group_by: The field of which each value is shown once ("auto": the field that names an
            item's product), "" for no groups; None: as the recipe's rules say.
        shown: Items of the earlier responses that this one continues. They do not come again,
            nor does what shares their group; they count in the places of pins and boosts. Only
            a continuation sets it.

    Example:
        >>> import plait
        >>> plait.Query(history=("mug", "cup"), filter="price < 20", k=5).user is None
        True
    """

    user: str | None = None
    history: tuple[str, ...] = ()
    text: str | None = None
    items: tuple[str, ...] = ()
    candidates: tuple[str, ...] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    filter: str | None = None
    exclude: tuple[str, ...] = ()
    k: int = 10
    time: int | None = None
    seen: Literal["keep", "remove"] | SeenRule | None = None
    session: str | None = None
    event_types: tuple[str, ...] = ()
    boosts: tuple[Boost, ...] = ()
    pins: tuple[PinnedItem, ...] = ()
    fields: tuple[str, ...] = ()
    language: str | None = None
    group_by: str | None = None
    shown: tuple[str, ...] = ()


def context_with_user(context: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a context what is known of its user.

    Args:
        context: What a query states; its fields of the user come first.
        fields: The fields of the user.

    Returns:
        The context with all fields of the user under "user".
    """
    stated = context.get("user")
    stated = stated if isinstance(stated, Mapping) else {}
    return {**context, "user": {**fields, **stated}}
