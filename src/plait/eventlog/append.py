"""One batch of events into the log: one transaction, a verdict a row."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import orjson
from sqlalchemy import Connection

from plait.data.catalogue import FieldType
from plait.data.types import NOW, Event
from plait.eventlog.erasure import UserRowOffsets, erase_users, find_traces, new_id
from plait.eventlog.event_id_index import EventIdIndex
from plait.eventlog.event_validation import Problem, id_hash, validate_events
from plait.eventlog.id_allocation import MAX_KINDS, EventTypeTable, IdAllocator, LogHead, read_head
from plait.eventlog.storage_errors import storage_errors
from plait.eventlog.store import Store
from plait.eventlog.stored_schema import StoredSchema
from plait.eventlog.tables import EVENT_COLUMNS, TYPE_CODES
from plait.schema.schema import FieldProblem

__all__ = ["AppendResult", "Appender", "RowStatus", "Status"]

Status = Literal["stored", "duplicate", "conflict", "rejected"]


class RowStatus(NamedTuple):
    """What became of one event. `field` is the part at fault, `error` says what was expected.

    `fault`: of a field whose value does not fit its type, that value and what would.
    """

    id: str
    status: Status
    error: str = ""
    field: str = ""
    fault: FieldProblem | None = None


class AppendResult(NamedTuple):
    """The log's last offset after the commit, and a row for every event, in their order."""

    version: int
    rows: list[RowStatus]


class _Batch:
    """A batch on its way: `rows` fills up, `fresh` are the places of what is still to be stored."""

    def __init__(self, events: Sequence[Event], verdicts: Sequence[bytes | Problem]) -> None:
        self.events = events
        self.rows: list[RowStatus | None] = [None] * len(events)
        self.digests = verdicts
        self.hashes = [
            id_hash(event.id) if isinstance(verdict, bytes) else 0
            for event, verdict in zip(events, verdicts, strict=True)
        ]
        self.repeats: list[tuple[int, int]] = []
        self.fresh: list[int] = []
        first: dict[str, int] = {}
        for place, verdict in enumerate(verdicts):
            if isinstance(verdict, Problem):
                self.reject(place, verdict.field, verdict.error)
                continue
            earlier = first.setdefault(events[place].id, place)
            if earlier == place:
                self.fresh.append(place)
            else:
                self.repeats.append((place, earlier))

    def reject(self, place: int, field: str, error: str, fault: FieldProblem | None = None) -> None:
        self.rows[place] = RowStatus(str(self.events[place].id), "rejected", error, field, fault)

    def compare(self, place: int, digest: object) -> None:
        """The id is known: is it the same event?"""
        same = self.digests[place] == digest
        outside = self.events[place].id
        self.rows[place] = (
            RowStatus(outside, "duplicate")
            if same
            else RowStatus(
                outside, "conflict", "the id is taken by an event of other content", "id"
            )
        )

    def settle_repeats(self) -> None:
        """Ids that came twice in this batch: measured against the first of them."""
        for place, earlier in self.repeats:
            before = self.rows[earlier]
            if before is not None and before.status == "rejected":
                self.reject(place, before.field, before.error, before.fault)
            else:
                self.compare(place, self.digests[earlier])

    def result(self, version: int) -> AppendResult:
        events = self.events
        rows = [row or RowStatus(events[place].id, "stored") for place, row in enumerate(self.rows)]
        return AppendResult(version, rows)


