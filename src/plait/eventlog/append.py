"""Stores one batch of events in one transaction, with a status for every event."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog.base_store import Store
from plait.eventlog.erased_users import ErasedUsers
from plait.eventlog.erasure import UserRowOffsets, erase_users, new_id
from plait.eventlog.event_batch import AppendResult, EventBatch
from plait.eventlog.event_id_index import EventIdIndex
from plait.eventlog.id_allocation import (
    MAX_EVENT_TYPES,
    EventTypeTable,
    IdAllocator,
    LogHead,
    read_head,
    write_head,
)
from plait.eventlog.read import chunk_from_rows
from plait.eventlog.stored_schema import StoredSchema
from plait.eventlog.tables import EVENT_COLUMNS, TYPE_CODES
from plait.schema.schema import FieldProblem

__all__ = ["MAX_RETURNED_ROWS", "Appender"]

MAX_RETURNED_ROWS = 10_000
"""Above this many stored rows, an append does not return them: a follower reads them in chunks."""


class Appender:
    """Writes batches in transactions of the caller; caches id numbers, event types and field types.

    The caller holds a lock: one transaction at a time. Other processes are noticed by the counters
    of the log's head. After a transaction that failed the caller calls `invalidate`.

    Args:
        store: The database.
        erased: Refuses rows of erased users; None: nobody is refused.
    """

    def __init__(self, store: Store, erased: ErasedUsers | None = None) -> None:
        self._store = store
        self._items = IdAllocator("items")
        self._users = IdAllocator("users")
        self._event_types = EventTypeTable()
        self._event_ids = EventIdIndex()
        self._schema = StoredSchema()
        self._erasures = 0
        self._erased = erased

    def declare(self, connection: Connection, types: Mapping[tuple[str, str], FieldType]) -> None:
        """Store field types.

        Args:
            connection: The connection of the open transaction.
            types: The types by (entity, field name).

        Raises:
            ConflictError: If a field is stored as another type.
            InputError: If a type, entity or name is not valid.
        """
        head = read_head(self._store, connection)
        self._schema.load(self._store, connection, head.fields)
        self._schema.declare(types)
        count = self._schema.save(self._store, connection, head.fields)
        if count != head.fields:
            write_head(connection, head._replace(fields=count))

    def commit(
        self, connection: Connection, batch: EventBatch, traces: UserRowOffsets
    ) -> AppendResult:
        """Store the events of a batch that are new and valid.

        Args:
            connection: The connection of the open transaction.
            batch: The events.
            traces: The rows of the users that the batch erases, as far as they are known.

        Returns:
            The outcome, valid once the transaction is committed.
        """
        head = read_head(self._store, connection)
        if head.erasures != self._erasures:  # another process has erased users
            self._users.invalidate()
            self._erasures = head.erasures
        self._event_types.load(self._store, connection, head.kinds)
        self._schema.load(self._store, connection, head.fields)
        hashes = [batch.hashes[index] for index in batch.pending]
        if hashes:
            batch.mark_known(self._event_ids.find(self._store, connection, hashes, head.seq))
        if self._erased is not None:
            self._erased.refuse(self._store, connection, head, batch)
        events = self._admit(batch)
        batch.mark_repeats()
        return (
            self._insert(connection, head, batch, events, traces)
            if events
            else (batch.result(head.seq))
        )

    def invalidate(self) -> None:
        """Drop the caches of ids and types: a transaction has failed."""
        for cache in (self._items, self._users, self._event_types, self._schema):
            cache.invalidate()

    def _admit(self, batch: EventBatch) -> list[Event]:
        """Pending events that fit the field types, which may grow with them; rejects the others."""
        if not batch.pending:
            return []
        events = [batch.events[index] for index in batch.pending]
        free = MAX_EVENT_TYPES - len(self._event_types.numbers)
        new_types = self._event_types.unknown(
            batch.events[index].event_type for index in batch.pending
        )
        excess = set(new_types[free:])
        admitted, indices = [], []
        for index, event in zip(batch.pending, self._schema.admit(events), strict=True):
            if isinstance(event, FieldProblem):
                batch.reject(index, event.field, event.error, event)
            elif event.event_type in excess:
                error = f"expected one of the {MAX_EVENT_TYPES} event types there are"
                batch.reject(index, "kind", error)
            else:
                admitted.append(
                    event if event.record_type == "interaction" else self._stored_form(event)
                )
                indices.append(index)
        batch.pending = indices
        return admitted

    def _stored_form(self, event: Event) -> Event:
        """The event as its row holds it; an erase event keeps a hash of the user's id."""
        stored = _without_unused_ids(event)
        if event.record_type == "erase" and event.user is not None and self._erased is not None:
            stored = stored._replace(fields=self._erased.fields_of_erasure(event.user))
        return stored

    def _insert(
        self,
        connection: Connection,
        head: LogHead,
        batch: EventBatch,
        events: list[Event],
        traces: UserRowOffsets,
    ) -> AppendResult:
        """Store `events` (those of `batch.pending`), the ids and types they need, and the head."""
        store = self._store
        erasing = {index for index, event in enumerate(events) if event.record_type == "erase"}
        items = self._items.assign(store, connection, [event.item for event in events], head.items)
        users = self._users.assign(
            store, connection, [event.user for event in events], head.users, erasing
        )
        self._event_types.add(store, connection, [event.event_type for event in events])
        rows = [
            (
                offset,
                event.id,
                batch.digests[index],
                TYPE_CODES[event.record_type],
                self._event_types.numbers.get(event.event_type),
                user,
                item,
                *event[5:],
            )
            for offset, (index, event, user, item) in enumerate(
                zip(batch.pending, events, users, items, strict=True), head.seq + 1
            )
        ]
        store.insert(connection, "events", EVENT_COLUMNS, rows)
        hashes = [batch.hashes[index] for index in batch.pending]
        store.index_events(connection, hashes, head.seq + 1)
        erased_users = [number for index in erasing if (number := users[index]) is not None]
        if erased_users:
            erase_users(store, connection, erased_users, traces)
            self._erasures = head.erasures + 1
        version = head.seq + len(rows)
        write_head(
            connection,
            LogHead(
                version,
                self._items.count,
                self._users.count,
                len(self._event_types.numbers),
                self._schema.save(store, connection, head.fields),
                head.erasures + bool(erased_users),
            ),
        )
        returned = not erased_users and len(rows) <= MAX_RETURNED_ROWS
        return batch.result(version, chunk_from_rows(rows) if returned else None)


def _without_unused_ids(event: Event) -> Event:
    """The event without the ids that its type does not use; a triple's head moves to its fields."""
    if event.record_type == "item":
        return event._replace(user=None)
    if event.record_type == "user":
        return event._replace(item=None)
    if event.record_type == "fact":
        triple = {**orjson.loads(event.fields or "{}"), "head": event.item}
        text = orjson.dumps(triple, option=orjson.OPT_SORT_KEYS).decode()
        return event._replace(item=None, user=None, fields=text)
    # An erase event keeps the user alone, and no id that contains the user's.
    event_id = new_id() if event.user is not None and event.user in event.id else event.id
    return Event("erase", event_id, user=event.user, time=event.time)
