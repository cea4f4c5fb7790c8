"""What goes wrong in a database, said so that the reader knows the next step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from plait.errors import StorageError

__all__ = ["storage_errors"]

_HINTS = (
    ("disk is full", "free some space and try again; what was stored before is intact"),
    ("no space left", "free some space and try again; what was stored before is intact"),
    ("could not extend", "free some space and try again; what was stored before is intact"),
    ("disk i/o", "look at free space, quotas and the system's log; what was stored is intact"),
    ("readonly", "let this user write to the file and to its directory"),
    ("read-only", "let this user write to the file and to its directory"),
    ("permission denied", "let this user write to the file and to its directory"),
    ("malformed", "the file is damaged: put a backup in its place"),
    ("not a database", "the file is damaged or something else: put a backup in its place"),
    ("locked", "another process has been writing for too long: try again"),
    ("lock timeout", "another process has been writing for too long: try again"),
    ("unable to open", "does the directory exist, and may this user write there?"),
    ("connection", "is PostgreSQL running, and are host, user and password right?"),
    ("does not exist", "create the database first"),
)


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn every database error inside into a StorageError that names what was being done."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as problem:
        raise _translated(doing, problem) from problem
    except Exception as problem:
        if type(problem).__module__.partition(".")[0] != "psycopg":  # not imported unless in use
            raise
        raise _translated(doing, problem) from problem


def _translated(doing: str, problem: BaseException) -> StorageError:
    original = problem.orig if isinstance(problem, DBAPIError) and problem.orig else problem
    said = str(original).strip() or type(original).__name__
    hint = next((hint for sign, hint in _HINTS if sign in said.lower()), "")
    return StorageError(f"cannot {doing}: {said.splitlines()[0]}", hint=hint)
