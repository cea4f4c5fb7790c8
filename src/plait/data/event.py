"""Something that happened; what the log stores."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["NOW", "Event", "RecordType"]

NOW = -(1 << 62)
"""The time of an event that happens when it is stored: the log puts its clock's in the place. Until
then all such events look alike, so that one sent again is known as the same."""

RecordType = Literal["interaction", "item", "user", "fact", "erase"]


class Event(NamedTuple):
    """Something that happened; what the log stores.

    `kind` is the kind of interaction ("view", "purchase", ...), what happens to an item or a user
    ("put", "patch", "delete"), or a fact's relation. `item` is a fact's head and `fields` holds its
    tail. `time` is in microseconds since 1970 UTC, None if unknown. `position` orders a user's
    events where there is no time. `fields` is the text of a JSON object with sorted keys. An event
    of type "erase" has a user and nothing else.
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
