"""The log: the truth of a home, appended to and followed by any number of processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.errors import InputError, NotFoundError, StorageError
from plait.eventlog.append import Appender, AppendResult
from plait.eventlog.erasure import new_id
from plait.eventlog.id_allocation import find_number, find_numbers, read_head
from plait.eventlog.impressions import Impression, Impressions
from plait.eventlog.migrate import migrate
from plait.eventlog.postgres import PostgresStore
from plait.eventlog.postgres_listener import Listener
from plait.eventlog.read import (
    EntityChange,
    EventChunk,
    read_chunks,
    read_names,
    read_requests,
    read_said,
)
from plait.eventlog.sqlite import SqliteStore
from plait.eventlog.storage_errors import storage_errors
from plait.eventlog.store import Store
from plait.eventlog.stored_schema import load_schema
from plait.schema.schema import Schema

__all__ = ["FILE_NAME", "EventLog"]

FILE_NAME = "plait.db"


class EventLog:
    """An append-only log of events with offsets 1, 2, 3, ... without gaps; safe among threads.

    Every method raises StorageError when the database refuses.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._appender = Appender(store)
        self._impressions = Impressions(store)
        self._stamp: object = None
        self._version = 0
        self._told = 0

    @classmethod
    def open(cls, url_or_path: str | Path, *, create: bool = True) -> EventLog:
        """Open a home (a directory: SQLite in its `plait.db`) or a `postgresql+psycopg://` URL.

        Brings an older schema up to date. Raises StorageError if the store is missing and not to be
        created, lies on a network file system, is damaged or comes from a newer Plait;
        MissingExtraError without psycopg.
        """
        store = _store(url_or_path, create)
        try:
            migrate(store)
        except BaseException:
            store.close()
            raise
        return cls(store)

    def close(self) -> None:
        """Let go of the database."""
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

    def append(self, events: Sequence[Event]) -> AppendResult:
        """Store a batch in one transaction, each event once.

        A known id is a "duplicate" if everything else is the same too, else a "conflict"; both
        change nothing, and neither does a "rejected" event, whose row says which field is wrong
        and what was expected. When this returns, the stored ones are on disk.
        """
        return self._appender.append(events)

    def declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        """Store field types by (entity, field name) before any value is seen; again: no change.

        They take no offset. Raises ConflictError if a field is stored as another type, InputError
        for a type, entity or name that there cannot be; then none of them is stored.
        """
        self._appender.declare(types)

    def erase(self, user_id: str) -> int:
        """Forget a user for good; returns the offset of the erase event.

        NotFoundError if no such user is known. Appending an event of type "erase" does the same
        and minds no unknown user.
        """
        with storage_errors("read the log"), self._store.reading() as connection:
            known = find_number(self._store, connection, "users", user_id)
        if known is None:
            hint = "ids are compared letter by letter; whoever was erased is gone already"
            raise NotFoundError(f"no user {user_id!r} in the log", hint=hint, field="user")
        event = Event("erase", new_id(), user=user_id, time=time.time_ns() // 1000)
        return self._appender.append([event]).version

    @property
    def version(self) -> int:
        """The last offset, 0 for an empty log."""
        with storage_errors("read the log"), self._store.reading() as connection:
            return read_head(self._store, connection).seq

    def changed(self, after: int | None = None) -> bool:
        """Whether there is anything behind offset `after`; cheap enough to ask every 20 ms.

        Without `after`: whether anything came since this was last asked so (the first time: since
        the log was empty).
        """
        stamp = self._store.change_token()
        if stamp != self._stamp:
            self._version = self.version
            self._stamp = stamp
        if after is not None:
            return self._version > after
        before, self._told = self._told, self._version
        return self._version > before

    def listen(self, wake: Callable[[], None]) -> Listener | None:
        """Have `wake` called, in a thread, soon after every append of anybody; close it again.

        None where the database does not tell (SQLite): then only `changed` does.
        """
        return self._store.listen(wake)

    def read(
        self, after: int = 0, until: int | None = None, *, chunk: int = 100_000
    ) -> Iterator[EventChunk]:
        """The events behind offset `after`, up to `until` (default: what is there now)."""
        last = self.version
        return read_chunks(self._store, after, last if until is None else min(until, last), chunk)

    def entity_changes(
        self, entity: Literal["item", "user"], *, chunk: int = 100_000
    ) -> Iterator[EntityChange]:
        """Every put, patch and delete of items (or users) that is there now, by offset."""
        return read_said(self._store, entity, self.version, chunk)

    def numbers(self, entity: Literal["item", "user"], ids: Iterable[str]) -> dict[str, int]:
        """The numbers of those outside ids that have one."""
        table: Literal["items", "users"] = "items" if entity == "item" else "users"
        with storage_errors("read the log"), self._store.reading() as connection:
            return find_numbers(self._store, connection, table, ids)

    def item_ids(self, first: int = 0) -> list[str]:
        """The outside ids of the item numbers from `first` on."""
        return read_names(
            self._store, "SELECT id FROM items WHERE number >= ? ORDER BY number", first
        )

    def user_ids(self, first: int = 0) -> list[str]:
        """The outside ids of the user numbers from `first` on; "" where one was erased."""
        sql = (
            "SELECT CASE erased WHEN 0 THEN id ELSE '' END FROM users"
            " WHERE number >= ? ORDER BY number"
        )
        return read_names(self._store, sql, first)

    def kinds(self, first: int = 0) -> list[str]:
        """The names of the kind numbers from `first` on: of interactions, changes and relations."""
        return read_names(
            self._store, "SELECT name FROM kinds WHERE number >= ? ORDER BY number", first
        )

    def schema(self) -> Schema:
        """The types of all fields as they are now."""
        with storage_errors("read the log"), self._store.reading() as connection:
            return load_schema(self._store, connection)

    def add_impressions(self, rows: Sequence[Impression]) -> None:
        """Store what was shown, in one transaction; a known request id stays as it is."""
        self._impressions.add(rows)

    def impression(self, request_id: str) -> Impression | None:
        """What was shown in answer to a request; None if unknown or pruned."""
        return self._impressions.find(request_id)

    def impressions(self, *, chunk: int = 1000) -> Iterator[Impression]:
        """Everything that was shown and is still kept, oldest first."""
        return self._impressions.each(chunk)

    def requests(self, until: int, *, chunk: int = 100_000) -> Iterator[tuple[int, str]]:
        """By offset, up to `until`, the interactions that name the request they come from."""
        return read_requests(self._store, min(until, self.version), chunk)

    def prune_impressions(self, before: int) -> int:
        """Delete impressions from before a time (microseconds UTC); returns how many."""
        return self._impressions.prune(before)


def _store(url_or_path: str | Path, create: bool) -> Store:
    text = str(url_or_path)
    if isinstance(url_or_path, str) and "://" in text:
        try:
            url = make_url(text)
        except ArgumentError as problem:
            raise InputError(f"not a database URL: {problem}", field="log") from problem
        if url.get_backend_name() != "postgresql":
            raise InputError(
                f"the log cannot live in {url.get_backend_name()!r}",
                hint="give a directory, or a URL postgresql+psycopg://...",
                field="log",
            )
        return PostgresStore(url.set(drivername="postgresql+psycopg"))
    home = Path(url_or_path)
    if not create and not (home / FILE_NAME).is_file():
        raise StorageError(f"no log in {home}", hint="is this the home you mean?")
    with storage_errors(f"create {home}"):
        home.mkdir(parents=True, exist_ok=True)
    return SqliteStore(home / FILE_NAME)
