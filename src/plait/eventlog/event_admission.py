"""Decides which events of a batch fit the field types and event types, and gives their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog.tables import TYPE_CODES
from plait.eventlog.unused_ids import without_unused_ids
from plait.schema.schema import FieldProblem

if TYPE_CHECKING:
    from plait.eventlog.append import EventBatch
    from plait.eventlog.erased_users import ErasedUsers
    from plait.eventlog.id_allocation import EventTypeTable
    from plait.eventlog.stored_schema import StoredSchema

__all__ = ["admit_events", "event_rows", "fields_without_values"]


def admit_events(
    batch: EventBatch,
    schema: StoredSchema,
    event_types: EventTypeTable,
    *,
    reserved: frozenset[str] = frozenset(),
    erased: ErasedUsers | None = None,
) -> list[Event]:
    """Take the pending events that fit the field types, which may grow with them.

    Args:
        batch: The batch; events that do not fit are rejected in it and are pending no longer.
        schema: The field types.
        event_types: The event types that have a number.
        reserved: The event types that fit however many others there are.
        erased: Gives the fields of an erase event; None: it keeps none.

    Returns:
        The events as their rows hold them, in the order of `batch.pending`.
    """
    if not batch.pending:
        return []
    events = [batch.events[index] for index in batch.pending]
    retired = schema.retired_kinds
    excess = event_types.without_place(
        (event.event_type for event in events), reserved, len(retired)
    )
    admission = schema.admit(events)
    for problem in admission.lost:
        batch.leave_out(batch.pending[problem.index], problem)
    admitted, indices = [], []
    for index, event in zip(batch.pending, admission.events, strict=True):
        if isinstance(event, FieldProblem):
            batch.reject(index, event.field, event.error, event)
        elif event.event_type in retired:
            error = f"expected another event type, {event.event_type!r} was retired"
            batch.reject(index, "kind", error)
        elif event.event_type in excess:
            error = f"expected one of the {len(event_types.numbers)} event types there are"
            batch.reject(index, "kind", error)
        else:
            admitted.append(event)
            indices.append(index)
    batch.pending = indices
    return [
        event if event.record_type == "interaction" else _stored_form(event, erased)
        for event in admitted
    ]


def _stored_form(event: Event, erased: ErasedUsers | None) -> Event:
    """What the row of an event other than an interaction holds: of an erased id only a hash."""
    stored = without_unused_ids(event)
    if event.record_type == "erase" and event.user is not None and erased is not None:
        stored = stored._replace(fields=erased.fields_of_erasure(event.user))
    return stored


def event_rows(
    batch: EventBatch,
    events: Sequence[Event],
    kinds: Mapping[str, int],
    users: Sequence[int | None],
    items: Sequence[int | None],
    first: int,
) -> list[tuple[Any, ...]]:
    """Return the rows of the table of events.

    Args:
        batch: The batch.
        events: Its N pending events, as `admit_events` returns them.
        kinds: The numbers of event types.
        users: N user numbers.
        items: N item numbers.
        first: The offset of the first row.

    Returns:
        N rows in the order of `EVENT_COLUMNS`.
    """
    record_types, ids, event_types, _, _, *rest = zip(*events, strict=True)
    return list(
        zip(
            range(first, first + len(events)),
            ids,
            map(batch.digests.__getitem__, batch.pending),
            map(TYPE_CODES.__getitem__, record_types),
            map(kinds.get, event_types),
            users,
            items,
            *rest,
            strict=True,
        )
    )


def fields_without_values(
    types: Mapping[tuple[str, str], FieldType], events: Sequence[Event]
) -> set[tuple[str, str]]:
    """Find the declared fields that no event has a value for.

    Args:
        types: The declared types by (entity, field name).
        events: The events.

    Returns:
        The fields by (entity, name).
    """
    names = set(types)
    for event in events:
        if not names:
            break
        text = event.fields
        if text and any(f'"{name}":' in text for entity, name in names):
            values = orjson.loads(text)
            names -= {key for key in names if values.get(key[1]) is not None}
    return names
