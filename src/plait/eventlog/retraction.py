"""Reverted imports: the rows of each import, and which of them no longer count.

Taking an import back appends one "retract" record, which names the ranges of offsets that do not
count any more. No row is edited: readers of the log get the retracted rows with negative type
codes, and the ids of their events are free again. `imports` is the index of both. Rows that a
later import named again stay, and belong to that import from then on.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import Connection

from plait.data.array_types import BoolArray, Int32Array, Int64Array
from plait.data.types import Event
from plait.eventlog.base_store import Store
from plait.eventlog.import_row_owners import RowRun, forget_repeats, row_runs
from plait.eventlog.tables import TYPE_CODES, run_of

__all__ = [
    "ImportRecord",
    "ImportSource",
    "NamedNumbers",
    "RetractedRows",
    "read_imports",
    "read_retracted_rows",
    "read_staying_rows",
    "record_rows",
    "retract_event",
    "retract_rows",
    "with_row_runs",
]


class ImportSource(NamedTuple):
    """What a batch of imported rows belongs to.

    Attributes:
        import_id: The id of the import: all files of one call have the same.
        time: When the import began, microseconds since 1970 UTC.
        kind: What the rows are: "events", "items", "users" or "facts".
        source: The name of the file.
    """

    import_id: str
    time: int
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One import.

    Attributes:
        id: Its id.
        time: When it began, microseconds since 1970 UTC.
        rows: How many rows it stored, by (kind, source).
        ranges: The first and the last offset of each of its batches.
        retracted: The offset of the record that took it back; None if it counts.
        staying: How many of its rows still count because later imports named them again, by the
            id of the import; known where it is taken back.
    """

    id: str
    time: int
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    ranges: tuple[tuple[int, int], ...] = ()
    retracted: int | None = None
    staying: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class RetractedRows:
    """The rows that do not count, as R ranges of offsets that do not overlap.

    Attributes:
        firsts: int64 [R], the first offsets, ascending.
        lasts: int64 [R], the last offset of each range.
        records: int64 [R], the offset of the record that took each range back.
    """

    firsts: Int64Array
    lasts: Int64Array
    records: Int64Array

    def __len__(self) -> int:
        return len(self.firsts)

    def mask(self, offsets: Int64Array) -> BoolArray:
        """Tell which rows do not count.

        Args:
            offsets: int64 [N].

        Returns:
            bool [N].
        """
        if not len(self):
            return np.zeros(len(offsets), np.bool_)
        ranges = np.searchsorted(self.firsts, offsets, "right") - 1
        return (ranges >= 0) & (offsets <= self.lasts[ranges])

    def without(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Leave out the rows that do not count.

        Args:
            rows: Tuples that begin with an offset.

        Yields:
            The others.
        """
        if not len(self):
            yield from rows
            return
        listed = list(rows)
        offsets = np.array([row[0] for row in listed], np.int64)
        for row, is_retracted in zip(listed, self.mask(offsets).tolist(), strict=True):
            if not is_retracted:
                yield row


class NamedNumbers:
    """Which numbers of items (or users) the rows of a log name, and which only retracted rows."""

    def __init__(self) -> None:
        self._count = 0
        self._is_named = np.zeros(0, np.bool_)
        self._retracted: list[Int64Array] = []

    def __len__(self) -> int:
        return self._count

    def add(self, numbers: Int32Array, types: npt.NDArray[np.int8]) -> None:
        """Take up the rows of a chunk.

        Args:
            numbers: int32 [N], the number that each row names, -1 for none.
            types: int8 [N], the type codes, negative for retracted rows.
        """
        self._count = max(self._count, int(numbers.max(initial=-1)) + 1)
        missing = self._count - len(self._is_named)
        if missing > 0:
            more = np.zeros(max(missing, len(self._is_named)), np.bool_)
            self._is_named = np.concatenate([self._is_named, more])
        is_retracted = types < 0
        if is_retracted.any():
            self._retracted.append(np.unique(numbers[is_retracted]).astype(np.int64))
            numbers = numbers[~is_retracted]
        self._is_named[numbers[numbers >= 0]] = True

    def absent(self) -> Int64Array:
        """Return the numbers that only retracted rows name, int64 [M], ascending."""
        if not self._retracted:
            return np.zeros(0, np.int64)
        numbers = np.unique(np.concatenate(self._retracted))
        numbers = numbers[numbers >= 0]
        return numbers[~self._is_named[numbers]]


def record_rows(
    store: Store, connection: Connection, source: ImportSource, first: int, last: int
) -> None:
    """Remember that a batch belongs to an import.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        source: The import.
        first: The offset of the first row of the batch.
        last: The offset of the last one.
    """
    columns = ("first", "last", "id", "time", "kind", "source")
    row = (first, last, source.import_id, source.time, source.kind, source.source)
    store.insert(connection, "imports", columns, [row])


def read_imports(store: Store, connection: Connection) -> list[ImportRecord]:
    """Read which imports there were.

    Args:
        store: The database.
        connection: An open connection to it.

    Returns:
        The imports that stored anything, oldest first.
    """
    sql = "SELECT first, last, id, time, kind, source, retracted FROM imports ORDER BY first"
    records: dict[str, ImportRecord] = {}
    for first, last, import_id, time, kind, source, retracted in store.rows(connection, sql):
        known = records.get(import_id) or ImportRecord(import_id, time)
        key = (kind, source)
        rows = {**known.rows, key: known.rows.get(key, 0) + last - first + 1}
        ranges = (*known.ranges, (first, last))
        records[import_id] = ImportRecord(import_id, time, rows, ranges, retracted)
    return sorted(records.values(), key=lambda record: record.time)


def read_retracted_rows(store: Store, connection: Connection) -> RetractedRows:
    """Read which rows do not count.

    Args:
        store: The database.
        connection: An open connection to it.

    Returns:
        Their ranges.
    """
    sql = "SELECT first, last, retracted FROM imports WHERE retracted IS NOT NULL ORDER BY first"
    ranges = np.array(list(store.rows(connection, sql)), np.int64).reshape(-1, 3)
    return RetractedRows(*(np.ascontiguousarray(column) for column in ranges.T))


def retract_event(record: ImportRecord, event_id: str, time: int) -> Event:
    """Make the record that takes an import back.

    Args:
        record: The import.
        event_id: The id of the new event.
        time: Now, microseconds since 1970 UTC.

    Returns:
        The event.
    """
    content = {"import": record.id, "ranges": record.ranges}
    return Event("retract", event_id, time=time, fields=orjson.dumps(content).decode())


def with_row_runs(store: Store, connection: Connection, events: Sequence[Event]) -> list[Event]:
    """Complete "retract" records: the rows that do not count, and those that later imports repeat.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        events: The events of a batch.

    Returns:
        The events, with the ranges as they are at this moment.
    """
    completed = []
    for event in events:
        if event.record_type == "retract":
            import_id = orjson.loads(event.fields or "{}").get("import", "")
            runs = _runs_of_import(store, connection, import_id)
            content = {
                "import": import_id,
                "ranges": [run[:2] for run in runs if not run.import_id],
                "staying": [tuple(run) for run in runs if run.import_id],
            }
            completed.append(event._replace(fields=orjson.dumps(content).decode()))
        else:
            completed.append(event)
    return completed


def _runs_of_import(store: Store, connection: Connection, import_id: str) -> list[RowRun]:
    sql = "SELECT first, last FROM imports WHERE id = ? AND retracted IS NULL ORDER BY first"
    batches = list(store.rows(connection, sql, import_id))
    forget_repeats(store, connection, import_id)
    return row_runs(store, connection, batches)


def read_staying_rows(store: Store, connection: Connection, offset: int) -> dict[str, int]:
    """Read how many rows of an import that was taken back stay.

    Args:
        store: The database.
        connection: An open connection to it.
        offset: The offset of the record that took it back.

    Returns:
        The counts by the id of the later import that named the rows again.
    """
    text = next(store.rows(connection, "SELECT fields FROM events WHERE seq = ?", offset))[0]
    counts: dict[str, int] = {}
    for first, last, import_id, _ in orjson.loads(text).get("staying", ()):
        counts[import_id] = counts.get(import_id, 0) + last - first + 1
    return counts


def retract_rows(
    store: Store, connection: Connection, events: Sequence[Event], offset: int
) -> set[tuple[str, str]]:
    """Apply the "retract" records of a batch: free the ids of the rows that do not count any more.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        events: The events of the batch as they are stored.
        offset: The offset of the first of them.

    Returns:
        The fields, by (entity, name), of which no row that counts has a value any more.
    """
    batches: list[tuple[int, int]] = []
    for seq, event in enumerate(events, offset):
        if event.record_type == "retract":
            content = orjson.loads(event.fields or "{}")
            runs = [RowRun(*run) for run in (*content["ranges"], *content["staying"])]
            batches += _retract_runs(store, connection, content["import"], sorted(runs), seq)
    return _orphaned_fields(store, connection, batches) if batches else set()


def _retract_runs(
    store: Store, connection: Connection, import_id: str, runs: Sequence[RowRun], seq: int
) -> list[tuple[int, int]]:
    """Mark the runs of an import in `imports`, and free their ids; returns its batches.

    Rows that stay belong to the import that named them again from now on.
    """
    sql = "SELECT first, last, kind, source, time FROM imports WHERE id = ? AND retracted IS NULL"
    batches = list(store.rows(connection, sql + " ORDER BY first", import_id))
    store.rows(connection, "DELETE FROM imports WHERE id = ? AND retracted IS NULL", import_id)
    firsts = [run.first for run in runs]
    rows = []
    for first, last, kind, source, time in batches:
        inner = runs[bisect_left(firsts, first) : bisect_right(firsts, last)]
        rows += [
            (run.first, run.last, run.import_id, run.time, kind, source, None)
            if run.import_id
            else (run.first, run.last, import_id, time, kind, source, seq)
            for run in inner
        ]
        _free_ids(store, connection, first, last, [run for run in inner if run.import_id])
    columns = ("first", "last", "id", "time", "kind", "source", "retracted")
    store.insert(connection, "imports", columns, rows)
    return [(first, last) for first, last, *_ in batches]


def _free_ids(
    store: Store, connection: Connection, first: int, last: int, staying: Sequence[RowRun]
) -> None:
    """Free the ids of the rows of a batch, but not of those that stay."""
    where = "WHERE run >= ? AND run <= ? AND seq >= ? AND seq <= ?"
    place = (run_of(first), run_of(last), first, last)
    entries: list[tuple[int, int, int]] = []
    if staying:
        rows = RetractedRows(*np.array([(*run[:2], 0) for run in staying], np.int64).T)
        sql = f"SELECT run, hash, seq FROM event_ids {where}"  # noqa: S608 ours
        known = list(store.rows(connection, sql, *place))
        mask = rows.mask(np.array([entry[2] for entry in known], np.int64))
        entries = [entry for entry, stays in zip(known, mask.tolist(), strict=True) if stays]
    store.rows(connection, f"DELETE FROM event_ids {where}", *place)  # noqa: S608 ours
    store.insert(connection, "event_ids", ("run", "hash", "seq"), entries)


def _orphaned_fields(
    store: Store, connection: Connection, batches: Sequence[tuple[int, int]]
) -> set[tuple[str, str]]:
    """The fields of the batches of an import of which no row that counts has a value."""
    names: set[tuple[str, str]] = set()
    for first, last in batches:
        sql = "SELECT type, fields FROM events WHERE seq >= ? AND seq <= ? AND fields IS NOT NULL"
        for code, text in store.rows(connection, sql, first, last):
            names |= _valued_fields(code, text)
    if not names:
        return names
    excluded = read_retracted_rows(store, connection)
    codes = ", ".join(str(code) for code in _ENTITY_BY_CODE)
    sql = (
        f"SELECT seq, type, fields FROM events WHERE type IN ({codes})"  # noqa: S608 integers
        " AND fields IS NOT NULL ORDER BY seq DESC"
    )
    for _, code, text in excluded.without(store.rows(connection, sql)):
        names -= _valued_fields(code, text)
        if not names:
            break
    return names


_ENTITY_BY_CODE = {TYPE_CODES[entity]: entity for entity in ("interaction", "item", "user")}


def _valued_fields(code: int, text: str) -> set[tuple[str, str]]:
    entity = _ENTITY_BY_CODE.get(code)
    if entity is None:
        return set()
    return {(entity, name) for name, value in orjson.loads(text).items() if value is not None}
