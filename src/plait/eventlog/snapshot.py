"""An immutable snapshot of the log, up to an offset or a time; or of arrays, without a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.catalogue import NO_TIME
from plait.data.types import Dataset, Event, Int64Array
from plait.errors import InputError
from plait.eventlog import TYPE_CODES, EventChunk, EventLogReader
from plait.eventlog.dataset_builder import Changes, Columns, DatasetParts, TripleColumns, assemble
from plait.schema.schema import FieldProblem, Schema

__all__ = ["from_arrays", "snapshot"]


def snapshot(
    log: EventLogReader,
    *,
    until: int | None = None,
    until_time: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set of the log's events with offsets up to `until` (default: all there are).

    `until_time` (microseconds UTC) keeps interactions strictly before it and what was known of
    items, users and facts by then; see `plait.eventlog.dataset_builder` for this, the order and the
    clock. `progress` is told how many events of how many are read. Erased users keep their number
    and nothing else; items are alive from their first event on until they are deleted.
    """
    version = log.version if until is None else max(0, min(until, log.version))
    gathered = _SnapshotAccumulator()
    for chunk in log.read(0, version):
        gathered.add(chunk, log)
        if progress is not None:
            progress(int(chunk.offsets[-1]), version)
    return assemble(gathered.parts(version, log), until_time)


class _SnapshotAccumulator:
    """Chunk by chunk, the interactions as arrays and the few other events as lists."""

    def __init__(self) -> None:
        self._columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in Columns.__slots__}
        self._kinds: list[str] = []
        self._changes = {"item": Changes(), "user": Changes()}
        self._facts = TripleColumns()
        self._n_items = self._n_users = 0

    def add(self, chunk: EventChunk, log: EventLogReader) -> None:
        if int(chunk.kinds.max(initial=-1)) >= len(self._kinds):
            self._kinds.extend(log.kinds(len(self._kinds)))
        self._n_items = max(self._n_items, int(chunk.items.max(initial=-1)) + 1)
        self._n_users = max(self._n_users, int(chunk.users.max(initial=-1)) + 1)
        rows = chunk.types == TYPE_CODES["interaction"]
        for name, pieces in self._columns.items():
            pieces.append(getattr(chunk, name)[rows])
        self._add_changes(chunk, "item", chunk.items)
        self._add_changes(chunk, "user", chunk.users)
        self._add_facts(chunk)

    def _add_changes(self, chunk: EventChunk, entity: str, numbers: npt.NDArray[np.int32]) -> None:
        rows = np.flatnonzero(chunk.types == TYPE_CODES[entity])
        told = self._changes[entity]
        told.offsets.extend(chunk.offsets[rows].tolist())
        told.numbers.extend(numbers[rows].tolist())
        told.kinds.extend(self._kinds[kind] for kind in chunk.kinds[rows].tolist())
        told.times.extend(chunk.times[rows].tolist())
        told.fields.extend(chunk.fields[row] for row in rows.tolist())

    def _add_facts(self, chunk: EventChunk) -> None:
        rows = np.flatnonzero(chunk.types == TYPE_CODES["fact"])
        self._facts.relations.extend(self._kinds[kind] for kind in chunk.kinds[rows].tolist())
        self._facts.times.extend(chunk.times[rows].tolist())
        self._facts.fields.extend(chunk.fields[row] for row in rows.tolist())

    def parts(self, version: int, log: EventLogReader) -> DatasetParts:
        return DatasetParts(
            version,
            _joined(self._columns),
            log.item_ids()[: self._n_items],
            log.user_ids()[: self._n_users],
            self._kinds,
            log.schema().types,
            self._changes["item"],
            self._changes["user"],
            self._facts,
        )


def _joined(pieces: dict[str, list[npt.NDArray[Any]]]) -> Columns:
    """One array a column; the pieces of each are let go before the next is joined."""
    if not pieces["users"]:
        return _columns(np.zeros(0, np.int32), np.zeros(0, np.int32))
    return Columns(**{name: np.concatenate(pieces.pop(name)) for name in Columns.__slots__})


def _columns(users: npt.NDArray[Any], items: npt.NDArray[Any], **others: Any) -> Columns:
    """Interactions of which only `others` are known besides who and what."""
    size = len(users)
    empty: dict[str, Any] = {
        "offsets": np.arange(1, size + 1),
        "kinds": np.zeros(size, np.int16),
        "times": np.full(size, NO_TIME, np.int64),
        "positions": np.full(size, NO_TIME, np.int64),
        "values": np.full(size, np.nan, np.float32),
    }
    return Columns(users=users, items=items, **{**empty, **others})


