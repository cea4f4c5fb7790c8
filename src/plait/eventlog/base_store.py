"""The interface between the log and its database, implemented for SQLite and for PostgreSQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from plait.errors import StorageError
from plait.eventlog.postgres_listener import Listener
from plait.eventlog.storage_errors import damage_of, storage_errors

__all__ = ["Store"]


class Store(ABC):
    """One database: the operations in which SQLite and PostgreSQL differ.

    Its argument is an SQLAlchemy engine, kept as the attribute `engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._damage = ""

    @contextmanager
    def writing(self, doing: str = "write to the log") -> Iterator[Connection]:
        """Open a transaction that no other process's transaction overlaps; commit at the end.

        Args:
            doing: What is being done, for the message of an error.

        Yields:
            The connection of the transaction.

        Raises:
            StorageError: If the database refuses, or a part of it could not be read before: what
                is written there could not be read again.
        """
        if self._damage:
            raise StorageError(
                f"cannot {doing}: the database is damaged ({self._damage})",
                hint="nothing is stored until it is whole: put a backup in its place, then restart",
                public=f"cannot {doing}: the database is damaged",
            )
        with storage_errors(doing), self.engine.connect() as connection, connection.begin():
            self.acquire_write_lock(connection)
            yield connection

    @contextmanager
    def reading(self, doing: str = "read the log") -> Iterator[Connection]:
        """Open a short transaction that only reads.

        Args:
            doing: What is being done, for the message of an error.

        Yields:
            The connection of the transaction.

        Raises:
            StorageError: If the database refuses.
        """
        try:
            with storage_errors(doing), self.engine.connect() as connection:
                yield connection
        except StorageError as problem:
            self._damage = self._damage or damage_of(problem)
            raise

    @contextmanager
    def scanning(self) -> Iterator[Connection]:
        """Open a short transaction that reads many rows, each once: nothing needs to stay cached.

        Yields:
            The connection of the transaction.

        Raises:
            StorageError: If the database refuses.
        """
        with self.reading() as connection:
            yield connection

    @abstractmethod
    def acquire_write_lock(self, connection: Connection) -> None:
        """Wait until this transaction is the only one that writes.

        Args:
            connection: The connection of the transaction.
        """

    @abstractmethod
    def in_clause(self, keys: Sequence[Any]) -> tuple[str, Any]:
        """Return the SQL that follows a column to test whether its value is one of `keys`.

        Args:
            keys: The values.

        Returns:
            The SQL with one placeholder, and the parameter for it.
        """

    @abstractmethod
    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Any]
    ) -> None:
        """Insert rows in bulk.

        Args:
            connection: The connection of the transaction.
            table: The name of the table.
            columns: The names of its columns.
            rows: Tuples in the order of `columns`.
        """

    @abstractmethod
    def index_events(self, connection: Connection, hashes: Sequence[int], first: int) -> None:
        """Add the ids of events to the table `event_ids`.

        Args:
            connection: The connection of the transaction.
            hashes: The hashes of their ids.
            first: The offset of the first event; the others follow it.
        """

    @abstractmethod
    def rows(self, connection: Connection, sql: str, *values: Any) -> Iterator[Any]:
        """Run a query without SQLAlchemy's row objects, which are slower.

        Args:
            connection: An open connection.
            sql: The query, with a ? for every value.
            values: The values.

        Returns:
            The rows as tuples.
        """

    @abstractmethod
    def byte_length(self, column: str) -> str:
        """Return the SQL of the length of a text in bytes.

        Args:
            column: The column that holds it.
        """

    @abstractmethod
    def random_text(self, length: str, *, is_binary: bool = False) -> str:
        """Return the SQL of random text, another for every row.

        Args:
            length: The SQL of its length.
            is_binary: Whether bytes are made, of which there are 16.
        """

    @abstractmethod
    def change_token(self) -> object:
        """Return a value that is cheap to read and changes when another connection commits."""

    def listen(self, wake: Callable[[], None]) -> Listener | None:
        """Call a function after every commit of events.

        Args:
            wake: The function, called in a thread.

        Returns:
            What listens, to be closed by the caller; None if the database cannot notify.
        """
        return None

    @abstractmethod
    def purge_overwritten(self) -> bool:
        """Remove what was overwritten from the files; False if it must be tried again later."""

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
