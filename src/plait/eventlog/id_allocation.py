"""Outside ids to numbers: dense from 0, given once, never reused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from plait.eventlog.event_validation import id_hash
from plait.eventlog.migrate import check_schema
from plait.eventlog.store import Store

__all__ = [
    "MAX_KINDS",
    "EventTypeTable",
    "IdAllocator",
    "LogHead",
    "find_number",
    "find_numbers",
    "read_head",
]

MAX_CACHED = 1_000_000
MAX_KINDS = 32_767


class LogHead(NamedTuple):
    """The counters of the log: see `plait.eventlog.tables.head`."""

    seq: int
    items: int
    users: int
    kinds: int
    fields: int
    erasures: int


def read_head(store: Store, connection: Connection) -> LogHead:
    """The counters now; refuses a store whose schema this code does not know."""
    sql = (
        "SELECT (SELECT version_num FROM alembic_version),"
        " seq, items, users, kinds, fields, erasures FROM head"
    )
    revision, *counters = next(store.rows(connection, sql))
    check_schema(revision)
    return LogHead(*counters)


def find_number(
    store: Store, connection: Connection, table: Literal["items", "users"], outside: str
) -> int | None:
    """The number of one outside id, None if it has none."""
    alive = " AND erased = 0" if table == "users" else ""
    sql = f"SELECT number FROM {table} WHERE hash = ? AND id = ?{alive}"  # noqa: S608 our names
    found = next(iter(store.rows(connection, sql, id_hash(outside), outside)), None)
    return None if found is None else int(found[0])


def find_numbers(
    store: Store, connection: Connection, table: Literal["items", "users"], ids: Iterable[str]
) -> dict[str, int]:
    """The numbers of those outside ids that have one."""
    wanted = set(ids)
    if not wanted:
        return {}
    among, keys = store.in_clause(sorted(map(id_hash, wanted)))
    where = f"hash {among}" + (" AND erased = 0" if table == "users" else "")
    rows = store.rows(connection, f"SELECT id, number FROM {table} WHERE {where}", keys)  # noqa: S608 ours
    return {one: number for one, number in rows if one in wanted}


class IdAllocator:
    """The numbers of items or of users, looked up in bulk and kept in a bounded cache.

    Used inside one transaction at a time: `load`, then `take` for every id, then `save`. After a
    transaction that failed, `forget`.
    """

    def __init__(self, table: Literal["items", "users"]) -> None:
        self._table = table
        self._known: dict[str | None, int] = {}
        self._fresh: list[tuple[int, str, int]] = []
        self._next = 0

    def load(
        self, store: Store, connection: Connection, wanted: Iterable[str | None], count: int
    ) -> None:
        """Find those of `wanted` that have numbers; `count` numbers were given so far."""
        if len(self._known) > MAX_CACHED:
            self._known.clear()
        self._next, self._fresh = count, []
        known = self._known
        missing = [one for one in set(wanted) if one is not None and one not in known]
        if count:
            known.update(find_numbers(store, connection, self._table, missing))

    def take(self, outside: str) -> int:
        """The number of an id that was `wanted`; a new one if it has none."""
        found = self._known.get(outside)
        if found is None:
            found = self._known[outside] = self._next
            self._fresh.append((found, outside, id_hash(outside)))
            self._next += 1
        return found

    def take_all(self, ids: Sequence[str | None]) -> list[int | None]:
        """The numbers of ids that were `wanted`, None for None."""
        known = self._known
        for one in dict.fromkeys(ids):
            if one is not None and one not in known:
                self.take(one)
        return list(map(known.get, ids))

    def drop(self, outside: str) -> int | None:
        """The number that an id had; from now on the id has none."""
        return self._known.pop(outside, None)

    def save(self, store: Store, connection: Connection) -> int:
        """Store the numbers that were given; returns how many there are now."""
        if self._fresh:
            store.insert(connection, self._table, ("number", "id", "hash"), self._fresh)
        return self._next

    def invalidate(self) -> None:
        """Believe nothing any more."""
        self._known.clear()


class EventTypeTable:
    """The numbers of kinds; few enough to know them all."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def load(self, store: Store, connection: Connection, count: int) -> None:
        """Read them again if others have added some."""
        if len(self.numbers) != count:
            found = store.rows(connection, "SELECT name, number FROM kinds ORDER BY number")
            self.numbers = dict(found)

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that have no number yet; the empty name never gets one."""
        return [name for name in dict.fromkeys(names) if name and name not in self.numbers]

    def add(self, store: Store, connection: Connection, names: Iterable[str]) -> int:
        """Give numbers to those of `names` that have none; returns how many there are now."""
        fresh = [
            (name, number) for number, name in enumerate(self.unknown(names), len(self.numbers))
        ]
        if fresh:
            store.insert(connection, "kinds", ("name", "number"), fresh)
            self.numbers.update(fresh)
        return len(self.numbers)

    def invalidate(self) -> None:
        """Believe nothing any more."""
        self.numbers = {}
