"""Drops the ids that the record type of an event does not use, before the event is stored."""

from __future__ import annotations

import orjson

from plait.data.types import Event
from plait.eventlog.erasure import new_id

__all__ = ["without_unused_ids"]


def without_unused_ids(event: Event) -> Event:
    """Drop the ids that the record type of an event does not use.

    Args:
        event: A valid event.

    Returns:
        The event as its row holds it; a triple's head moves to its fields, and an erase event has
        no id that contains the user's.
    """
    if event.record_type == "merge":
        return Event("merge", event.id, event.event_type, event.user, event.item, event.time)
    if event.record_type == "item":
        return event if event.user is None else event._replace(user=None)
    if event.record_type == "user":
        return event if event.item is None else event._replace(item=None)
    if event.record_type == "fact":
        triple = {**orjson.loads(event.fields or "{}"), "head": event.item}
        text = orjson.dumps(triple, option=orjson.OPT_SORT_KEYS).decode()
        return event._replace(item=None, user=None, fields=text)
    if event.record_type in ("retract", "retype", "retire"):
        return event._replace(user=None, item=None)
    # An erase event keeps the user alone, and no id that contains the user's.
    event_id = new_id() if event.user is not None and event.user in event.id else event.id
    return Event("erase", event_id, user=event.user, time=event.time)
