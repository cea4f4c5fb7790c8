"""The log in one SQLite file on a local disk."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, create_engine, event

from plait.errors import StorageError
from plait.eventlog.base_store import Store
from plait.eventlog.storage_errors import storage_errors
from plait.eventlog.tables import RUN_BITS

__all__ = ["SqliteStore", "file_system"]

BUSY_SECONDS = 60.0
"""How long a transaction waits for the write lock."""

CACHE_KB = 32_768
"""Pages that a connection may cache: a batch of new ids touches many pages of the index of ids."""

SCAN_CACHE_KB = 2_048
"""Pages that it may cache while it reads the log once from one end to the other."""

_NETWORK = re.compile(
    r"(acfs|afs|beegfs|ceph|cifs|coda|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs\d?|ocfs2|orangefs|pvfs2"
    r"|smb\d|smbfs|fuse\.(ceph|gcsfuse|glusterfs|rclone|s3fs|sshfs))\Z"
)

_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",  # deleted content is overwritten with zeros
    "PRAGMA temp_store=MEMORY",
    f"PRAGMA cache_size=-{CACHE_KB}",
    "PRAGMA wal_autocheckpoint=8000",
    "PRAGMA journal_size_limit=67108864",
)


def file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Return the type of a file system.

    Args:
        path: A path on it.
        mounts: The system's list of mounted file systems.

    Returns:
        Such as "ext4"; "" if the system does not tell.
    """
    file_system_type, longest = "", -1
    real = path.resolve()
    with suppress(OSError):
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            _, mount_point, kind, *_ = line.split(" ")
            mounted = Path(mount_point.replace("\\040", " "))
            if len(mounted.parts) >= longest and real.is_relative_to(mounted):
                file_system_type, longest = kind, len(mounted.parts)
    return file_system_type


class SqliteStore(Store):
    """One file with a write-ahead log; one writer at a time from any number of processes.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _refuse_network(path)
        engine = create_engine(
            f"sqlite+pysqlite:///{path}",
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            pool_use_lifo=True,  # a cache for each connection: few of them are in use
        )
        event.listen(engine, "connect", _prepare)
        super().__init__(engine)
        self._poll: sqlite3.Connection | None = None
        self._polling = threading.Lock()

    @contextmanager
    def scanning(self) -> Iterator[Connection]:
        with self.reading() as connection:
            driver = _driver(connection)
            driver.execute(f"PRAGMA cache_size=-{SCAN_CACHE_KB}")
            try:
                yield connection
            finally:
                driver.execute(f"PRAGMA cache_size=-{CACHE_KB}")

    def acquire_write_lock(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def in_clause(self, keys: Sequence[Any]) -> tuple[str, Any]:
        return "IN (SELECT value FROM json_each(?))", orjson.dumps(keys).decode()

    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Any]
    ) -> None:
        marks = ",".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})"  # noqa: S608 our names
        _driver(connection).executemany(sql, rows)

    def index_events(self, connection: Connection, hashes: Sequence[int], first: int) -> None:
        """Insert in the order of the hashes, so that each page of the index is touched once.

        Args:
            connection: The connection of the transaction.
            hashes: The hashes of their ids.
            first: The offset of the first event; the others follow it.
        """
        sql = (
            f"INSERT INTO event_ids SELECT (key + ?1) >> {RUN_BITS}, value, key + ?1"  # noqa: S608
            " FROM json_each(?2) ORDER BY 1, 2"
        )
        _driver(connection).execute(sql, (first, orjson.dumps(hashes).decode()))

    def rows(self, connection: Connection, sql: str, *values: Any) -> Iterator[Any]:
        return _driver(connection).execute(sql, values)

    def byte_length(self, column: str) -> str:
        return f"length(CAST({column} AS BLOB))"

    def random_text(self, length: str, *, is_binary: bool = False) -> str:
        if is_binary:
            return f"randomblob({length})"
        return f"lower(substr(hex(randomblob({length} / 2 + 1)), 1, max({length}, 1)))"

    def change_token(self) -> object:
        """`PRAGMA data_version` of a connection that never writes."""
        with self._polling, storage_errors("poll the log"):
            if self._poll is None:
                self._poll = sqlite3.connect(
                    self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None
                )
            return self._poll.execute("PRAGMA data_version").fetchone()[0]

    def purge_overwritten(self) -> bool:
        """Copy the write-ahead log into the file and truncate it; readers may delay that."""
        for attempt in range(50):
            with storage_errors("shorten the write-ahead log"), self.engine.connect() as connection:
                driver = _driver(connection)
                driver.execute("PRAGMA busy_timeout=100")
                try:
                    busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                finally:
                    driver.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
            if not busy:
                return True
            time.sleep(0.002 * attempt)
        return False

    def close(self) -> None:
        with self._polling:
            if self._poll is not None:
                self._poll.close()
                self._poll = None
        super().close()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver_connection = connection.connection.driver_connection
    assert isinstance(driver_connection, sqlite3.Connection)
    return driver_connection


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Set up a connection; `acquire_write_lock` begins transactions, never the driver."""
    connection.isolation_level = None
    _use_wal(connection)
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite fails with "locked" at once while others open the same new file."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as problem:
            if "locked" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise StorageError(
                f"the file system does not support a write-ahead log (mode {mode})",
                hint="put the home on a local disk, or use PostgreSQL",
            )
        return


def _refuse_network(path: Path) -> None:
    kind = file_system(path)
    if _NETWORK.match(kind):
        raise StorageError(
            f"{path.parent} is on a network file system ({kind})",
            hint="SQLite needs a local disk; to share one log, set a PostgreSQL URL",
        )
