"""A log that reports what an import would store, and stores nothing."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog.append import Appender, EventBatch
from plait.eventlog.append_result import AppendResult, NewNames
from plait.eventlog.base_store import Store
from plait.eventlog.erased_users import ErasedUsers
from plait.eventlog.erasure import UserRowOffsets
from plait.eventlog.event_id_index import EventIdIndex
from plait.eventlog.id_allocation import find_numbers
from plait.eventlog.import_history import ImportHistory
from plait.eventlog.log import EventLog
from plait.eventlog.log_counters import LogHead
from plait.eventlog.log_reader import LogReader
from plait.eventlog.retraction import ImportSource
from plait.schema.schema import Schema

__all__ = ["DryRunLog"]


class DryRunLog(LogReader, ImportHistory):
    """Takes batches as an `EventLog` does, and gives the outcome that storing them would have.

    Memory: the id of every event of the import.

    Args:
        log: The log that the events would be appended to.
    """

    def __init__(self, log: EventLog) -> None:
        self._store = log._store
        self._appender = _DryRunAppender(log._store, log._erased)
        self._described: set[str] = set()

    def append(
        self,
        events: Sequence[Event],
        *,
        source: ImportSource | None = None,
        types: Mapping[tuple[str, str], FieldType] | None = None,
    ) -> AppendResult:
        """Tell what would become of a batch.

        Args:
            events: The events.
            source: The import that they belong to.
            types: Declared types of fields.

        Returns:
            A status for every event, with the version of the log as it is.
        """
        batch = EventBatch(events)
        with self._store.reading() as connection:
            result = self._appender.commit(connection, batch, UserRowOffsets(), None, types)
        self._described.update(
            event.item for event in events if event.record_type == "item" and event.item
        )
        return result

    def schema(self) -> Schema:
        """Return the types of all fields, with those that were learned."""
        return self._appender.schema or super().schema()

    def described_items(self, item_ids: Iterable[str]) -> set[str]:
        """Find out which items a catalogue has named, this import included.

        Args:
            item_ids: External ids.
        """
        ids = set(item_ids)
        return super().described_items(ids) | (ids & self._described)

    def has_catalogue(self) -> bool:
        """Return whether any item has a row of its own, this import included."""
        return bool(self._described) or super().has_catalogue()


class _DryRunIndex(EventIdIndex):
    """The ids of the log, and those that the dry run would have stored."""

    def __init__(self, digests: Mapping[str, bytes]) -> None:
        super().__init__()
        self._digests = digests

    def find(
        self, store: Store, connection: Connection, hashes: Sequence[int], last: int
    ) -> Mapping[str, bytes]:
        known = super().find(store, connection, hashes, last)
        return ChainMap(dict(known), dict(self._digests)) if known else self._digests


class _DryRunAppender(Appender):
    """An `Appender` that remembers what it would have written."""

    def __init__(self, store: Store, erased: ErasedUsers | None) -> None:
        super().__init__(store, erased)
        self.schema: Schema | None = None
        self._digests: dict[str, bytes] = {}
        self._event_ids = _DryRunIndex(self._digests)
        self._new_ids: dict[str, set[str]] = {"items": set(), "users": set()}
        self._new_kinds: set[str] = set()

    def _insert(
        self,
        connection: Connection,
        head: LogHead,
        batch: EventBatch,
        events: list[Event],
        traces: UserRowOffsets,
        untyped: Collection[tuple[str, str]] = (),
    ) -> AppendResult:
        for index in batch.pending:
            self._digests[batch.events[index].id] = batch.digests[index]
        self.schema = self._schema.keep(untyped)
        kinds = self._event_types.unknown(event.event_type for event in events)
        new_kinds = [kind for kind in kinds if kind not in self._new_kinds]
        self._new_kinds.update(new_kinds)
        new = NewNames(
            self._count_new(connection, "items", {event.item for event in events}),
            self._count_new(connection, "users", {event.user for event in events}),
            tuple(new_kinds),
        )
        return batch.result(head.seq, new=new)

    def _count_new(
        self, connection: Connection, table: Literal["items", "users"], ids: set[str | None]
    ) -> int:
        unseen = {name for name in ids if name is not None} - self._new_ids[table]
        new = unseen - find_numbers(self._store, connection, table, unseen).keys()
        self._new_ids[table] |= new
        return len(new)
