"""The stored field types: loaded, grown and saved in the transaction of the events they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog.store import Store
from plait.schema.schema import FieldProblem, Schema

__all__ = ["StoredSchema", "load_schema"]


def load_schema(store: Store, connection: Connection) -> Schema:
    """The types of all fields as they are stored."""
    found = store.rows(connection, "SELECT entity, name, type FROM fields")
    return Schema({(entity, name): kind for entity, name, kind in found})


class StoredSchema:
    """The schema as of one value of the head's counter `fields`, read again when that moves."""

    def __init__(self) -> None:
        self._count = -1
        self._saved = Schema({})
        self._now = self._saved

    def load(self, store: Store, connection: Connection, count: int) -> None:
        """Read the types unless they are the ones known."""
        if count != self._count:
            self._saved = load_schema(store, connection)
            self._count = count
        self._now = self._saved

    def declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        """Take on types by (entity, field): all of them, or none if one is refused."""
        now = self._now
        for entity in sorted({entity for entity, _ in types}):
            mine = {name: kind for (one, name), kind in types.items() if one == entity}
            now = now.declare(entity, mine)
        self._now = now

    def admit(self, events: Sequence[Event]) -> list[Event | FieldProblem]:
        """What the schema makes of `events`; it may learn new fields from them."""
        self._now, verdicts = self._now.admit(events)
        return verdicts

    def save(self, store: Store, connection: Connection, count: int) -> int:
        """Store what was learned; returns the counter, moved if there was anything."""
        known = self._saved.types
        fresh = [
            (entity, name, kind)
            for (entity, name), kind in self._now.types.items()
            if (entity, name) not in known
        ]
        if fresh:
            store.insert(connection, "fields", ("entity", "name", "type"), fresh)
            count += 1
        self._saved, self._count = self._now, count
        return count

    def invalidate(self) -> None:
        """Believe nothing any more."""
        self._count = -1
