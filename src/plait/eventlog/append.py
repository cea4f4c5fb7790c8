"""Stores one batch of events in one transaction, with a status for every event."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import repeat
from operator import itemgetter

from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import NOW, Event
from plait.eventlog.append_result import NOTHING_NEW, AppendResult, NewNames, RowStatus
from plait.eventlog.base_store import Store
from plait.eventlog.erased_users import ErasedUsers
from plait.eventlog.erasure import UserRowOffsets, erase_users
from plait.eventlog.event_admission import admit_events, event_rows, fields_without_values
from plait.eventlog.event_id_index import EventIdIndex, StoredEvent
from plait.eventlog.event_validation import (
    Problem,
    id_hash,
    id_hashes,
    plain_digests,
    validate_event,
)
from plait.eventlog.field_retyping import apply_retype_records
from plait.eventlog.id_allocation import EventTypeTable, IdAllocator
from plait.eventlog.import_row_owners import note_repeats
from plait.eventlog.log_counters import LogHead, read_head, write_head
from plait.eventlog.read_columns import EventChunk, chunk_from_rows
from plait.eventlog.retraction import ImportSource, record_rows, retract_rows, with_row_runs
from plait.eventlog.schema_retirement import apply_retire_records
from plait.eventlog.stored_schema import StoredSchema
from plait.eventlog.tables import EVENT_COLUMNS
from plait.eventlog.user_merges import with_target_numbers
from plait.schema.schema import FieldProblem
from plait.utils.stamp_clock import StampClock

__all__ = ["MAX_RETURNED_ROWS", "Appender", "EventBatch"]

MAX_RETURNED_ROWS = 10_000
"""Above this many stored rows, an append does not return them: a follower reads them in chunks."""

_MANY = 8
"""Batches of as many events are checked column by column; single ones are faster one by one."""

_CLOCK = StampClock()
_id, _time = itemgetter(1), itemgetter(5)


def _with_times(events: Sequence[Event]) -> list[Event]:
    """The events, those that happen when they are stored with the current time."""
    if NOW not in map(_time, events):
        return list(events)
    now = _CLOCK.now()
    return [event._replace(time=now) if event.time == NOW else event for event in events]


class EventBatch:
    """A batch on its way into the log; its arguments are the events in the order of the caller.

    Attributes:
        events: The events, each with a time if it happens when it is stored.
        digests: By index, the digest of the event's content (b"" if it is rejected).
        hashes: By index, the hash of the event's id (0 if it is rejected).
        pending: The indices of the events that are still to be stored, ascending.
        erased_ids: The external ids of the users that the batch erases.
        repeated_offsets: The offsets of the rows of the log that the batch repeats.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = _with_times(events)
        self.digests: list[bytes] = []
        self.hashes: list[int] = []
        self.pending: list[int] = []
        self.erased_ids: set[str] = set()
        self.repeated_offsets: list[int] = []
        self._lost: dict[int, list[FieldProblem]] = {}
        self._statuses: list[RowStatus | None] = [None] * len(events)
        self._repeats: list[tuple[int, int]] = []
        # The digest of an event without a time has none, so that a retry is a duplicate.
        digests = plain_digests(events) if len(events) >= _MANY else None
        ids = [] if digests is None else list(map(_id, events))
        if digests is not None and len(set(ids)) == len(ids):
            self.digests, self.hashes = digests, id_hashes(ids)
            self.pending = list(range(len(ids)))
        else:
            self._check_each(events)

    def _check_each(self, events: Sequence[Event]) -> None:
        """Set the digests, the hashes and the pending events, and reject the invalid ones."""
        first_index: dict[str, int] = {}
        for index, event in enumerate(events):
            digest = validate_event(event)
            if isinstance(digest, Problem):
                self.reject(index, digest.field, digest.error)
                self.digests.append(b"")
                self.hashes.append(0)
                continue
            self.digests.append(digest)
            self.hashes.append(id_hash(event.id))
            earlier = first_index.setdefault(event.id, index)
            if earlier == index:
                self.pending.append(index)
                if event.record_type == "erase" and event.user is not None:
                    self.erased_ids.add(event.user)
            else:
                self._repeats.append((index, earlier))

    def reject(self, index: int, field: str, error: str, fault: FieldProblem | None = None) -> None:
        """Mark the event at `index` as rejected.

        Args:
            index: The index of the event.
            field: The field at fault.
            error: What was expected.
            fault: The value and the expected type of a field of the catalogue.
        """
        event_id = str(self.events[index].id)
        self._statuses[index] = RowStatus(event_id, "rejected", error, field, fault)

    def leave_out(self, index: int, problem: FieldProblem) -> None:
        """Note a field that the event at `index` is stored without.

        Args:
            index: The index of the event.
            problem: The field, its value and what was expected.
        """
        self._lost.setdefault(index, []).append(problem)

    def mark_known(self, stored: Mapping[str, StoredEvent]) -> None:
        """Mark the pending events whose ids the log has as duplicates or conflicts.

        Args:
            stored: By event id the stored events.
        """
        for index in self.pending:
            event = stored.get(self.events[index].id)
            if event is not None:
                self._compare(index, event.digest)
                if self.digests[index] == event.digest:
                    self.repeated_offsets.append(event.offset)
        self.pending = [index for index in self.pending if self._statuses[index] is None]

    def mark_repeats(self) -> None:
        """Compare events whose ids occur more than once in the batch with the first of each id."""
        for index, earlier in self._repeats:
            status = self._statuses[earlier]
            if status is not None and status.status == "rejected":
                self.reject(index, status.field, status.error, status.fault)
            else:
                self._compare(index, self.digests[earlier])

    def result(
        self, version: int, chunk: EventChunk | None = None, new: NewNames = NOTHING_NEW
    ) -> AppendResult:
        """Return the outcome: events without another status are stored.

        Args:
            version: The log's last offset after the batch.
            chunk: The stored events.
            new: What the stored events named for the first time.

        Returns:
            The outcome of the whole batch.
        """
        stored = map(repeat, ("stored", "", "", None, ()))
        statuses = list(map(RowStatus._make, zip(map(_id, self.events), *stored, strict=False)))
        for index, status in enumerate(self._statuses):
            if status is not None:
                statuses[index] = status
        for index, problems in self._lost.items():
            if self._statuses[index] is None:
                statuses[index] = statuses[index]._replace(lost=tuple(problems))
        result = AppendResult(version, statuses, chunk)
        result.new = new
        return result

    def _compare(self, index: int, digest: bytes) -> None:
        event_id = self.events[index].id
        if self.digests[index] == digest:
            self._statuses[index] = RowStatus(event_id, "duplicate")
        else:
            error = "the id is taken by an event of other content"
            self._statuses[index] = RowStatus(event_id, "conflict", error, "id")


