"""The event log: the record from which everything else is built, shared by any number of processes.

A home's log is a SQLite file; a PostgreSQL database holds one log for servers on several machines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import delete

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.errors import NotFoundError
from plait.eventlog import tables
from plait.eventlog.append import Appender, EventBatch
from plait.eventlog.append_result import AppendResult
from plait.eventlog.base_store import Store
from plait.eventlog.erased_users import ErasedUsers, KeySource
from plait.eventlog.erasure import UserRowOffsets, erase_event, find_traces
from plait.eventlog.import_history import ImportHistory
from plait.eventlog.impressions import (
    Impression,
    find_impression,
    insert_impressions,
    oldest_within,
    read_impressions,
)
from plait.eventlog.log_counters import read_head
from plait.eventlog.log_lookups import LogReader
from plait.eventlog.migrate import migrate
from plait.eventlog.open_store import FILE_NAME, open_store
from plait.eventlog.postgres_listener import Listener
from plait.eventlog.read_columns import (
    EventChunk,
    read_chunks,
    read_requests,
)
from plait.eventlog.retraction import ImportSource
from plait.eventlog.user_merges import MergeHistory
from plait.utils.garbage_collector import collector_paused

__all__ = ["FILE_NAME", "EventLog"]


LARGE_BATCH = 5_000
"""From so many events on the garbage collector pauses during an append."""


class EventLog(LogReader, ImportHistory):
    """An append-only log of events with offsets 1, 2, 3, ... without gaps; safe among threads.

    Every method raises StorageError when the database refuses. Use `EventLog.open`.
    """

    def __init__(self, store: Store, erasure_key: KeySource | None = None) -> None:
        self._store = store
        self._erased = None if erasure_key is None else ErasedUsers(erasure_key)
        self._appender = Appender(store, self._erased)
        self._merges = MergeHistory(store)
        self._append_lock = threading.Lock()
        self._purge_due = False
        self._change_token: object = None
        self._seen_version = 0
        self._reported_version = 0

    @classmethod
    def open(
        cls,
        url_or_path: str | Path,
        *,
        create: bool = True,
        erasure_key: KeySource | None = None,
    ) -> EventLog:
        """Open a log and bring an older schema up to date.

        Args:
            url_or_path: A home (a directory whose `plait.db` is the log) or a URL
                `postgresql+psycopg://...`.
            create: Whether to make the log if there is none.
            erasure_key: Returns the key of the hashes of erased users, whose rows are refused;
                None: an erased user's id is like any other.

        Returns:
            The log, to be closed by the caller.

        Raises:
            InputError: If the URL is not valid.
            MissingExtraError: If psycopg is not installed.
            StorageError: If there is no log and `create` is False; if it lies on a network file
                system, is damaged, or was written by a newer Plait.
        """
        store = open_store(url_or_path, create)
        try:
            migrate(store)
        except BaseException:
            store.close()
            raise
        return cls(store, erasure_key)

    def close(self) -> None:
        """Close the connections to the database."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(
        self,
        events: Sequence[Event],
        *,
        source: ImportSource | None = None,
        types: Mapping[tuple[str, str], FieldType] | None = None,
    ) -> AppendResult:
        """Store a batch in one transaction, each event once.

        An event whose id is known is a "duplicate" if everything else is equal, else a "conflict";
        neither changes anything. When this returns, the stored events are on disk.

        Args:
            events: The events.
            source: The import that they belong to, which can be taken back later.
            types: Declared types of fields; those of fields without a value are not stored.

        Returns:
            The last offset, a status for every event, and the stored events as a chunk.
        """
        with collector_paused() if len(events) >= LARGE_BATCH else nullcontext():
            batch = EventBatch(events)
            if batch.erased_ids and (others := self._merges.other_ids_of(batch.erased_ids)):
                batch = EventBatch([*events, *map(erase_event, others)])
            with self._append_lock:
                # Before the transaction: it may take long, and others can still write.
                erased_ids = batch.erased_ids
                traces = find_traces(self._store, erased_ids) if erased_ids else UserRowOffsets()
                if self._erased is not None and not self._erased.seen:
                    self._erased.prepare(self._store)
                try:
                    with self._store.writing("append to the log") as connection:
                        result = self._appender.commit(connection, batch, traces, source, types)
                except BaseException:
                    self._appender.invalidate()
                    raise
                if erased_ids or self._purge_due:
                    self._purge_due = True  # also if the next line fails
                    self._purge_due = not self._store.purge_overwritten()
        own = result._replace(rows=result.rows[: len(events)])
        own.new = result.new
        return own

    def reserve_kinds(self, names: Iterable[str]) -> None:
        """Let event types fit into this log however many others there are.

        Args:
            names: Their names, which are added to those that were reserved before.
        """
        self._appender.reserved |= frozenset(names)

    @property
    def reserved_kinds(self) -> frozenset[str]:
        """The event types that fit however many others there are."""
        return self._appender.reserved

    def declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        """Store field types before any value is known; this takes no offset.

        Args:
            types: The types by (entity, field name).

        Raises:
            ConflictError: If a field is stored as another type; then nothing is stored.
            InputError: If a type, entity or name is not valid; then nothing is stored.
        """
        with self._append_lock:
            try:
                with self._store.writing("declare field types") as connection:
                    self._appender.declare(connection, types)
            except BaseException:
                self._appender.invalidate()
                raise

    def erase(self, user_id: str) -> int:
        """Erase a user and who was merged with the user for good, as an "erase" event does.

        Args:
            user_id: The external id of the user.

        Returns:
            The offset of the erase event.

        Raises:
            NotFoundError: If the log does not know the user.
        """
        if not self.numbers("user", [user_id]):
            hint = "ids are case-sensitive; an erased user is removed from the log"
            raise NotFoundError(f"no user {user_id!r} in the log", hint=hint, field="user")
        return self.append([erase_event(user_id)]).version

    def other_ids_of(self, user_id: str) -> list[str]:
        """Find under which other ids a user is known.

        Args:
            user_id: The external id of the user.

        Returns:
            The ids of those with whom the user was merged; none for an unknown user.
        """
        return self._merges.other_ids_of([user_id])

    def changed(self, after: int | None = None) -> bool:
        """Return whether there are new events; cheap enough to call every 20 ms.

        Args:
            after: An offset; None: the last offset of the previous call without `after` (0 for the
                first call).

        Returns:
            Whether there are events with higher offsets.
        """
        token = self._store.change_token()
        if token != self._change_token:
            self._seen_version = self.version
            self._change_token = token
        if after is not None:
            return self._seen_version > after
        before, self._reported_version = self._reported_version, self._seen_version
        return self._seen_version > before

    def listen(self, wake: Callable[[], None]) -> Listener | None:
        """Call a function soon after every append by any process.

        Args:
            wake: The function, called in a thread.

        Returns:
            What listens, to be closed by the caller; None if the database cannot notify (SQLite):
            then only `changed` tells of new events.
        """
        return self._store.listen(wake)

    def read(
        self, after: int = 0, until: int | None = None, *, chunk: int = 100_000
    ) -> Iterator[EventChunk]:
        """Read events in chunks.

        Args:
            after: The offset before the first event.
            until: The offset of the last event; None: the last there is.
            chunk: The most events in one chunk.

        Returns:
            The chunks in the order of the offsets.
        """
        last = self.version
        return read_chunks(self._store, after, last if until is None else min(until, last), chunk)

    def requests(self, until: int, *, chunk: int = 100_000) -> Iterator[tuple[int, str]]:
        """Read which interactions name the request that they answer.

        Args:
            until: The offset of the last event.
            chunk: How many offsets to read at a time.

        Returns:
            Offset and request id, by offset.
        """
        return read_requests(self._store, min(until, self.version), chunk)

    def digests(self, offsets: Sequence[int]) -> dict[int, bytes]:
        """Look up the digests of events, by which two logs are compared.

        Args:
            offsets: The offsets of the events.

        Returns:
            The digests of those events that the log has, b"" for erased ones.
        """
        in_offsets, parameter = self._store.in_clause(list(offsets))
        sql = f"SELECT seq, type, digest FROM events WHERE seq {in_offsets}"  # noqa: S608 ours
        with self._store.reading() as connection:
            rows = self._store.rows(connection, sql, parameter)
            return {seq: b"" if kind == tables.ERASED else bytes(mark) for seq, kind, mark in rows}

    def add_impressions(self, rows: Sequence[Impression]) -> None:
        """Store impressions in one transaction.

        Args:
            rows: The impressions; those of known requests and of erased users are left out.
        """
        if rows:
            with self._store.writing("store impressions") as connection:
                read_head(self._store, connection)  # refuses a schema that is newer
                insert_impressions(self._store, connection, rows)

    def impression(self, request_id: str) -> Impression | None:
        """Look up the impression of a request.

        Args:
            request_id: The id of the request.

        Returns:
            The impression, None if it is unknown or was deleted.
        """
        with self._store.reading("read impressions") as connection:
            return find_impression(self._store, connection, request_id)

    def impressions(self, *, chunk: int = 1000) -> Iterator[Impression]:
        """Read all impressions.

        Args:
            chunk: How many to read at a time.

        Returns:
            The impressions, oldest first.
        """
        return read_impressions(self._store, chunk)

    def bound_impressions(self, most: int) -> int:
        """Delete the oldest impressions, so that all together take a limited space.

        Args:
            most: The most bytes.

        Returns:
            How many were deleted.
        """
        with self._store.reading("read impressions") as connection:
            oldest = oldest_within(self._store, connection, most)
        return 0 if oldest is None else self.prune_impressions(oldest)

    def prune_impressions(self, before: int) -> int:
        """Delete old impressions.

        Args:
            before: Microseconds since 1970 UTC; older impressions are deleted.

        Returns:
            How many were deleted.
        """
        with self._store.writing("prune impressions") as connection:
            read_head(self._store, connection)  # refuses a schema that is newer
            old = tables.impressions.c.time < before
            return connection.execute(delete(tables.impressions).where(old)).rowcount
