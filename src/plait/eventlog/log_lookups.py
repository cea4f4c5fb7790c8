"""The part of a log that reads ids, counters and fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from plait.eventlog.base_store import Store
from plait.eventlog.id_allocation import find_numbers
from plait.eventlog.log_counters import read_head
from plait.eventlog.read_columns import EntityChange, read_entity_changes
from plait.eventlog.stored_schema import load_schema
from plait.schema.schema import EVENT_TYPES, Schema

__all__ = ["LogReader"]


class LogReader:
    """Looks up what is in a log; a base of `EventLog` and `DryRunLog`, which have the store."""

    _store: Store

    @property
    def version(self) -> int:
        """The last offset, 0 for an empty log."""
        with self._store.reading() as connection:
            return read_head(self._store, connection).seq

    def entity_changes(
        self, entity: Literal["item", "user"], *, chunk: int = 100_000
    ) -> Iterator[EntityChange]:
        """Read every put, patch and delete of items or of users.

        Args:
            entity: Whose changes.
            chunk: How many offsets to read at a time.

        Returns:
            The changes by offset.
        """
        return read_entity_changes(self._store, entity, self.version, chunk)

    def numbers(self, entity: Literal["item", "user"], ids: Iterable[str]) -> dict[str, int]:
        """Look up the numbers of external ids.

        Args:
            entity: Whose ids they are.
            ids: External ids.

        Returns:
            The numbers of those ids that have one.
        """
        with self._store.reading() as connection:
            table: Literal["items", "users"] = "items" if entity == "item" else "users"
            return find_numbers(self._store, connection, table, ids)

    def item_ids(self, first: int = 0) -> list[str]:
        """Return the external ids of the item numbers from `first` on.

        Args:
            first: The number of the first item.

        Returns:
            The ids by number.
        """
        return self._names("items", "id", first)

    def user_ids(self, first: int = 0) -> list[str]:
        """Return the external ids of the user numbers from `first` on.

        Args:
            first: The number of the first user.

        Returns:
            The ids by number, "" for erased users.
        """
        return self._names("users", "CASE erased WHEN 0 THEN id ELSE '' END", first)

    def kinds(self, first: int = 0) -> list[str]:
        """Return the names of the event type numbers from `first` on.

        Args:
            first: The number of the first name.

        Returns:
            The names by number: event types, changes ("put", ...) and relations of triples.
        """
        return self._names("kinds", "name", first)

    def name_counts(self) -> dict[str, int]:
        """Count the fields by entity ("item", "user", ...) and, as "kind", the event types in use.

        Returns:
            The counts; changes and relations count as event types, and nothing that was retired.
        """
        fields = "SELECT entity, count(*) FROM fields GROUP BY entity"
        retired = "SELECT count(*) FROM retired WHERE entity = ?"
        with self._store.reading() as connection:
            kinds = read_head(self._store, connection).kinds
            counts = dict(self._store.rows(connection, fields))
            n_retired = next(iter(self._store.rows(connection, retired, EVENT_TYPES)))[0]
        return {**counts, EVENT_TYPES: kinds - n_retired}

    def _names(self, table: str, column: str, first: int) -> list[str]:
        sql = f"SELECT {column} FROM {table} WHERE number >= ? ORDER BY number"  # noqa: S608 ours
        with self._store.reading() as connection:
            return [row[0] for row in self._store.rows(connection, sql, first)]

    def schema(self) -> Schema:
        """Return the types of all fields."""
        with self._store.reading() as connection:
            return load_schema(self._store, connection)
