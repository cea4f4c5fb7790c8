"""Creates or upgrades the schema of a log when it is opened, refuses that of a newer Plait.

The tables of a new log are created as `plait.eventlog.tables` has them: the migrations lead to the
same tables, but need Alembic, whose import takes longer than all else about a new log.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect

from plait.errors import StorageError
from plait.eventlog.base_store import Store
from plait.eventlog.tables import METADATA, head

__all__ = ["NEWEST", "SCRIPTS", "check_schema", "migrate"]

SCRIPTS = Path(__file__).with_name("migrations")
NEWEST = "0004"
"""The revision that this code reads and writes; the last file in `migrations/versions`."""

_REVISIONS = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's table of one row, the revision of the schema."""


def migrate(store: Store, *, scripts: Path = SCRIPTS, newest: str = NEWEST) -> None:
    """Create or upgrade the schema in one transaction that no other writer overlaps.

    Any number of processes may call this at once: the first one migrates, the others wait.

    Args:
        store: The database.
        scripts: The folder of the migrations.
        newest: The revision to upgrade to.

    Raises:
        StorageError: If a newer Plait has upgraded the schema further.
    """
    with store.reading("open the log") as connection:
        if _revision(connection) == newest:
            return
    with store.writing("open the log") as connection:
        revision = _revision(connection)
        if revision is None and scripts == SCRIPTS:
            _create(connection)
        elif revision != newest:
            _upgrade(connection, revision, scripts, newest)


def check_schema(revision: str | None) -> None:
    """Check that no newer Plait has upgraded the schema since the log was opened.

    Args:
        revision: The revision of the schema now.

    Raises:
        StorageError: If it is not `NEWEST`.
    """
    if revision != NEWEST:
        raise StorageError(
            f"the log's schema is now {revision}, this process supports {NEWEST}",
            hint="a newer Plait has upgraded it: restart this process with that version",
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def _create(connection: Connection) -> None:
    """Create the tables of a new log inside the caller's transaction."""
    for metadata in (_REVISIONS.metadata, METADATA):  # in the order, and so the pages, of Alembic
        metadata.create_all(connection, checkfirst=False)
    counters = {column.name: int(column.primary_key) for column in head.columns}
    connection.execute(head.insert(), counters)
    connection.execute(_REVISIONS.insert(), {"version_num": NEWEST})


def _upgrade(connection: Connection, revision: str | None, scripts: Path, newest: str) -> None:
    """Run Alembic inside the caller's transaction; imported here, because the import is slow."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StorageError(
            f"the log has schema {revision}, this version supports schemas up to {newest}",
            hint="it was written by a newer Plait: upgrade this one",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, newest)
