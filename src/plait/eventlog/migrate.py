"""Upgrades the schema of a log when it is opened, and refuses the schema of a newer Plait."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from plait.errors import StorageError
from plait.eventlog.base_store import Store

__all__ = ["NEWEST", "SCRIPTS", "check_schema", "migrate"]

SCRIPTS = Path(__file__).with_name("migrations")
NEWEST = "0004"
"""The revision that this code reads and writes; the last file in `migrations/versions`."""


def migrate(store: Store, *, scripts: Path = SCRIPTS, newest: str = NEWEST) -> None:
    """Upgrade the schema in one transaction that no other writer overlaps.

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
        if revision != newest:
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
