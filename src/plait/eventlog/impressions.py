"""What was shown: its own table, and a buffer that keeps writing out of the way of answering."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete

from plait.data.types import ABSENT
from plait.errors import StorageError
from plait.eventlog.id_allocation import read_head
from plait.eventlog.storage_errors import storage_errors
from plait.eventlog.store import Store
from plait.eventlog.tables import impressions

__all__ = ["Impression", "ImpressionBuffer", "Impressions"]

_COLUMNS = ("request_id", "time", "user_no", "route", "bundle", "version", "payload")


class Impression(NamedTuple):
    """One answer. `time` microseconds UTC, `user` a number (-1: unknown), `payload` JSON text.

    The payload must not hold outside ids of users: an erase finds impressions by the number.
    """

    request_id: str
    time: int
    user: int
    route: str
    bundle: str
    version: int
    payload: str


class Impressions:
    """The table."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, rows: Sequence[Impression]) -> None:
        """Store rows in one transaction; known request ids and erased users are left out."""
        if not rows:
            return
        store = self._store
        with storage_errors("store impressions"), store.writing() as connection:
            read_head(store, connection)
            among, keys = store.in_clause([row.request_id for row in rows])
            sql = f"SELECT request_id FROM impressions WHERE request_id {among}"  # noqa: S608 ours
            known = {row[0] for row in store.rows(connection, sql, keys)}
            among, keys = store.in_clause(sorted({row.user for row in rows}))
            sql = f"SELECT number FROM users WHERE erased = 1 AND number {among}"  # noqa: S608 ours
            erased = {row[0] for row in store.rows(connection, sql, keys)}
            fresh = {
                row.request_id: row
                for row in reversed(rows)
                if row.request_id not in known and row.user not in erased
            }
            stored = [
                (one, when, None if user == ABSENT else user, *rest)
                for one, when, user, *rest in reversed(fresh.values())
            ]
            store.insert(connection, "impressions", _COLUMNS, stored)

    def find(self, request_id: str) -> Impression | None:
        """The impression of a request."""
        store = self._store
        sql = f"SELECT {', '.join(_COLUMNS)} FROM impressions WHERE request_id = ?"  # noqa: S608
        with storage_errors("read impressions"), store.reading() as connection:
            found = next(iter(store.rows(connection, sql, request_id)), None)
        return None if found is None else _known(found)

    def each(self, chunk: int) -> Iterator[Impression]:
        """All there are, oldest first, `chunk` at a time: never in one long transaction."""
        store = self._store
        sql = (
            f"SELECT {', '.join(_COLUMNS)} FROM impressions WHERE (time, request_id) > (?, ?)"  # noqa: S608 ours
            f" ORDER BY time, request_id LIMIT {chunk:d}"
        )
        last = (-1 << 63, "")
        while True:
            with storage_errors("read impressions"), store.reading() as connection:
                rows = [_known(row) for row in store.rows(connection, sql, *last)]
            yield from rows
            if len(rows) < chunk:
                return
            last = (rows[-1].time, rows[-1].request_id)

    def prune(self, before: int) -> int:
        """Delete what was shown before a time."""
        with storage_errors("prune impressions"), self._store.writing() as connection:
            read_head(self._store, connection)
            return connection.execute(
                delete(impressions).where(impressions.c.time < before)
            ).rowcount


def _known(found: Sequence[Any]) -> Impression:
    """A row of the table, -1 for a user it does not know."""
    row = Impression(*found)
    return row if found[2] is not None else row._replace(user=ABSENT)


class ImpressionBuffer:
    """A thread that stores impressions at most every `every` seconds, many in one commit.

    While the database refuses, up to `limit` impressions wait, then the oldest are dropped:
    answers matter more than their record. `dropped` counts them, `problem` is the last refusal.
    """

    def __init__(
        self,
        add: Callable[[Sequence[Impression]], None],
        find: Callable[[str], Impression | None],
        *,
        every: float = 0.1,
        limit: int = 10_000,
    ) -> None:
        self._add, self._find = add, find
        self._every, self._limit = every, limit
        self._waiting: dict[str, Impression] = {}
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self.dropped = 0
        self.problem: StorageError | None = None
        self._thread = threading.Thread(target=self._run, name="plait-impressions", daemon=True)
        self._thread.start()

    def add(self, row: Impression) -> None:
        """Hand over one impression; returns at once."""
        with self._changed:
            self._waiting[row.request_id] = row
            while len(self._waiting) > self._limit:
                self._waiting.pop(next(iter(self._waiting)))
                self.dropped += 1
            self._changed.notify()

    def find(self, request_id: str) -> Impression | None:
        """The impression of a request, stored or not yet."""
        with self._changed:
            waiting = self._waiting.get(request_id)
        return waiting or self._find(request_id)

    def flush(self) -> None:
        """Store what waits, now; if the database refuses (StorageError), it still waits."""
        with self._writing:
            with self._changed:
                rows = list(self._waiting.values())
            self._add(rows)
            with self._changed:
                for row in rows:
                    if self._waiting.get(row.request_id) is row:
                        del self._waiting[row.request_id]

    def close(self) -> None:
        """Store what waits and stop. Raises StorageError if the database refuses."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            if self._closing.is_set():
                return
            try:
                self.flush()
                self.problem = None
            except StorageError as problem:
                self.problem = problem  # kept and tried again
            self._closing.wait(self._every)
