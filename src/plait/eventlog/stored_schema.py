"""The stored field types, read and written in the transaction of the events that need them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog.base_store import Store
from plait.schema.schema import EVENT_TYPES, Admission, Schema

__all__ = ["StoredSchema", "load_schema"]


def load_schema(store: Store, connection: Connection) -> Schema:
    """Read the types of all fields.

    Args:
        store: The database.
        connection: An open connection to it.

    Returns:
        The schema as it is stored.
    """
    rows = store.rows(connection, "SELECT entity, name, type FROM fields")
    types = {(entity, name): field_type for entity, name, field_type in rows}
    retired = store.rows(connection, "SELECT entity, name FROM retired")
    return Schema(types, frozenset((entity, name) for entity, name in retired))


class StoredSchema:
    """The schema as of one value of the head's counter `fields`; read again when that changes.

    Attributes:
        retired_kinds: The event types that are no longer used.
    """

    def __init__(self) -> None:
        self.retired_kinds: frozenset[str] = frozenset()
        self._count = -1
        self._saved = Schema({})
        self._current = self._saved

    def load(self, store: Store, connection: Connection, count: int) -> None:
        """Read the types unless the cached ones are current.

        Args:
            store: The database.
            connection: An open connection to it.
            count: The head's counter of schema changes.
        """
        if count != self._count:
            self._saved = load_schema(store, connection)
            self._count = count
            self.retired_kinds = frozenset(
                name for entity, name in self._saved.retired if entity == EVENT_TYPES
            )
        self._current = self._saved

    def reset(self) -> None:
        """Go back to the types that are stored."""
        self._current = self._saved

    def declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        """Add types: all of them, or none if one is refused.

        Args:
            types: The types by (entity, field name).

        Raises:
            ConflictError: If a field is stored as another type.
            InputError: If a type, entity or name is not valid.
        """
        schema = self._current
        for entity in sorted({entity for entity, _ in types}):
            fields = {name: kind for (owner, name), kind in types.items() if owner == entity}
            schema = schema.declare(entity, fields)
        self._current = schema

    def admit(self, events: Sequence[Event]) -> Admission:
        """Apply `Schema.admit`, and learn the types of new fields.

        Args:
            events: The events.

        Returns:
            The canonical events, and what was left out of them.
        """
        admission = self._current.admit(events)
        self._current = admission.schema
        return admission

    def save(
        self,
        store: Store,
        connection: Connection,
        count: int,
        *,
        unused: Collection[tuple[str, str]] = (),
        removed: Collection[tuple[str, str]] = (),
        changed: bool = False,
    ) -> int:
        """Store the types that are new.

        Args:
            store: The database.
            connection: The connection of the open transaction.
            count: The head's counter of schema changes.
            unused: Fields, by (entity, name), that were declared and have no value yet: their
                types are not stored.
            removed: Fields whose stored types are removed.
            changed: Whether the transaction has changed stored types.

        Returns:
            The counter, one higher if anything was changed.
        """
        known = self._saved.types
        if self._current is not self._saved:
            new_rows = [
                (*key, kind)
                for key, kind in self._current.types.items()
                if key not in known and key not in unused
            ]
            if new_rows:
                store.insert(connection, "fields", ("entity", "name", "type"), new_rows)
                count += 1
        for entity, name in removed:
            sql = "DELETE FROM fields WHERE entity = ? AND name = ?"
            store.rows(connection, sql, entity, name)
        count += bool(removed) or changed
        is_complete = not removed and not changed and not any(key not in known for key in unused)
        self._saved, self._count = self._current, count if is_complete else -1
        return count

    def keep(self, unused: Collection[tuple[str, str]] = ()) -> Schema:
        """Go on with the types that were learned, without storing them, as a dry run does.

        Args:
            unused: Fields, by (entity, name), that were declared and have no value yet.

        Returns:
            The schema with the types that `save` would have stored.
        """
        known = self._saved.types
        types = {
            key: kind
            for key, kind in self._current.types.items()
            if key in known or key not in unused
        }
        self._saved = Schema(types, self._current.retired)
        return self._saved

    def invalidate(self) -> None:
        """Drop the cache."""
        self._count = -1