def from_arrays(
    users: Sequence[Any],
    items: Sequence[Any],
    times: Any = None,
    positions: Any = None,
    kinds: Sequence[str] | None = None,
    values: Any = None,
    *,
    item_fields: Any = None,
    user_fields: Any = None,
    facts: Sequence[tuple[str, str, str]] = (),
) -> Dataset:
    """A data set of N interactions without a log: for tests, and for data that is at hand.

    `users` and `items` are outside ids (made strings), numbered as they appear; `times`
    microseconds UTC or datetime64; `kinds` "view" if absent; `values` floats. `item_fields` is a
    DataFrame or a mapping of columns, the column "item" being the ids; `user_fields` likewise with
    "user"; `facts` are (head, relation, tail). Raises InputError for unequal lengths or fields
    without a common type.
    """
    _same_lengths(
        users=users, items=items, times=times, positions=positions, kinds=kinds, values=values
    )
    offset = len(users) + 1
    schema = Schema()
    schema, item_events = _described("item", item_fields, schema)
    schema, user_events = _described("user", user_fields, schema)
    user_numbers, user_ids = _numbered(users, [one.user for one in user_events])
    item_numbers, item_ids = _numbered(items, [one.item for one in item_events])
    kind_numbers, kind_names = _numbered(["view"] * len(users) if kinds is None else kinds, [])
    others: dict[str, Any] = {"kinds": np.array(kind_numbers, np.int16)}
    if times is not None:
        others["times"] = _micros(times)
    if positions is not None:
        others["positions"] = np.asarray(positions, np.int64)
    if values is not None:
        others["values"] = np.asarray(values, np.float32)
    parts = DatasetParts(
        offset - 1 + len(item_events) + len(user_events) + len(facts),
        _columns(np.array(user_numbers, np.int32), np.array(item_numbers, np.int32), **others),
        list(item_ids),
        list(user_ids),
        list(kind_names),
        schema.types,
        _puts([item_ids[one.item or ""] for one in item_events], item_events, offset),
        _puts([user_ids[one.user or ""] for one in user_events], user_events, offset),
        TripleColumns(
            [relation for _, relation, _ in facts],
            [NO_TIME] * len(facts),
            [orjson.dumps({"head": head, "tail": tail}).decode() for head, _, tail in facts],
        ),
    )
    return assemble(parts)


def _same_lengths(**given: Any) -> None:
    lengths = {name: len(one) for name, one in given.items() if one is not None}
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns of unequal length: {lengths}")


def _numbered(values: Sequence[Any], more: Sequence[Any]) -> tuple[list[int], dict[str, int]]:
    """The number of every value as they first appear, and all ids; `more` come behind."""
    ids: dict[str, int] = {}
    numbers = [ids.setdefault(str(one), len(ids)) for one in values]
    for one in more:
        ids.setdefault(str(one), len(ids))
    return numbers, ids


def _micros(times: Any) -> Int64Array:
    found = np.asarray(times)
    if found.dtype.kind == "M":
        found = found.astype("datetime64[us]")
    return found.astype(np.int64)


def _described(entity: str, columns: Any, schema: Schema) -> tuple[Schema, list[Event]]:
    """The columns of `item_fields` or `user_fields` as events whose fields have types."""
    if columns is None:
        return schema, []
    import polars as pl

    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(columns)
    if entity not in frame.columns:
        raise InputError(f"no column {entity!r}; there are {frame.columns}", field=entity)
    events = [_put_event(entity, row) for row in frame.to_dicts()]
    schema, verdicts = schema.admit(events)
    for one in verdicts:
        if isinstance(one, FieldProblem):
            raise InputError(f"{entity} {one.index}: {one.error}", field=one.field)
    return schema, [one for one in verdicts if isinstance(one, Event)]


def _put_event(entity: str, row: Mapping[str, Any]) -> Event:
    said = {name: value for name, value in row.items() if name != entity and value is not None}
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
    outside = str(row[entity])
    if entity == "item":
        return Event("item", outside, "put", item=outside, fields=text)
    return Event("user", outside, "put", user=outside, fields=text)


def _puts(numbers: list[int], events: Sequence[Event], first: int) -> Changes:
    size = len(events)
    return Changes(
        list(range(first, first + size)),
        numbers,
        ["put"] * size,
        [NO_TIME] * size,
        [one.fields for one in events],
    )
