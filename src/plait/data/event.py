"""An event: a record of the log."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["NOW", "Event", "RecordType"]

NOW = -(1 << 62)
"""The time of an event that happens when it is stored; the log puts the current time in its place.

Until then such events are equal whenever they are sent, so that a repeated one is recognised.
"""

RecordType = Literal[
    "interaction", "item", "user", "fact", "erase", "merge", "retract", "retype", "retire"
]


class Event(NamedTuple):
    """A record of the log.

    Attributes:
        record_type: "interaction", "item", "user", "fact" (a triple), "erase", "merge", "retract"
            (an import is taken back), "retype" (a field gets another type) or "retire" (a field or
            an event type is no longer used, or is used again).
        id: The external id of the event.
        event_type: The type of an interaction ("view", "purchase", ...), the change of an item or
            user ("put", "patch", "delete"), or the relation of a triple.
        user: The external id of the user; an "erase" event has nothing else.
        item: The external id of the item, or the head of a triple; of a merge the id of the user
            that `user` became, None if the two are apart again.
        time: Microseconds since 1970 UTC, `NOW`, or None if unknown.
        position: Orders a user's events that have no time.
        value: A rating, a price, ...
        request_id: The request whose response led to the event.
        fields: The text of a JSON object with sorted keys; that of a triple contains its tail.

    Example:
        >>> import plait
        >>> plait.Event("interaction", "order-1", "purchase", "ann", "mug").event_type
        'purchase'
    """

    record_type: RecordType
    id: str
    event_type: str = ""
    user: str | None = None
    item: str | None = None
    time: int | None = None
    position: int | None = None
    value: float | None = None
    request_id: str | None = None
    fields: str | None = None
