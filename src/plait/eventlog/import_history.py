"""The part of a log that lists its imports and reverts them."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace

from plait.data.catalogue import FIELD_TYPES, FieldType
from plait.data.types import Event
from plait.errors import ConflictError, InputError, NotFoundError
from plait.eventlog.append_result import AppendResult
from plait.eventlog.base_store import Store
from plait.eventlog.event_validation import id_hash
from plait.eventlog.field_retyping import retype_event
from plait.eventlog.log_counters import read_head
from plait.eventlog.retraction import (
    ImportRecord,
    read_imports,
    read_staying_rows,
    retract_event,
)
from plait.eventlog.schema_retirement import retire_event
from plait.eventlog.stored_schema import load_schema

__all__ = ["ImportHistory", "new_import_id"]


class ImportHistory(ABC):
    """Lists imports and takes them back; a base of `EventLog`, which has the store."""

    _store: Store

    @abstractmethod
    def append(self, events: Sequence[Event]) -> AppendResult:
        """Store a batch in one transaction.

        Args:
            events: The batch.
        """

    def imports(self) -> list[ImportRecord]:
        """Return the imports that stored anything, oldest first."""
        with self._store.reading("read the imports") as connection:
            return read_imports(self._store, connection)

    def retract_import(self, import_id: str = "") -> tuple[ImportRecord, AppendResult]:
        """Take an import back: its rows stay in the log and do not count any more.

        The same rows can be imported again afterwards. Rows that a later import named again still
        count, and belong to that import from now on.

        Args:
            import_id: The id of the import; "" for the last one that counts.

        Returns:
            The import, and the outcome of appending the record.

        Raises:
            NotFoundError: If there is no such import.
            ConflictError: If it was taken back already.
        """
        records = self.imports()
        if import_id:
            records = [record for record in records if record.id == import_id]
        else:
            records = [record for record in records if record.retracted is None]
        if not records:
            what = f"no import {import_id!r}" if import_id else "there is no import to take back"
            raise NotFoundError(what, hint="plait undo --list shows the imports", field="import")
        record = records[-1]
        if record.retracted is not None:
            raise ConflictError(
                f"the import {record.id!r} was taken back already",
                hint="import its files again if they are to count",
                field="import",
            )
        event = retract_event(record, f"undo:{record.id}", time.time_ns() // 1000)
        result = self.append([event])
        if result.rows[0].status != "stored":  # another undo, or a client's event of that id
            if any(entry.id == record.id and entry.retracted for entry in self.imports()):
                return self.retract_import(record.id)
            result = self.append([event._replace(id=f"undo:{record.id}:{uuid.uuid4().hex}")])
        with self._store.reading("read the imports") as connection:
            staying = read_staying_rows(self._store, connection, result.version)
            left = [
                entry for entry in read_imports(self._store, connection) if entry.id == record.id
            ]
        counted = left[0] if left else replace(record, rows={}, ranges=())
        return replace(counted, retracted=result.version, staying=staying), result

    def retype_field(self, entity: str, name: str, dtype: FieldType) -> int:
        """Give a field another type; its values in the log are read as that type from now on.

        Args:
            entity: Whose field it is: "item", "user" or "interaction".
            name: The name of the field.
            dtype: The new type.

        Returns:
            The last offset of the log.

        Raises:
            NotFoundError: If there is no such field.
            InputError: If there is no such type, or a value does not fit it.
        """
        if dtype not in FIELD_TYPES:
            hint = f"a type is one of {', '.join(FIELD_TYPES)}"
            raise InputError(f"{dtype!r} is not a field type", hint=hint, field="type")
        with self._store.reading() as connection:
            types = load_schema(self._store, connection).types
            stored = types.get((entity, name))
            if stored == dtype:
                return read_head(self._store, connection).seq
        if stored is None:
            names = sorted(field for owner, field in types if owner == entity)
            raise NotFoundError(
                f"{entity}s have no field {name!r}",
                hint=f"fields: {', '.join(names[:30]) or 'none'}",
                field="field",
            )
        now = time.time_ns() // 1000
        event = retype_event(f"retype:{uuid.uuid4().hex}", entity, name, dtype, now)
        return self.append([event]).version

    def retire(self, entity: str, name: str, *, restore: bool = False) -> int:
        """Stop to use a field or an event type; or use it again, with all that the log has of it.

        Args:
            entity: Whose field it is: "item", "user" or "interaction"; "kind" for an event type.
            name: The name of the field or event type.
            restore: Whether to take that back.

        Returns:
            The last offset of the log.

        Raises:
            NotFoundError: If there is no such name.
            ConflictError: If it is retired already; with `restore`: if it is not.
        """
        now, event_id = time.time_ns() // 1000, f"retire:{uuid.uuid4().hex}"
        return self.append([retire_event(event_id, entity, name, now, restore=restore)]).version

    def known_requests(self, request_ids: Iterable[str]) -> set[str]:
        """Find out which requests have a recorded answer.

        Args:
            request_ids: Ids of requests.

        Returns:
            Those that have one.
        """
        in_ids, parameter = self._store.in_clause(sorted(set(request_ids)))
        sql = f"SELECT request_id FROM impressions WHERE request_id {in_ids}"  # noqa: S608 ours
        with self._store.reading("read impressions") as connection:
            return {row[0] for row in self._store.rows(connection, sql, parameter)}

    def described_items(self, item_ids: Iterable[str]) -> set[str]:
        """Find out which items a catalogue has named.

        Args:
            item_ids: External ids.

        Returns:
            Those with a row of their own that counts, even if they were deleted since.
        """
        hashes = sorted(map(id_hash, set(item_ids)))
        in_hashes, parameter = self._store.in_clause(hashes)
        sql = (
            "SELECT i.id FROM items i WHERE"  # noqa: S608 ours
            f" i.hash {in_hashes} AND EXISTS (SELECT 1 FROM events e WHERE e.type = 1"
            " AND e.item_no = i.number AND NOT EXISTS (SELECT 1 FROM imports m"
            " WHERE m.retracted IS NOT NULL AND e.seq BETWEEN m.first AND m.last))"
        )
        with self._store.reading() as connection:
            return {row[0] for row in self._store.rows(connection, sql, parameter)}

    def has_interactions(self) -> bool:
        """Return whether there is any interaction that counts."""
        sql = (
            "SELECT 1 FROM events e WHERE e.type = 0 AND NOT EXISTS (SELECT 1 FROM imports m"
            " WHERE m.retracted IS NOT NULL AND e.seq BETWEEN m.first AND m.last) LIMIT 1"
        )
        with self._store.reading() as connection:
            return next(iter(self._store.rows(connection, sql)), None) is not None

    def has_catalogue(self) -> bool:
        """Return whether any item has a row of its own that counts."""
        sql = (
            "SELECT 1 FROM events e WHERE e.type = 1 AND NOT EXISTS (SELECT 1 FROM imports m"
            " WHERE m.retracted IS NOT NULL AND e.seq BETWEEN m.first AND m.last) LIMIT 1"
        )
        with self._store.reading() as connection:
            return next(iter(self._store.rows(connection, sql)), None) is not None


def new_import_id() -> str:
    """Return a short random id of an import."""
    return uuid.uuid4().hex[:8]
