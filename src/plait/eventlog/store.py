"""The narrow seam between the log and its database: SQLite and PostgreSQL each fill it in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from plait.eventlog.postgres_listener import Listener

__all__ = ["Store"]


class Store(ABC):
    """One database, seen through the few things in which the two kinds differ."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other process's transaction overlaps; commits at the end."""
        with self.engine.connect() as connection, connection.begin():
            self.acquire_write_lock(connection)
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction that only reads."""
        with self.engine.connect() as connection:
            yield connection

    @abstractmethod
    def acquire_write_lock(self, connection: Connection) -> None:
        """Wait until this transaction is the only one that writes."""

    @abstractmethod
    def in_clause(self, keys: Sequence[Any]) -> tuple[str, Any]:
        """The SQL behind a column that says "is one of these", and its parameter."""

    @abstractmethod
    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Any]
    ) -> None:
        """Insert tuples in bulk."""

    @abstractmethod
    def index_events(self, connection: Connection, hashes: Sequence[int], first: int) -> None:
        """Note in `event_ids` the hashes of the events with offsets `first`, `first` + 1, ..."""

    @abstractmethod
    def rows(self, connection: Connection, sql: str, *values: Any) -> Iterator[Any]:
        """Plain tuples; `sql` has a ? for every value. Quicker than rows of SQLAlchemy."""

    @abstractmethod
    def change_token(self) -> object:
        """Something cheap that differs whenever another connection has committed."""

    def listen(self, wake: Callable[[], None]) -> Listener | None:
        """Have `wake` called after every commit of events; None where that cannot be."""
        return None

    @abstractmethod
    def purge_overwritten(self) -> bool:
        """Let no bytes of what was overwritten remain; False: not yet possible, ask again."""

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()
