"""Allocates numbers to external ids: dense from 0, each given once and never reused."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from sqlalchemy import Connection

from plait.eventlog.base_store import Store
from plait.eventlog.event_validation import id_hash

__all__ = [
    "MAX_EVENT_TYPES",
    "MAX_UNRESERVED_EVENT_TYPES",
    "EventTypeTable",
    "IdAllocator",
    "find_numbers",
]

MAX_CACHED = 1_000_000
MAX_EVENT_TYPES = 32_767
"""The most numbers that event types, changes and relations can have, retired ones included."""

MAX_UNRESERVED_EVENT_TYPES = 24_000
"""The most names in use from which a new one needs to be reserved: what is left is for reserved
names, and for new ones in the place of retired ones."""


def find_numbers(
    store: Store, connection: Connection, table: Literal["items", "users"], ids: Iterable[str]
) -> dict[str, int]:
    """Look up the numbers of external ids.

    Args:
        store: The database.
        connection: An open connection to it.
        table: Whose ids they are.
        ids: External ids.

    Returns:
        The numbers of those ids that have one; erased users have none.
    """
    return _find_hashed(store, connection, table, {name: id_hash(name) for name in ids})


def _find_hashed(
    store: Store, connection: Connection, table: str, hashes_by_id: Mapping[str, int]
) -> dict[str, int]:
    if not hashes_by_id:
        return {}
    in_hashes, hashes = store.in_clause(sorted(hashes_by_id.values()))
    where = f"hash {in_hashes}" + (" AND erased = 0" if table == "users" else "")
    rows = store.rows(connection, f"SELECT id, number FROM {table} WHERE {where}", hashes)  # noqa: S608 ours
    return {external_id: number for external_id, number in rows if external_id in hashes_by_id}


class IdAllocator:
    """The numbers of items or of users, looked up in bulk, with a bounded cache.

    Used inside one transaction at a time; `invalidate` follows a transaction that failed. The
    argument is the table that holds the numbers.

    Attributes:
        count: How many numbers were given, after the last `assign`.
    """

    def __init__(self, table: Literal["items", "users"]) -> None:
        self.count = 0
        self._table = table
        self._numbers: dict[str, int] = {}

    def assign(
        self,
        store: Store,
        connection: Connection,
        ids: Sequence[str | None],
        count: int,
        erasing: Collection[int] = (),
    ) -> list[int | None]:
        """Return the number of every id; give numbers to new ids and store them.

        Args:
            store: The database.
            connection: The connection of the open transaction.
            ids: External ids; None has no number.
            count: How many numbers were given before.
            erasing: The indices in `ids` of erase events: the id loses its number there, and gets
                a new one if it occurs again later.

        Returns:
            A number for every id; None for None, and for an erased id that has no number.
        """
        numbers = self._numbers
        if len(numbers) > MAX_CACHED:
            numbers.clear()
        unknown = [name for name in dict.fromkeys(ids) if name is not None and name not in numbers]
        hashes = dict(zip(unknown, map(id_hash, unknown), strict=True))
        if count and unknown:
            numbers.update(_find_hashed(store, connection, self._table, hashes))
        assigned: list[int | None]
        if erasing:
            assigned, new_ids = self._assign_in_order(ids, count, erasing)
        else:
            new_ids = [name for name in unknown if name not in numbers]
            numbers.update(zip(new_ids, itertools.count(count), strict=False))
            assigned = [None if name is None else numbers[name] for name in ids]
        if new_ids:
            new_hashes = [hashes[name] if name in hashes else id_hash(name) for name in new_ids]
            rows = list(zip(itertools.count(count), new_ids, new_hashes, strict=False))
            store.insert(connection, self._table, ("number", "id", "hash"), rows)
        self.count = count + len(new_ids)
        return assigned

    def _assign_in_order(
        self, ids: Sequence[str | None], count: int, erasing: Collection[int]
    ) -> tuple[list[int | None], list[str]]:
        """The number of every id where some lose theirs on the way, and the ids that got one."""
        numbers = self._numbers
        assigned: list[int | None] = []
        new_ids: list[str] = []
        for index, external_id in enumerate(ids):
            if external_id is None:
                number = None
            elif index in erasing:
                number = numbers.pop(external_id, None)
            else:
                number = numbers.get(external_id)
                if number is None:
                    number = numbers[external_id] = count + len(new_ids)
                    new_ids.append(external_id)
            assigned.append(number)
        return assigned, new_ids

    def invalidate(self) -> None:
        """Drop the cache."""
        self._numbers.clear()


class EventTypeTable:
    """The numbers of event types (and of changes and relations), all of them cached.

    Attributes:
        numbers: The number of every name.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def load(self, store: Store, connection: Connection, count: int) -> None:
        """Read the numbers again if other processes have added some.

        Args:
            store: The database.
            connection: An open connection to it.
            count: How many event types have a number now.
        """
        if len(self.numbers) != count:
            self.numbers = dict(store.rows(connection, "SELECT name, number FROM kinds"))

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return the names that have no number yet; "" never gets one.

        Args:
            names: Event types; repeated ones count once.

        Returns:
            The new names in the order in which they appear.
        """
        return [name for name in dict.fromkeys(names) if name and name not in self.numbers]

    def without_place(
        self, names: Iterable[str], reserved: Collection[str], n_retired: int
    ) -> set[str]:
        """Find the new names for which there is no number left.

        Args:
            names: Event types.
            reserved: Those that fit however many others there are.
            n_retired: How many of the names that have a number are retired.

        Returns:
            Those of the names that can get no number.
        """
        new = self.unknown(names)
        count = len(self.numbers)
        places = max(0, MAX_UNRESERVED_EVENT_TYPES - count + n_retired)
        others = [name for name in new if name not in reserved]
        admitted = [name for name in new if name in reserved] + others[:places]
        return set(new) - set(admitted[: MAX_EVENT_TYPES - count])

    def add(self, store: Store, connection: Connection, names: Iterable[str]) -> list[str]:
        """Give numbers to the names that have none, and store them.

        Args:
            store: The database.
            connection: The connection of the open transaction.
            names: Event types.

        Returns:
            The names that got a number.
        """
        new_rows = list(zip(self.unknown(names), itertools.count(len(self.numbers)), strict=False))
        if new_rows:
            store.insert(connection, "kinds", ("name", "number"), new_rows)
            self.numbers.update(new_rows)
        return [name for name, _ in new_rows]

    def invalidate(self) -> None:
        """Drop the cache."""
        self.numbers = {}
