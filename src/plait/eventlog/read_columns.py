"""Reads the log as columns, in chunks by offset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from plait.data.array_types import ABSENT, Float32Array, Int16Array, Int32Array, Int64Array
from plait.data.catalogue import NO_TIME
from plait.eventlog.base_store import Store
from plait.eventlog.retraction import read_retracted_rows
from plait.eventlog.schema_retirement import read_retired_kinds
from plait.eventlog.tables import TYPE_CODES
from plait.schema.schema import EVENT_TYPES

__all__ = [
    "EntityChange",
    "EventChunk",
    "chunk_from_rows",
    "read_chunks",
    "read_entity_changes",
    "read_merges",
    "read_requests",
]

_COLUMNS: list[tuple[str, Any]] = [
    ("offsets", np.int64),
    ("types", np.int8),
    ("kinds", np.int16),
    ("users", np.int32),
    ("items", np.int32),
    ("times", np.int64),
    ("positions", np.int64),
    ("values", np.float32),
    ("fields", object),
]
_ROW = np.dtype(_COLUMNS)
_WITH_EVENT_TYPE = (TYPE_CODES["interaction"], TYPE_CODES["fact"])
T = TypeVar("T")
_EVENTS_SQL = (
    f"SELECT seq, type, coalesce(kind_no, {ABSENT}), coalesce(user_no, {ABSENT}),"  # noqa: S608
    f" coalesce(item_no, {ABSENT}), coalesce(time, {NO_TIME}), coalesce(position, {NO_TIME}),"
    " value, fields FROM events WHERE seq > ? AND seq <= ? ORDER BY seq"
)


@dataclass(frozen=True, slots=True, eq=False)
class EventChunk:
    """N events as parallel arrays, ordered by offset.

    Attributes:
        offsets: int64 [N], the places of the events in the log.
        types: int8 [N], record types, indices into `plait.eventlog.TYPES`; -1 - index where the
            import of the row was taken back, or the event type was retired.
        kinds: int16 [N], the numbers of event types (see `EventLog.kinds`), -1 for none.
        users: int32 [N], user numbers, -1 for none.
        items: int32 [N], item numbers, -1 for none.
        times: int64 [N], microseconds since 1970 UTC, `NO_TIME` for none.
        positions: int64 [N], positions in the user's history, `NO_TIME` for none.
        values: float32 [N], NaN for none.
        fields: N texts of JSON objects, or None (a triple's holds "head" and "tail").
    """

    offsets: Int64Array
    types: npt.NDArray[np.int8]
    kinds: Int16Array
    users: Int32Array
    items: Int32Array
    times: Int64Array
    positions: Int64Array
    values: Float32Array
    fields: list[str | None]

    def __len__(self) -> int:
        return len(self.offsets)


class EntityChange(NamedTuple):
    """A put, patch or delete of an item or a user.

    Attributes:
        offset: The offset of the event.
        number: The number of the item or user.
        kind: "put", "patch" or "delete".
        fields: The fields in canonical form, the text of a JSON object, or None.
    """

    offset: int
    number: int
    kind: str
    fields: str | None


def chunk_from_rows(rows: Iterable[Sequence[Any]]) -> EventChunk:
    """Build a chunk from rows of the table of events.

    Args:
        rows: Tuples in the order of `plait.eventlog.tables.EVENT_COLUMNS`, by offset.

    Returns:
        The chunk that reading these rows would give.
    """
    return _to_chunk(
        (
            offset,
            record_type,
            ABSENT if event_type is None else event_type,
            ABSENT if user is None else user,
            ABSENT if item is None else item,
            NO_TIME if time is None else time,
            NO_TIME if position is None else position,
            value,
            fields,
        )
        for (
            offset, _, _, record_type, event_type, user, item, time, position, value, _, fields
        ) in rows
    )  # fmt: skip


def read_chunks(store: Store, after: int, until: int, chunk: int) -> Iterator[EventChunk]:
    """Read the events with offsets `after` + 1 to `until`.

    Args:
        store: The database.
        after: The offset before the first event.
        until: The offset of the last event.
        chunk: The most events to read at a time.

    Returns:
        Chunks in the order of the offsets, each read in a transaction of its own.
    """
    with store.reading() as connection:
        retracted = read_retracted_rows(store, connection)
        retired = read_retired_kinds(store, connection)
    for events in _in_pieces(store, _EVENTS_SQL, after, until, chunk, _to_chunk):
        mask = retracted.mask(events.offsets)
        if len(retired):
            mask |= np.isin(events.kinds, retired) & np.isin(events.types, _WITH_EVENT_TYPE)
        events.types[mask] = -1 - events.types[mask]
        yield events


def read_entity_changes(
    store: Store, entity: Literal["item", "user"], until: int, chunk: int
) -> Iterator[EntityChange]:
    """Read all changes of items or of users.

    Args:
        store: The database.
        entity: Whose changes.
        until: The offset of the last event.
        chunk: How many offsets to read at a time.

    Yields:
        The changes by offset.
    """
    sql = (
        f"SELECT e.seq, e.{entity}_no, k.name, e.fields"  # noqa: S608 our names
        " FROM events e JOIN kinds k ON k.number = e.kind_no"
        f" WHERE e.type = {TYPE_CODES[entity]} AND e.seq > ? AND e.seq <= ? ORDER BY e.seq"
    )
    with store.reading() as connection:
        retracted = read_retracted_rows(store, connection)
    for rows in _in_pieces(store, sql, 0, until, chunk, list):
        yield from map(EntityChange._make, retracted.without(rows))


def read_requests(store: Store, until: int, chunk: int) -> Iterator[tuple[int, str]]:
    """Read which interactions name the request that they answer.

    Args:
        store: The database.
        until: The offset of the last event.
        chunk: How many offsets to read at a time.

    Yields:
        Offset and request id, by offset.
    """
    sql = (
        f"SELECT seq, request_id FROM events WHERE type = {TYPE_CODES['interaction']}"  # noqa: S608
        " AND request_id IS NOT NULL AND seq > ? AND seq <= ?"
        " AND NOT EXISTS (SELECT 1 FROM kinds k JOIN retired r ON r.name = k.name"
        f" WHERE r.entity = '{EVENT_TYPES}' AND k.number = kind_no) ORDER BY seq"
    )
    with store.reading() as connection:
        retracted = read_retracted_rows(store, connection)
    for rows in _in_pieces(store, sql, 0, until, chunk, list):
        yield from retracted.without(rows)


def read_merges(
    store: Store, connection: Connection, after: int, until: int
) -> Iterator[EventChunk]:
    """Read the merges and erasures of users.

    Args:
        store: The database.
        connection: An open connection to it.
        after: The offset before the first event.
        until: The offset of the last event.

    Yields:
        The rows by offset, as one chunk.
    """
    sql = _EVENTS_SQL.replace(
        "WHERE", f"WHERE type IN ({TYPE_CODES['merge']}, {TYPE_CODES['erase']}) AND"
    )
    yield _to_chunk(store.rows(connection, sql, after, until))


def _in_pieces(
    store: Store,
    sql: str,
    after: int,
    until: int,
    size: int,
    collect: Callable[[Iterator[Any]], T],
) -> Iterator[T]:
    """What `sql` selects, `size` offsets a transaction: never one long transaction."""
    for start in range(after, until, size):
        with store.scanning() as connection:
            rows = collect(store.rows(connection, sql, start, min(start + size, until)))
        yield rows


def _to_chunk(rows: Iterable[Sequence[Any]]) -> EventChunk:
    table = np.fromiter(rows, _ROW)
    columns = {name: np.ascontiguousarray(table[name]) for name, _ in _COLUMNS[:-1]}
    return EventChunk(**columns, fields=table["fields"].tolist())
