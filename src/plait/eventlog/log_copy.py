"""Copies a log into another database, row by row: SQLite to PostgreSQL, or back.

Offsets, numbers, impressions and erasures stay what they are, so that bundles, request ids and
`at_least` stay valid. The copy is one transaction of the target: it is there as a whole, compared
with the original, or not at all. The original accepts no writes meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select

from plait.errors import ConflictError, StorageError
from plait.eventlog.base_store import Store
from plait.eventlog.log_counters import read_head, write_head
from plait.eventlog.migrate import migrate
from plait.eventlog.open_store import open_store
from plait.eventlog.tables import METADATA, head

__all__ = ["copy_log"]

CHUNK = 20_000
"""How many rows are read at a time."""

_TABLES = tuple(table for table in METADATA.sorted_tables if table is not head)

Progress = Callable[[str, int, int], None]


class _TableDigest:
    """The number of rows, and a digest that does not depend on their order.

    Two databases may sort texts differently, so the digests of the rows are added up.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0

    def add(self, row: tuple[Any, ...]) -> None:
        self.count += 1
        self.total += int.from_bytes(blake2b(repr(row).encode(), digest_size=16).digest())

    def equals(self, other: _TableDigest) -> bool:
        return (self.count, self.total) == (other.count, other.total)


def copy_log(source: str | Path, target: str | Path, progress: Progress) -> dict[str, int]:
    """Copy a log into an empty database.

    Args:
        source: The log, as `EventLog.open` takes it.
        target: The database: a URL of PostgreSQL, or a folder without a log.
        progress: Called with the table, how many rows are copied, and how many there are.

    Returns:
        How many rows each table has.

    Raises:
        ConflictError: If the target holds a log with rows already.
        InputError: If a URL is not valid.
        StorageError: If a database refuses, or the copy is not equal to the original; then the
            target is as empty as before.
    """
    with ExitStack() as opened:
        stores = []
        for place, create in ((source, False), (target, True)):
            store = open_store(place, create)
            opened.callback(store.close)
            migrate(store)
            stores.append(store)
        original, copy = stores
        reading = opened.enter_context(original.writing("copy the log"))
        writing = opened.enter_context(copy.writing("copy the log"))
        _check_empty(copy, writing)
        digests = {
            table.name: _copy_table(original, reading, copy, writing, table, progress)
            for table in _TABLES
        }
        write_head(writing, read_head(original, reading))
        for table in _TABLES:
            _compare(copy, writing, table, digests[table.name], progress)
        return {name: digest.count for name, digest in digests.items()}


def _check_empty(store: Store, connection: Connection) -> None:
    filled = [table.name for table in _TABLES if _count(connection, table)]
    if read_head(store, connection).seq or filled:
        raise ConflictError(
            "the target already holds a log",
            hint="name an empty database; nothing was changed",
            field="to",
        )


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _copy_table(
    original: Store,
    reading: Connection,
    copy: Store,
    writing: Connection,
    table: Table,
    progress: Progress,
) -> _TableDigest:
    """Copy the rows of a table; returns what they are."""
    columns = [column.name for column in table.columns]
    digest, total = _TableDigest(), _count(reading, table)
    for rows in _chunks(original, reading, table):
        for row in rows:
            digest.add(row)
        copy.insert(writing, table.name, columns, rows)
        progress(f"copy {table.name}", digest.count, total)
    return digest


def _compare(
    store: Store, connection: Connection, table: Table, expected: _TableDigest, progress: Progress
) -> None:
    digest = _TableDigest()
    for rows in _chunks(store, connection, table):
        for row in rows:
            digest.add(row)
        progress(f"check {table.name}", digest.count, expected.count)
    if not digest.equals(expected):
        raise StorageError(
            f"the copy of {table.name} differs: {digest.count:,} rows of {expected.count:,}",
            hint="nothing was stored; run it again, and check the disk of the database",
        )


def _chunks(store: Store, connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a table by primary key, as tuples of plain values."""
    names = ", ".join(column.name for column in table.columns)
    keys = [column.name for column in table.primary_key.columns]
    order = ", ".join(keys)
    places = [list(table.columns.keys()).index(key) for key in keys]
    marks = ", ".join("?" * len(keys))
    sql = f"SELECT {names} FROM {table.name}"  # noqa: S608 our names
    last: tuple[Any, ...] = ()
    tail = f" ORDER BY {order} LIMIT {CHUNK:d}"
    while True:
        after = f" WHERE ({order}) > ({marks})" if last else ""
        rows = [tuple(row) for row in store.rows(connection, sql + after + tail, *last)]
        if rows:
            yield rows
        if len(rows) < CHUNK:
            return
        last = tuple(rows[-1][place] for place in places)
