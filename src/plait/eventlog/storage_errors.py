"""Translates errors of databases to StorageError with a hint."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from plait.errors import StorageError

__all__ = ["damage_of", "storage_errors"]

_DAMAGE = ("malformed", "not a database", "invalid page", "could not read block")
"""What SQLite and PostgreSQL say of a file that holds something else than they wrote."""

_HINTS = (
    ("disk is full", "free some space and try again; what was stored before is intact"),
    ("no space left", "free some space and try again; what was stored before is intact"),
    ("could not extend", "free some space and try again; what was stored before is intact"),
    ("disk i/o", "check free space, quotas and the system's log; what was stored is intact"),
    ("readonly", "let this user write to the file and to its directory"),
    ("read-only", "let this user write to the file and to its directory"),
    ("permission denied", "let this user write to the file and to its directory"),
    ("invalid page", "the file is damaged: put a backup in its place"),
    ("could not read block", "the file is damaged: put a backup in its place"),
    ("malformed", "the file is damaged: put a backup in its place"),
    ("not a database", "the file is damaged or not a database: put a backup in its place"),
    ("locked", "another process has been writing for too long: try again"),
    ("lock timeout", "another process has been writing for too long: try again"),
    ("unable to open", "check that the directory exists and that this user may write there"),
    ("connection", "check that PostgreSQL runs, and host, user and password"),
    ("does not exist", "create the database first"),
)


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Translate every database error inside the block.

    Args:
        doing: What is being done, such as "read the log".

    Yields:
        Nothing.

    Raises:
        StorageError: For an error of SQLite, PostgreSQL, SQLAlchemy or the operating system.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as problem:
        raise _translated(doing, problem) from problem
    except Exception as problem:
        if type(problem).__module__.partition(".")[0] != "psycopg":  # not imported unless in use
            raise
        raise _translated(doing, problem) from problem


def damage_of(problem: StorageError) -> str:
    """Return what a database said of damage to its file.

    Args:
        problem: The error of a read.

    Returns:
        The words, "" if the error has another cause.
    """
    text = problem.message
    return text if any(sign in text.lower() for sign in _DAMAGE) else ""


def _translated(doing: str, problem: BaseException) -> StorageError:
    original = problem.orig if isinstance(problem, DBAPIError) and problem.orig else problem
    text = str(original).strip() or type(original).__name__
    hint = next((hint for sign, hint in _HINTS if sign in text.lower()), "")
    public = f"cannot {doing}: the database refuses or does not answer"
    return StorageError(f"cannot {doing}: {text.splitlines()[0]}", hint=hint, public=public)
