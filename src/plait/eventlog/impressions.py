"""Impressions (which items a response contained): their table, and a buffer for writing them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from plait.data.array_types import ABSENT
from plait.errors import StorageError
from plait.eventlog.base_store import Store

__all__ = [
    "Impression",
    "ImpressionBuffer",
    "find_impression",
    "insert_impressions",
    "oldest_within",
    "read_impressions",
]

_log = logging.getLogger(__name__)

_COLUMNS = ("request_id", "time", "user_no", "route", "bundle", "version", "payload")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM impressions"  # noqa: S608 ours


OVERHEAD = 200
"""About how many bytes an impression takes beside its payload."""

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""How many bytes of impressions may wait."""

CHECKS = 16
"""The space of all impressions is looked at whenever a sixteenth of it was written."""


class Impression(NamedTuple):
    """A record of one response.

    Attributes:
        request_id: The id of the request.
        time: When it was answered, microseconds since 1970 UTC.
        user: The user's number, -1 if unknown.
        route: The kind of query.
        bundle: The id of the bundle that answered.
        version: The offset up to which the log was applied.
        payload: The text of a JSON object. It must not contain external ids of users: an erasure
            finds impressions by the user's number.
    """

    request_id: str
    time: int
    user: int
    route: str
    bundle: str
    version: int
    payload: str


def insert_impressions(store: Store, connection: Connection, rows: Sequence[Impression]) -> None:
    """Store impressions, except those of known requests and of erased users.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        rows: The impressions; of several with one request id the first is stored.
    """
    in_ids, ids = store.in_clause([row.request_id for row in rows])
    sql = f"SELECT request_id FROM impressions WHERE request_id {in_ids}"  # noqa: S608 ours
    known = {row[0] for row in store.rows(connection, sql, ids)}
    in_users, users = store.in_clause(sorted({row.user for row in rows}))
    sql = f"SELECT number FROM users WHERE erased = 1 AND number {in_users}"  # noqa: S608 ours
    erased = {row[0] for row in store.rows(connection, sql, users)}
    new_rows: dict[str, Sequence[Any]] = {}
    for row in rows:
        if row.request_id not in known and row.user not in erased:
            user = None if row.user == ABSENT else row.user
            new_rows.setdefault(row.request_id, (*row[:2], user, *row[3:]))
    store.insert(connection, "impressions", _COLUMNS, new_rows.values())


def find_impression(store: Store, connection: Connection, request_id: str) -> Impression | None:
    """Look up the impression of a request.

    Args:
        store: The database.
        connection: An open connection to it.
        request_id: The id of the request.

    Returns:
        The impression, None if there is none.
    """
    rows = store.rows(connection, f"{_SELECT} WHERE request_id = ?", request_id)
    return next(map(_from_row, rows), None)


def read_impressions(store: Store, chunk: int) -> Iterator[Impression]:
    """Read all impressions.

    Args:
        store: The database.
        chunk: How many to read in one transaction.

    Yields:
        The impressions, oldest first.
    """
    sql = f"{_SELECT} WHERE (time, request_id) > (?, ?) ORDER BY time, request_id LIMIT {chunk:d}"
    last = (-1 << 63, "")
    while True:
        with store.reading("read impressions") as connection:
            rows = [_from_row(row) for row in store.rows(connection, sql, *last)]
        yield from rows
        if len(rows) < chunk:
            return
        last = (rows[-1].time, rows[-1].request_id)


def oldest_within(store: Store, connection: Connection, most: int) -> int | None:
    """Find the time from which on impressions are kept, so that they take a limited space.

    Args:
        store: The database.
        connection: An open connection to it.
        most: The most bytes of all payloads together.

    Returns:
        The time of the oldest one that is kept, microseconds since 1970 UTC; None where all fit.
    """
    length = store.byte_length("payload")
    sql = f"SELECT time, {length} FROM impressions ORDER BY time DESC"  # noqa: S608 ours
    total = 0
    oldest: int | None = None
    for time, size in store.rows(connection, sql):
        total += size + OVERHEAD
        if total > most:
            return int(time) + 1 if oldest is None else oldest
        oldest = time
    return None


def _from_row(row: Sequence[Any]) -> Impression:
    impression = Impression(*row)
    return impression if row[2] is not None else impression._replace(user=ABSENT)


class ImpressionBuffer:
    """A thread that stores impressions in batches, so that responses do not wait for the database.

    While the database refuses, impressions wait; above the limit the oldest are dropped, because
    responses matter more than their record.

    Args:
        add: Stores impressions, such as `EventLog.add_impressions`.
        find: Looks up the impression of a request, such as `EventLog.impression`.
        every: The shortest time between two commits, in seconds.
        limit: How many impressions may wait; together they have `MAX_WAITING_BYTES` at most.
        bound: Deletes the oldest impressions beyond a number of bytes and returns how many, such
            as `EventLog.bound_impressions`; None: nothing is deleted.
        most_bytes: That number.

    Attributes:
        dropped: How many impressions were dropped.
        pruned: How many were deleted because all of them took too much space.
        problem: Why the database refused last, None after a success.
    """

    def __init__(
        self,
        add: Callable[[Sequence[Impression]], None],
        find: Callable[[str], Impression | None],
        *,
        every: float = 0.1,
        limit: int = 10_000,
        bound: Callable[[int], int] | None = None,
        most_bytes: int = 0,
    ) -> None:
        self.dropped = self.pruned = 0
        self._bound, self._most_bytes = bound, most_bytes
        self._unchecked_bytes = most_bytes  # so that the first commit looks at what is there
        self._waiting_bytes = 0
        self.problem: StorageError | None = None
        self._add, self._find = add, find
        self._every, self._limit = every, limit
        self._waiting: dict[str, Impression] = {}
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plait-impressions", daemon=True)
        self._thread.start()

    def add(self, row: Impression) -> None:
        """Queue an impression and return at once.

        Args:
            row: The impression.
        """
        with self._changed:
            self._waiting[row.request_id] = row
            self._waiting_bytes += len(row.payload)
            while len(self._waiting) > self._limit or self._waiting_bytes > MAX_WAITING_BYTES:
                dropped = self._waiting.pop(next(iter(self._waiting)))
                self._waiting_bytes -= len(dropped.payload)
                self.dropped += 1
            self._changed.notify()

    def find(self, request_id: str) -> Impression | None:
        """Return the impression of a request, stored or still waiting.

        Args:
            request_id: The id of the request.

        Returns:
            The impression, None if there is none.
        """
        with self._changed:
            waiting = self._waiting.get(request_id)
        return waiting or self._find(request_id)

    def flush(self) -> None:
        """Store what waits now.

        Raises:
            StorageError: If the database refuses; the impressions go on waiting.
        """
        with self._writing:
            with self._changed:
                rows = list(self._waiting.values())
            self._add(rows)
            with self._changed:
                for row in rows:
                    if self._waiting.get(row.request_id) is row:
                        del self._waiting[row.request_id]
                self._waiting_bytes = sum(len(row.payload) for row in self._waiting.values())
            self._unchecked_bytes += sum(len(row.payload) for row in rows)
            if self._bound is not None and self._unchecked_bytes * CHECKS >= self._most_bytes:
                self._unchecked_bytes = 0
                self.pruned += self._bound(self._most_bytes)

    def close(self) -> None:
        """Store what waits and stop the thread.

        Raises:
            StorageError: If the database refuses.
        """
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
            except StorageError as problem:  # the rows wait, and are tried again
                if self.problem is None:
                    _log.warning("cannot store impressions, they wait: %s", problem)
                self.problem = problem
            self._closing.wait(self._every)
