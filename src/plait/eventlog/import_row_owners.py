"""Which stored rows a later import named again, so that an undo of the earlier one leaves them.

A row that the log has is a duplicate and is not stored twice. Were only the import that stored it
remembered, taking that import back would take the row from the later one as well. So each import
notes the rows that it repeats: one bit a row, compressed, by blocks of 2**16 offsets. Of each block
the notes of the `MAX_IMPORTS` newest imports stay: at most one byte for each row of the log.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from plait.data.array_types import BoolArray, Int32Array
from plait.eventlog.base_store import Store

__all__ = ["MAX_IMPORTS", "RowRun", "forget_repeats", "note_repeats", "row_runs"]

MAX_IMPORTS = 8
"""How many imports may have noted the same row; an older note is dropped."""

_BITS = 16
_SIZE = 1 << _BITS


class RowRun(NamedTuple):
    """Rows that follow each other and stay for the same import, or do not stay.

    Attributes:
        first: The offset of the first row.
        last: The offset of the last one.
        import_id: The newest import that named them again; "" for none.
        time: When that import began, microseconds since 1970 UTC.
    """

    first: int
    last: int
    import_id: str = ""
    time: int = 0


def note_repeats(
    store: Store, connection: Connection, import_id: str, time: int, offsets: Sequence[int]
) -> None:
    """Note that an import names rows that the log has.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        import_id: The import.
        time: When it began, microseconds since 1970 UTC.
        offsets: The offsets of the rows.
    """
    numbers = np.unique(np.array(offsets, np.int64))
    sql = "SELECT 1 FROM imports WHERE retracted IS NULL AND id <> ? AND first <= ? AND last >= ?"
    hull = (int(numbers[-1]), int(numbers[0])) if len(numbers) else ()
    if not hull or next(store.rows(connection, sql + " LIMIT 1", import_id, *hull), None) is None:
        return  # posted rows, which no undo can take
    for block in np.unique(numbers >> _BITS).tolist():
        notes = _read_notes(store, connection, block)
        bits = notes[import_id][1] if import_id in notes else np.zeros(_SIZE, np.bool_)
        bits[numbers[numbers >> _BITS == block] & (_SIZE - 1)] = True
        oldest = sorted(notes.keys() - {import_id}, key=lambda name: notes[name][0])
        for name in (import_id, *oldest[: -(MAX_IMPORTS - 1)]):
            sql = "DELETE FROM repeated_rows WHERE block = ? AND id = ?"
            store.rows(connection, sql, block, name)
        text = zlib.compress(np.packbits(bits).tobytes(), 1)
        columns = ("block", "id", "time", "bits")
        store.insert(connection, "repeated_rows", columns, [(block, import_id, time, text)])


def forget_repeats(store: Store, connection: Connection, import_id: str) -> None:
    """Forget what an import repeats, because it is taken back.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        import_id: The import.
    """
    store.rows(connection, "DELETE FROM repeated_rows WHERE id = ?", import_id)


def row_runs(
    store: Store, connection: Connection, batches: Sequence[tuple[int, int]]
) -> list[RowRun]:
    """Divide the rows of an import by the newest other import that named them again.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        batches: The first and the last offset of each batch, ascending.

    Returns:
        Runs that cover all of them, ascending.
    """
    runs: list[RowRun] = []
    block, owners, imports = -1, np.zeros(0, np.int32), [("", 0)]
    for first, last in batches:
        for start in range(first >> _BITS << _BITS, last + 1, _SIZE):
            if start >> _BITS != block:
                block = start >> _BITS
                owners, imports = _owners(_read_notes(store, connection, block))
            low, high = max(first - start, 0), min(last - start, _SIZE - 1)
            window = owners[low : high + 1]
            borders = (np.flatnonzero(np.diff(window)) + 1 + low).tolist()
            ends = [*(border - 1 for border in borders), high]
            for begin, end in zip([low, *borders], ends, strict=True):
                runs.append(RowRun(start + begin, start + end, *imports[owners[begin]]))
    return runs


def _owners(notes: Mapping[str, tuple[int, BoolArray]]) -> tuple[Int32Array, list[tuple[str, int]]]:
    """For each row of a block the index of the newest import that names it, and the imports."""
    owners = np.zeros(_SIZE, np.int32)
    names = sorted(notes, key=lambda name: notes[name][0])
    for number, name in enumerate(names, 1):
        owners[notes[name][1]] = number
    return owners, [("", 0), *((name, notes[name][0]) for name in names)]


def _read_notes(
    store: Store, connection: Connection, block: int
) -> dict[str, tuple[int, BoolArray]]:
    """By import when it began, and which rows of a block it names, bool [2**16]."""
    sql = "SELECT id, time, bits FROM repeated_rows WHERE block = ?"
    return {
        name: (time, np.unpackbits(np.frombuffer(zlib.decompress(bits), np.uint8)).astype(np.bool_))
        for name, time, bits in store.rows(connection, sql, block)
    }
