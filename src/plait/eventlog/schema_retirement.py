"""Fields and event types that are no longer used: a "retire" record, which can be taken back.

No row is edited. Values of a retired field and rows of a retired event type stay in the log and are
left out by its readers; new ones are refused. The table `retired` is the index of the names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
from sqlalchemy import Connection

from plait.data.array_types import Int64Array
from plait.data.types import Event
from plait.errors import ConflictError, NotFoundError
from plait.eventlog.base_store import Store
from plait.schema.schema import EVENT_TYPES

__all__ = ["apply_retire_records", "read_retired_kinds", "retire_event"]

_CHANGES = ("put", "patch", "delete")
"""Names in the table of event types without which no item or user can be stored."""


def retire_event(event_id: str, entity: str, name: str, time: int, *, restore: bool) -> Event:
    """Make the record that retires a name, or takes that back.

    Args:
        event_id: The id of the new event.
        entity: Whose field it is: "item", "user" or "interaction"; "kind" for an event type.
        name: The name of the field or event type.
        time: Now, microseconds since 1970 UTC.
        restore: Whether the name is to be used again.

    Returns:
        The event.
    """
    content = {"entity": entity, "name": name, "restore": restore}
    return Event("retire", event_id, time=time, fields=orjson.dumps(content).decode())


def apply_retire_records(store: Store, connection: Connection, events: Sequence[Event]) -> bool:
    """Retire the names, or restore them, that the "retire" records of a batch say.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        events: The events of the batch.

    Returns:
        Whether there was such a record.

    Raises:
        ConflictError: If a name is retired already, or is not; then nothing is stored.
        NotFoundError: If there is no such name; then nothing is stored.
    """
    records = [event for event in events if event.record_type == "retire"]
    for event in records:
        record = orjson.loads(event.fields or "{}")
        change = _restore if record["restore"] else _retire
        change(store, connection, record["entity"], record["name"])
    return bool(records)


def read_retired_kinds(store: Store, connection: Connection) -> Int64Array:
    """Read the numbers of the retired event types.

    Args:
        store: The database.
        connection: An open connection to it.

    Returns:
        int64 [N], in no order.
    """
    sql = "SELECT k.number FROM kinds k JOIN retired r ON r.name = k.name WHERE r.entity = ?"
    return np.array([row[0] for row in store.rows(connection, sql, EVENT_TYPES)], np.int64)


def _retire(store: Store, connection: Connection, entity: str, name: str) -> None:
    if _stored_type(store, connection, "retired", entity, name) is not None:
        raise ConflictError(
            f"{name!r} is retired already", hint="plait schema restore takes that back", field=name
        )
    if entity == EVENT_TYPES:
        sql = "SELECT '' FROM kinds WHERE name = ?"
        stored = None if name in _CHANGES else next(iter(store.rows(connection, sql, name)), None)
        dtype = None if stored is None else ""
    else:
        dtype = _stored_type(store, connection, "fields", entity, name)
    if dtype is None:
        raise NotFoundError(
            f"there is no {name!r} to retire",
            hint="plait schema lists the fields, plait info the event types",
            field=name,
        )
    store.rows(connection, "DELETE FROM fields WHERE entity = ? AND name = ?", entity, name)
    store.insert(connection, "retired", ("entity", "name", "type"), [(entity, name, dtype)])


def _restore(store: Store, connection: Connection, entity: str, name: str) -> None:
    dtype = _stored_type(store, connection, "retired", entity, name)
    if dtype is None:
        raise ConflictError(
            f"{name!r} is not retired", hint="plait schema lists what is", field=name
        )
    store.rows(connection, "DELETE FROM retired WHERE entity = ? AND name = ?", entity, name)
    if dtype:
        store.insert(connection, "fields", ("entity", "name", "type"), [(entity, name, dtype)])


def _stored_type(
    store: Store, connection: Connection, table: str, entity: str, name: str
) -> str | None:
    """The type of a field in a table, "" for an event type; None if the table does not name it."""
    sql = f"SELECT type FROM {table} WHERE entity = ? AND name = ?"  # noqa: S608 ours
    row = next(iter(store.rows(connection, sql, entity, name)), None)
    return None if row is None else str(row[0])
