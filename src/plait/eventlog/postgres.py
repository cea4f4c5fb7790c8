"""The log in a PostgreSQL database, for servers on several machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL

from plait.errors import MissingExtraError
from plait.eventlog.base_store import Store
from plait.eventlog.postgres_listener import CHANNEL, Listener
from plait.eventlog.storage_errors import storage_errors
from plait.eventlog.tables import run_of

__all__ = ["PostgresStore"]

WRITE_LOCK = 0x706C616974
"""The number of the advisory lock of all writers ("plait")."""


class PostgresStore(Store):
    """Every writing transaction holds one advisory lock.

    The lock is released after the commit is visible, so that offsets appear in their order. With a
    sequence, 7 could be visible before 6, and a follower of the log would never read 6.

    Args:
        url: The URL of the database.
    """

    def __init__(self, url: URL) -> None:
        try:
            import psycopg  # noqa: F401
        except ImportError as problem:
            raise MissingExtraError("PostgreSQL", "postgres") from problem
        engine = create_engine(url, pool_pre_ping=True)
        event.listen(engine, "connect", _prepare)
        super().__init__(engine)

    def acquire_write_lock(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))

    def in_clause(self, keys: Sequence[Any]) -> tuple[str, Any]:
        return "= ANY(?)", list(keys)

    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Any]
    ) -> None:
        sql = f"COPY {table} ({','.join(columns)}) FROM STDIN"
        with _driver(connection).cursor() as cursor:
            with cursor.copy(sql) as copy:
                for row in rows:
                    copy.write_row(row)
            if table == "events":  # sent when the transaction commits
                cursor.execute(f"NOTIFY {CHANNEL}")

    def index_events(self, connection: Connection, hashes: Sequence[int], first: int) -> None:
        rows = sorted((run_of(seq), hash_, seq) for seq, hash_ in enumerate(hashes, first))
        self.insert(connection, "event_ids", ("run", "hash", "seq"), rows)

    def rows(self, connection: Connection, sql: str, *values: Any) -> Iterator[Any]:
        cursor = _driver(connection).cursor(binary=True)
        return iter(cursor.execute(sql.replace("?", "%s"), values))

    def byte_length(self, column: str) -> str:
        return f"octet_length({column})"

    def random_text(self, length: str, *, is_binary: bool = False) -> str:
        text = "md5(random()::text || clock_timestamp()::text)"
        if is_binary:
            return f"decode({text}, 'hex')"
        return f"substr(repeat({text}, {length} / 32 + 1), 1, greatest({length}, 1))"

    def change_token(self) -> object:
        """The last offset."""
        with self.reading("poll the log") as connection:
            return next(self.rows(connection, "SELECT seq FROM head"))[0]

    def listen(self, wake: Callable[[], None]) -> Listener:
        """Listen for notifications on a connection outside the pool.

        Args:
            wake: Called after every commit of events, in a thread.

        Returns:
            The listener.
        """
        dialect = self.engine.dialect
        arguments, options = dialect.create_connect_args(self.engine.url)
        return Listener(lambda: dialect.connect(*arguments, **options), wake)

    def purge_overwritten(self) -> bool:
        """Remove the row versions from before the erasure."""
        with storage_errors("vacuum"), self.engine.connect() as connection:
            plain = connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in ("events", "event_ids", "users", "impressions"):
                plain.exec_driver_sql(f"VACUUM {table}")
        return True


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _prepare(connection: Any, _record: object) -> None:
    """A commit returns only when it is on disk, whatever the server's default is."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SET client_min_messages = warning")
    connection.commit()
