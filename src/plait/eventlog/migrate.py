"""Brings a store to the newest schema when it is opened, and refuses one from the future."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from plait.errors import StorageError
from plait.eventlog.store import Store

__all__ = ["NEWEST", "SCRIPTS", "check_schema", "migrate"]

SCRIPTS = Path(__file__).with_name("migrations")
NEWEST = "0001"
"""The revision that this code reads and writes; the last file in `migrations/versions`."""


def migrate(store: Store, *, scripts: Path = SCRIPTS, newest: str = NEWEST) -> None:
    """Upgrade the schema to `newest`, in one transaction that no other writer overlaps.

    Any number of processes may call this at once: the first migrates, the others wait and find it
    done. Raises StorageError for a store that a newer Plait has migrated further.
    """
    with store.reading("open the log") as connection:
        if _revision(connection) == newest:
            return
    with store.writing("open the log") as connection:
        revision = _revision(connection)
        if revision != newest:
            _upgrade(connection, revision, scripts, newest)


def check_schema(found: str | None) -> None:
    """Refuse to write when a newer Plait has migrated the store since it was opened."""
    if found != NEWEST:
        raise StorageError(
            f"the log's schema is now {found}, this process knows {NEWEST}",
            hint="a newer Plait has upgraded it: restart this process with that version",
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection, found: str | None, scripts: Path, newest: str) -> None:
    """Run Alembic inside the caller's transaction; imported late, for it is slow to import."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StorageError(
            f"the log has schema {found}, this Plait knows schemas up to {newest}",
            hint="it was written by a newer Plait: upgrade this one",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, newest)
