"""A log that reports what an import would store, and stores nothing."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal

from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog.append import Appender, EventBatch
from plait.eventlog.append_result import AppendResult, NewNames
from plait.eventlog.base_store import Store
from plait.eventlog.erased_users import ErasedUsers
from plait.eventlog.erasure import UserRowOffsets
from plait.eventlog.event_id_index import EventIdIndex, StoredEvent
from plait.eventlog.id_allocation import find_numbers
from plait.eventlog.import_history import ImportHistory
from plait.eventlog.log import EventLog
from plait.eventlog.log_counters import LogHead
from plait.eventlog.log_lookups import LogReader
from plait.eventlog.read_columns import EntityChange
from plait.eventlog.retraction import ImportSource
from plait.schema.schema import Schema

__all__ = ["DryRunLog"]


class DryRunLog(LogReader, ImportHistory):
    """Takes batches as an `EventLog` does, and gives the outcome that storing them would have.

    Changes of items and users are read back as if they were stored, under the offsets and numbers
    that they would have. Memory: the id of every event of the import, and these changes.

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

    def entity_changes(
        self, entity: Literal["item", "user"], *, chunk: int = 100_000
    ) -> Iterator[EntityChange]:
        """Read every put, patch and delete of items or of users, this import included.

        Args:
            entity: Whose changes.
            chunk: How many offsets to read at a time.

        Returns:
            The changes by offset.
        """
        stored = super().entity_changes(entity, chunk=chunk)
        return chain(stored, list(self._appender.changes[entity]))

    def numbers(self, entity: Literal["item", "user"], ids: Iterable[str]) -> dict[str, int]:
        """Look up the numbers of external ids, this import included.

        Args:
            entity: Whose ids they are.
            ids: External ids.

        Returns:
            The numbers of those ids that have one.
        """
        names = set(ids)
        new = self._appender.new_numbers[entity]
        return super().numbers(entity, names) | {name: new[name] for name in names & new.keys()}

    def item_ids(self, first: int = 0) -> list[str]:
        """Return the external ids of the item numbers from `first` on, this import included.

        Args:
            first: The number of the first item.

        Returns:
            The ids by number.
        """
        return (super().item_ids() + list(self._appender.new_numbers["item"]))[first:]

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

    def __init__(self, events: Mapping[str, StoredEvent]) -> None:
        super().__init__()
        self._events = events

    def find(
        self, store: Store, connection: Connection, hashes: Sequence[int], last: int
    ) -> Mapping[str, StoredEvent]:
        known = super().find(store, connection, hashes, last)
        return ChainMap(dict(known), dict(self._events)) if known else self._events


class _DryRunAppender(Appender):
    """An `Appender` that collects what it would have written."""

    def __init__(self, store: Store, erased: ErasedUsers | None) -> None:
        super().__init__(store, erased)
        self.schema: Schema | None = None
        self._events: dict[str, StoredEvent] = {}
        self._event_ids = _DryRunIndex(self._events)
        self.new_numbers: dict[str, dict[str, int]] = {"item": {}, "user": {}}
        self.changes: dict[str, list[EntityChange]] = {"item": [], "user": []}
        self._new_kinds: set[str] = set()
        self._count = 0

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
            self._events[batch.events[index].id] = StoredEvent(batch.digests[index])
        self.schema = self._schema.keep(untyped)
        kinds = self._event_types.unknown(event.event_type for event in events)
        new_kinds = [kind for kind in kinds if kind not in self._new_kinds]
        self._new_kinds.update(new_kinds)
        counts = {entity: len(numbers) for entity, numbers in self.new_numbers.items()}
        items = self._assign(connection, "item", [event.item for event in events], head.items)
        users = self._assign(connection, "user", [event.user for event in events], head.users)
        for offset, event in enumerate(events, head.seq + self._count + 1):
            if event.record_type == "item" and event.item is not None:
                number = items[event.item]
            elif event.record_type == "user" and event.user is not None:
                number = users[event.user]
            else:
                continue
            change = EntityChange(offset, number, event.event_type, event.fields)
            self.changes[event.record_type].append(change)
        self._count += len(events)
        new = NewNames(
            len(self.new_numbers["item"]) - counts["item"],
            len(self.new_numbers["user"]) - counts["user"],
            tuple(new_kinds),
        )
        return batch.result(head.seq, new=new)

    def _assign(
        self,
        connection: Connection,
        entity: Literal["item", "user"],
        ids: Sequence[str | None],
        count: int,
    ) -> dict[str, int]:
        """The numbers of ids; those that the log does not know get the next ones."""
        new = self.new_numbers[entity]
        names = dict.fromkeys(name for name in ids if name is not None)
        table: Literal["items", "users"] = "items" if entity == "item" else "users"
        numbers = find_numbers(self._store, connection, table, names.keys() - new.keys())
        for name in names:
            if name not in numbers:
                numbers[name] = new.setdefault(name, count + len(new))
        return numbers