class Appender:
    """Appends batches; knows numbers, kinds and field types by heart, as far as they still hold.

    Threads take turns here, processes in the database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._items = IdAllocator("items")
        self._users = IdAllocator("users")
        self._kinds = EventTypeTable()
        self._known = EventIdIndex()
        self._schema = StoredSchema()
        self._erasures = 0
        self._unscrubbed = False

    def append(self, events: Sequence[Event]) -> AppendResult:
        """See `Log.append`."""
        with _collector_paused(len(events)):
            return self._append(events)

    def declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        """See `Log.declare`."""
        with self._turn, storage_errors("declare field types"):
            try:
                with self._store.writing() as connection:
                    head = read_head(self._store, connection)
                    self._schema.load(self._store, connection, head.fields)
                    self._schema.declare(types)
                    count = self._schema.save(self._store, connection, head.fields)
                    if count != head.fields:
                        self._move_head(connection, head._replace(fields=count))
            except BaseException:
                self._schema.invalidate()
                raise

    def _append(self, events: Sequence[Event]) -> AppendResult:
        now = time.time_ns() // 1000
        batch = _Batch([_dated(one, now) for one in events], validate_events(events, now))
        leaving = {one.user for one in events if one.record_type == "erase" and one.user}
        with self._turn, storage_errors("append to the log"):
            traces = find_traces(self._store, leaving) if leaving else UserRowOffsets()
            try:
                with self._store.writing() as connection:
                    version = self._commit(connection, batch, traces)
            except BaseException:
                self._forget()
                raise
            self._unscrubbed |= bool(leaving)
            if self._unscrubbed:
                self._unscrubbed = not self._store.purge_overwritten()
        return batch.result(version)

    def _commit(self, connection: Connection, batch: _Batch, traces: UserRowOffsets) -> int:
        head = read_head(self._store, connection)
        self._refresh(connection, head)
        self._drop_known(connection, head, batch)
        admitted = self._admit(connection, batch)
        batch.settle_repeats()
        if not admitted:
            return head.seq
        gone: list[int] = []
        after = self._insert(connection, head, batch, admitted, gone)
        if gone:
            erase_users(self._store, connection, gone, traces)
            self._erasures = head.erasures + 1
        self._move_head(connection, after._replace(erasures=head.erasures + bool(gone)))
        return after.seq

    def _refresh(self, connection: Connection, head: LogHead) -> None:
        """Unlearn what other processes have changed."""
        if head.erasures != self._erasures:
            self._users.invalidate()
            self._erasures = head.erasures
        self._kinds.load(self._store, connection, head.kinds)
        self._schema.load(self._store, connection, head.fields)

    def _drop_known(self, connection: Connection, head: LogHead, batch: _Batch) -> None:
        """Find the events whose ids the log has."""
        if not batch.fresh:
            return
        hashes = [batch.hashes[place] for place in batch.fresh]
        known = self._known.find(self._store, connection, hashes, head.seq)
        if not known:
            return
        for place in batch.fresh:
            digest = known.get(batch.events[place].id)
            if digest is not None:
                batch.compare(place, digest)
        batch.fresh = [place for place in batch.fresh if batch.rows[place] is None]

    def _admit(self, connection: Connection, batch: _Batch) -> list[Event]:
        """The fresh events that fit the field types, which may grow with them."""
        if not batch.fresh:
            return []
        events = [batch.events[place] for place in batch.fresh]
        verdicts: list[Event | FieldProblem] = self._schema.admit(events)
        room = MAX_KINDS - len(self._kinds.numbers)
        refused = set(self._kinds.unknown(event.event_type for event in events)[room:])
        admitted, places = [], []
        for place, verdict in zip(batch.fresh, verdicts, strict=True):
            if isinstance(verdict, FieldProblem):
                batch.reject(place, verdict.field, verdict.error, verdict)
            elif verdict.event_type in refused:
                batch.reject(place, "kind", f"expected one of the {MAX_KINDS} kinds there are")
            else:
                admitted.append(verdict)
                places.append(place)
        batch.fresh = places
        return admitted

    def _insert(
        self,
        connection: Connection,
        head: LogHead,
        batch: _Batch,
        admitted: list[Event],
        gone: list[int],
    ) -> LogHead:
        """Store `admitted`; `gone` receives the numbers of users to be erased."""
        store = self._store
        stored = [
            event if event.record_type == "interaction" else _as_stored(event) for event in admitted
        ]
        types, ids, kinds, users, items, *rest = zip(*stored, strict=True)
        self._items.load(store, connection, items, head.items)
        self._users.load(store, connection, users, head.users)
        n_kinds = self._kinds.add(store, connection, kinds)
        offsets = range(head.seq + 1, head.seq + 1 + len(stored))
        rows = zip(
            offsets,
            ids,
            [batch.digests[place] for place in batch.fresh],
            map(TYPE_CODES.get, types),
            map(self._kinds.numbers.get, kinds),
            self._user_numbers(types, users, gone),
            self._items.take_all(items),
            *rest,
            strict=True,
        )
        store.insert(connection, "events", EVENT_COLUMNS, rows)
        store.index_events(connection, [batch.hashes[place] for place in batch.fresh], offsets[0])
        n_items = self._items.save(store, connection)
        n_users = self._users.save(store, connection)
        n_fields = self._schema.save(store, connection, head.fields)
        return LogHead(offsets[-1], n_items, n_users, n_kinds, n_fields, head.erasures)

    def _user_numbers(
        self, types: Sequence[str], users: Sequence[str | None], gone: list[int]
    ) -> list[int | None]:
        if "erase" not in types:
            return self._users.take_all(users)
        take = self._users.take
        numbers: list[int | None] = []
        for kind, one in zip(types, users, strict=True):
            if kind != "erase" or one is None:
                numbers.append(None if one is None else take(one))
                continue
            number = self._users.drop(one)  # the same id gets a new number from here on
            numbers.append(number)
            if number is not None:
                gone.append(number)
        return numbers

    def _move_head(self, connection: Connection, head: LogHead) -> None:
        values = ", ".join(f"{name} = {int(value)}" for name, value in head._asdict().items())
        connection.exec_driver_sql(f"UPDATE head SET {values}")  # noqa: S608 integers

    def _forget(self) -> None:
        """After a transaction that failed: nothing it gave out is true."""
        self._items.invalidate()
        self._users.invalidate()
        self._kinds.invalidate()
        self._schema.invalidate()


@contextmanager
def _collector_paused(size: int) -> Iterator[None]:
    """Keep the collector from walking a large batch again and again: a third of the time.

    Nothing here makes cycles, and what a batch makes is freed by counting.
    """
    if size < 5_000 or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _dated(event: Event, now: int) -> Event:
    return event._replace(time=now) if event.time == NOW else event


def _as_stored(event: Event) -> Event:
    """Without what its type has no use for.

    A fact keeps head and tail as text, an erase only whom it concerned.
    """
    if event.record_type == "item":
        return event._replace(user=None)
    if event.record_type == "user":
        return event._replace(item=None)
    if event.record_type == "fact":
        said = orjson.loads(event.fields or "{}")
        said["head"] = event.item
        text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
        return event._replace(item=None, user=None, fields=text)
    outside = new_id() if event.user is not None and event.user in event.id else event.id
    return Event("erase", outside, user=event.user, time=event.time)