class Appender:
    """Writes batches in transactions of the caller; caches id numbers, event types and field types.

    The caller holds a lock: one transaction at a time. Other processes are noticed by the counters
    of the log's head. After a transaction that failed the caller calls `invalidate`.

    Args:
        store: The database.
        erased: Refuses rows of erased users; None: no user is refused.

    Attributes:
        reserved: The event types that fit however many others there are.
    """

    def __init__(self, store: Store, erased: ErasedUsers | None = None) -> None:
        self.reserved: frozenset[str] = frozenset()
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
        self,
        connection: Connection,
        batch: EventBatch,
        traces: UserRowOffsets,
        source: ImportSource | None = None,
        types: Mapping[tuple[str, str], FieldType] | None = None,
    ) -> AppendResult:
        """Store the events of a batch that are new and valid.

        Args:
            connection: The connection of the open transaction.
            batch: The events.
            traces: The rows of the users that the batch erases, as far as they are known.
            source: The import that the batch belongs to.
            types: Declared types; those of fields without a value are not stored.

        Returns:
            The outcome, valid once the transaction is committed.
        """
        head = read_head(self._store, connection)
        if head.erasures != self._erasures:  # another process has erased users
            self._users.invalidate()
            self._erasures = head.erasures
        self._event_types.load(self._store, connection, head.kinds)
        self._schema.load(self._store, connection, head.fields)
        if types:
            self._schema.declare(types)
        hashes = [batch.hashes[index] for index in batch.pending]
        if hashes and (stored := self._event_ids.find(self._store, connection, hashes, head.seq)):
            batch.mark_known(stored)
        if source is not None and batch.repeated_offsets:
            note_repeats(self._store, connection, *source[:2], batch.repeated_offsets)
        if self._erased is not None and (head.erasures or batch.erased_ids):
            self._erased.refuse(self._store, connection, head, batch)
        events = admit_events(
            batch, self._schema, self._event_types, reserved=self.reserved, erased=self._erased
        )
        batch.mark_repeats()
        if not events:
            return batch.result(head.seq)
        result = self._insert(
            connection,
            head,
            batch,
            events,
            traces,
            fields_without_values(types, events) if types else (),
        )
        if source is not None:
            record_rows(self._store, connection, source, head.seq + 1, result.version)
        return result

    def invalidate(self) -> None:
        """Drop the caches of ids and types: a transaction has failed."""
        for cache in (self._items, self._users, self._event_types, self._schema):
            cache.invalidate()

    def _insert(
        self,
        connection: Connection,
        head: LogHead,
        batch: EventBatch,
        events: list[Event],
        traces: UserRowOffsets,
        untyped: Collection[tuple[str, str]] = (),
    ) -> AppendResult:
        """Store `events` (those of `batch.pending`), the ids and types they need, and the head."""
        store = self._store
        record_types = {event.record_type for event in events}
        rebuilds = not record_types.isdisjoint(("retract", "retype", "retire"))
        erasing = {index for index, event in enumerate(events) if event.record_type == "erase"}
        n_users = head.users
        if "retract" in record_types:
            events = with_row_runs(store, connection, events)
        if "merge" in record_types:
            events = with_target_numbers(store, connection, events, self._users, n_users)
            n_users = self._users.count
        items = self._items.assign(store, connection, [event.item for event in events], head.items)
        user_ids = [event.user for event in events]
        users = self._users.assign(store, connection, user_ids, n_users, erasing)
        new_kinds = self._event_types.add(store, connection, [event.event_type for event in events])
        kinds = self._event_types.numbers
        rows = event_rows(batch, events, kinds, users, items, head.seq + 1)
        store.insert(connection, "events", EVENT_COLUMNS, rows)
        store.index_events(connection, [batch.hashes[i] for i in batch.pending], head.seq + 1)
        erased = [number for index in erasing if (number := users[index]) is not None]
        if erased:
            erase_users(store, connection, erased, traces)
            self._erasures = head.erasures + 1
        fields = self._schema.save(
            store,
            connection,
            head.fields,
            unused=untyped,
            removed=retract_rows(store, connection, events, head.seq + 1) if rebuilds else (),
            changed=rebuilds
            and apply_retype_records(store, connection, events)
            + apply_retire_records(store, connection, events)
            > 0,
        )
        write_head(
            connection,
            LogHead(
                version := head.seq + len(rows),
                self._items.count,
                self._users.count,
                len(self._event_types.numbers),
                fields,
                head.erasures + bool(erased),
            ),
        )
        counts = self._items.count - head.items, self._users.count - head.users
        chunk = chunk_from_rows(rows) if not erased and len(rows) <= MAX_RETURNED_ROWS else None
        return batch.result(version, chunk, NewNames(*counts, tuple(new_kinds)))
