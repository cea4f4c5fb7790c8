"""Changes the type of a field: a "retype" record, and stored values parsed again."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.errors import InputError
from plait.eventlog.base_store import Store
from plait.eventlog.retraction import read_retracted_rows
from plait.eventlog.tables import TYPE_CODES
from plait.schema.retyping import retyped

__all__ = ["apply_retype_records", "retype_event"]

_MAX_EXAMPLES = 3


def retype_event(event_id: str, entity: str, name: str, dtype: FieldType, time: int) -> Event:
    """Make the record that gives a field another type.

    Args:
        event_id: The id of the new event.
        entity: Whose field it is: "item", "user" or "interaction".
        name: The name of the field.
        dtype: The new type.
        time: Now, microseconds since 1970 UTC.

    Returns:
        The event.
    """
    content = {"entity": entity, "name": name, "type": dtype}
    return Event("retype", event_id, time=time, fields=orjson.dumps(content).decode())


def apply_retype_records(store: Store, connection: Connection, events: Sequence[Event]) -> bool:
    """Change the stored types that the "retype" records of a batch name.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        events: The events of the batch.

    Returns:
        Whether a type was changed.

    Raises:
        InputError: If a value in the log does not fit the new type; then nothing is stored.
    """
    changed = False
    for event in events:
        if event.record_type == "retype":
            record = orjson.loads(event.fields or "{}")
            key = record["entity"], record["name"]
            _require_fitting(store, connection, *key, record["type"])
            sql = "UPDATE fields SET type = ? WHERE entity = ? AND name = ?"
            store.rows(connection, sql, record["type"], *key)
            changed = True
    return changed


def _require_fitting(
    store: Store, connection: Connection, entity: str, name: str, dtype: FieldType
) -> None:
    sql = "SELECT type FROM fields WHERE entity = ? AND name = ?"
    stored = next(iter(store.rows(connection, sql, entity, name)))[0]
    sql = "SELECT seq, fields FROM events WHERE type = ? AND fields IS NOT NULL ORDER BY seq"
    rows = store.rows(connection, sql, TYPE_CODES[entity])
    problems: dict[str, str] = {}
    count = misfits = 0
    for _, text in read_retracted_rows(store, connection).without(rows):
        if name not in text:
            continue
        value = orjson.loads(text).get(name)
        if value is None:
            continue
        count += 1
        try:
            retyped(value, stored, dtype)
        except ValueError as problem:
            misfits += 1
            if len(problems) < _MAX_EXAMPLES:
                problems[repr(value)[:80]] = str(problem)
    if misfits:
        examples = "; ".join(f"{value} (expected {why})" for value, why in problems.items())
        raise InputError(
            f"{name!r} of {entity}s stays {stored}: {misfits:,} of {count:,} values are no "
            f"{dtype}: {examples}",
            hint="import the field again under another name, with types = { NAME = "
            f'"{dtype}" }} in a mapping',
            field=name,
        )
