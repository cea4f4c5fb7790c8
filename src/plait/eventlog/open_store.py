"""Opens the store of a log: SQLite in a home, or PostgreSQL by its URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from plait.errors import InputError, StorageError
from plait.eventlog.base_store import Store
from plait.eventlog.postgres import PostgresStore
from plait.eventlog.sqlite import SqliteStore
from plait.eventlog.storage_errors import storage_errors
from plait.settings import database_url_error
from plait.utils.private_files import make_private_folder

__all__ = ["FILE_NAME", "open_store"]

FILE_NAME = "plait.db"
"""The name of the SQLite file in a home."""


def open_store(url_or_path: str | Path, create: bool) -> Store:
    """Open the database of a log; its schema is left as it is.

    Args:
        url_or_path: A home, or a URL `postgresql+psycopg://...`.
        create: Whether to make the folder of the log if there is none.

    Returns:
        The database, to be closed by the caller.

    Raises:
        InputError: If the URL is not valid.
        StorageError: If there is no log and `create` is False.
    """
    text = str(url_or_path)
    if isinstance(url_or_path, str) and "://" in text:
        message, hint = database_url_error(text)
        if message:
            raise InputError(message, hint=hint, field="log")
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):  # its words may quote the password
            hint = "like postgresql+psycopg://USER:PASSWORD@HOST/NAME"
            raise InputError("not a database URL", hint=hint, field="log") from None
        if url.get_backend_name() != "postgresql":
            raise InputError(
                f"the log cannot be stored in {url.get_backend_name()!r}",
                hint="give a directory, or a URL postgresql+psycopg://...",
                field="log",
            )
        return PostgresStore(url.set(drivername="postgresql+psycopg"))
    home = Path(url_or_path)
    if not create and not (home / FILE_NAME).is_file():
        raise StorageError(f"no log in {home}", hint="is this the home you mean?")
    with storage_errors(f"create {home}"):
        make_private_folder(home)
    return SqliteStore(home / FILE_NAME)
