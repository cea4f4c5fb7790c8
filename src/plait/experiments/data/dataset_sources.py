"""Reads the sources of a data set: files, frames, or lists of them."""

from __future__ import annotations

import os
import reprlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plait.errors import InputError
from plait.eventlog.memory_log import MemoryLog
from plait.ingest import FileKind
from plait.ingest.memory_import import import_into_memory

__all__ = ["check_columns", "log_of_sources"]

_ROWS_HINT = "Dataset.from_arrays(users, items, times, values=...) reads columns without names"
_MATRIX_HINT = "coo = matrix.tocoo(); Dataset.from_arrays(coo.row, coo.col, values=coo.data)"
_TABLE_HINT = "give a path, a frame, a dictionary of columns, dictionaries, or a list of frames"


def log_of_sources(sources: Mapping[FileKind, Any], mapping: Any) -> MemoryLog:
    """Import sources into a log in memory; rows that cannot be read are left out with a warning.

    Args:
        sources: A source, or a list of paths or frames, by what its rows are; None for none.
        mapping: The meaning of columns, as for `plait ingest`.

    Returns:
        The log.

    Raises:
        InputError: If there are no events, a source is empty or not a table, or no row can be read.
        MappingError: If the columns cannot be recognised.
    """
    if sources["events"] is None:
        message = "events is None, expected a table of interactions"
        raise InputError(message, hint=_TABLE_HINT, field="events")
    log = MemoryLog()
    for kind, source in sources.items():
        for part in [] if source is None else _tables(source):
            _check_table(part, kind)
            _add_table(log, kind, part, mapping)
    return log


def _check_table(part: Any, kind: FileKind) -> None:
    """Refuse what has no names of columns, and say how its values are read."""
    if hasattr(part, "tocoo"):
        message, hint = f"a sparse matrix {part.shape}", _MATRIX_HINT
    elif hasattr(part, "dtype") and not hasattr(part, "columns"):
        message, hint = f"a {type(part).__name__}, a single column", _TABLE_HINT
    elif isinstance(part, list | tuple) and part and isinstance(part[0], list | tuple):
        message = f"rows without names, such as {reprlib.repr(part[0])}"
        hint = _ROWS_HINT if kind == "events" else _TABLE_HINT
    else:
        return
    raise InputError(f"{kind} is {message}; expected a table", hint=hint, field=kind)


def check_columns(**columns: Any) -> None:
    """Check that arguments are columns of values.

    Args:
        columns: By the name of an argument what was passed.

    Raises:
        InputError: If one is no list, array or other iterable.
    """
    for name, column in columns.items():
        if not isinstance(column, Iterable):
            message = f"{name} is {column!r}, expected a list of ids"
            raise InputError(message, field=name)


def _tables(source: Any) -> Sequence[Any]:
    """The tables of a list of paths or frames; any other source is a single table."""
    is_list = isinstance(source, list | tuple) and len(source) > 0
    is_list_of_tables = is_list and all(
        isinstance(part, str | os.PathLike)
        or (hasattr(part, "columns") and not isinstance(part, Mapping))
        for part in source
    )
    return source if is_list_of_tables else [source]


def _add_table(log: MemoryLog, kind: FileKind, table: Any, mapping: Any) -> None:
    """Import one table; rejected rows are a warning, or an error if there is no other row."""
    result = import_into_memory(log, table, kind, mapping)
    if not result.rows:
        raise InputError(
            f"{kind} has no rows", hint="check how the table was read or filtered", field=kind
        )
    if not result.rejected:
        return
    problems = "; ".join(
        f"row {problem.row}: {problem.field or 'the row'} is {problem.value or 'missing'}, "
        f"expected {problem.expected}"
        for problem in result.problems[:3]
    )
    message = f"{result.rejected:,} rows of {kind} cannot be read: {problems}"
    if not result.stored:
        raise InputError(f"no row can be read: {message}", field=kind)
    warnings.warn(message, UserWarning, stacklevel=5)
