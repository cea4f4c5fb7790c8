"""Builds data sets: an immutable snapshot of the log up to an offset or a time, or from arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.catalogue import NO_TIME
from plait.data.dataset import Dataset
from plait.data.event import Event
from plait.data.user_merges import UserMerges
from plait.errors import InputError
from plait.eventlog import TYPE_CODES, EventChunk, EventLogReader
from plait.eventlog.dataset_builder import Columns, DatasetParts, EntityRecord, assemble
from plait.eventlog.user_merges import apply_merges, last_target
from plait.schema.schema import FieldProblem, Schema

__all__ = ["from_arrays", "snapshot"]


def snapshot(
    log: EventLogReader,
    *,
    until: int | None = None,
    until_time: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Build the data set of a log. Erased users keep their number and nothing else.

    Args:
        log: The log.
        until: The last offset to include; None: everything.
        until_time: Microseconds since 1970 UTC; includes only interactions strictly before it and
            what was known by then, see `plait.eventlog.dataset_builder.assemble`.
        progress: Called with the number of events that are read and with the number of all.

    Returns:
        The data set; items are alive from their first event until they are deleted.
    """
    version = log.version if until is None else max(0, min(until, log.version))
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in Columns.__slots__}
    changes: dict[str, list[EntityRecord]] = {"item": [], "user": [], "fact": []}
    kinds: list[str] = []
    n_items = n_users = 0
    merges = UserMerges()
    for chunk in log.read(0, version):
        if int(chunk.kinds.max(initial=-1)) >= len(kinds):
            kinds.extend(log.kinds(len(kinds)))
        n_items = max(n_items, int(chunk.items.max(initial=-1)) + 1)
        n_users = max(n_users, int(chunk.users.max(initial=-1)) + 1)
        n_users = max(n_users, last_target(chunk) + 1)
        merges = apply_merges(merges, chunk, until_time)
        is_interaction = chunk.types == TYPE_CODES["interaction"]
        for name, arrays in columns.items():
            arrays.append(getattr(chunk, name)[is_interaction])
        for record_type, records in changes.items():
            records.extend(_records(chunk, record_type, kinds))
        if progress is not None:
            progress(int(chunk.offsets[-1]), version)
    parts = DatasetParts(
        version,
        _with_merged_users(_concatenate(columns), merges),
        log.item_ids()[:n_items],
        log.user_ids()[:n_users],
        kinds,
        log.schema().types,
        changes["item"],
        changes["user"],
        changes["fact"],
    )
    return replace(assemble(parts, until_time), merges=merges)


def _with_merged_users(columns: Columns, merges: UserMerges) -> Columns:
    """The interactions, those of merged users under the users that they became."""
    return replace(columns, users=merges.root_numbers(columns.users)) if len(merges) else columns


def _records(chunk: EventChunk, record_type: str, kinds: Sequence[str]) -> Iterator[EntityRecord]:
    """The changes of items or users, or the triples of a chunk."""
    indices = np.flatnonzero(chunk.types == TYPE_CODES[record_type])
    numbers = chunk.users if record_type == "user" else chunk.items
    return map(
        EntityRecord,
        chunk.offsets[indices].tolist(),
        numbers[indices].tolist(),
        [kinds[kind] for kind in chunk.kinds[indices].tolist()],
        chunk.times[indices].tolist(),
        [chunk.fields[index] for index in indices.tolist()],
    )


def _concatenate(columns: dict[str, list[npt.NDArray[Any]]]) -> Columns:
    """One array a column; the parts of each are freed before the next is made."""
    if not columns["users"]:
        return _fill_columns({"users": [], "items": []})
    return Columns(**{name: np.concatenate(columns.pop(name)) for name in Columns.__slots__})


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
    """Build a data set of N interactions without a log.

    Args:
        users: N external ids, made strings; numbers follow the order of appearance.
        items: Likewise.
        times: N times, microseconds since 1970 UTC or datetime64; None: none has a time.
        positions: N integers that order the interactions of a user; None: none has a position.
        kinds: N event types; None: "view".
        values: N numbers, such as ratings; None: none has a value.
        item_fields: A DataFrame or a mapping of columns; the column "item" has the ids.
        user_fields: Likewise, with the column "user".
        facts: Triples (head, relation, tail) of external ids.

    Returns:
        The data set.

    Raises:
        InputError: If columns have unequal lengths, or a field has values of different types.
    """
    event_types = ["view"] * len(users) if kinds is None else kinds
    columns: dict[str, Any] = {"users": users, "items": items, "kinds": event_types}
    columns |= {"times": times, "positions": positions, "values": values}
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns of unequal length: {lengths}")
    schema, item_events = _field_events("item", item_fields, Schema())
    schema, user_events = _field_events("user", user_fields, schema)
    user_index = _number(users, (event.id for event in user_events))
    item_index = _number(items, (event.id for event in item_events))
    kind_index = _number(event_types, ())
    columns["users"] = [user_index[str(user)] for user in users]
    columns["items"] = [item_index[str(item)] for item in items]
    columns["kinds"] = [kind_index[str(kind)] for kind in event_types]
    parts = DatasetParts(
        len(users) + len(item_events) + len(user_events) + len(facts),
        _fill_columns(columns),
        list(item_index),
        list(user_index),
        list(kind_index),
        schema.types,
        _puts(item_index, item_events, len(users) + 1),
        _puts(user_index, user_events, len(users) + 1),
        [
            EntityRecord(0, -1, relation, NO_TIME, orjson.dumps({"head": h, "tail": t}).decode())
            for h, relation, t in facts
        ],
    )
    return assemble(parts)


def _fill_columns(columns: Mapping[str, Any]) -> Columns:
    """Interactions with the given users, items and those of the other columns that are not None."""
    size = len(columns["users"])
    filled: dict[str, npt.NDArray[Any]] = {
        "offsets": np.arange(1, size + 1),
        "users": np.zeros(0, np.int32),
        "items": np.zeros(0, np.int32),
        "kinds": np.zeros(size, np.int16),
        "times": np.full(size, NO_TIME, np.int64),
        "positions": np.full(size, NO_TIME, np.int64),
        "values": np.full(size, np.nan, np.float32),
    }
    for name, column in columns.items():
        if column is not None:
            array = np.asarray(column)
            if array.dtype.kind == "M":
                array = array.astype("datetime64[us]")
            filled[name] = array.astype(filled[name].dtype)
    return Columns(**filled)


def _number(values: Iterable[Any], more: Iterable[Any]) -> dict[str, int]:
    """A number for every id, by first appearance."""
    ids = dict.fromkeys(map(str, chain(values, more)))
    return dict(zip(ids, range(len(ids)), strict=True))


def _field_events(
    entity: Literal["item", "user"], columns: Any, schema: Schema
) -> tuple[Schema, list[Event]]:
    """The rows of `item_fields` or `user_fields` as events with typed fields."""
    if columns is None:
        return schema, []
    import polars as pl

    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(columns)
    if entity not in frame.columns:
        raise InputError(f"no column {entity!r}; there are {frame.columns}", field=entity)
    events: list[Event] = []
    for row in frame.to_dicts():
        external_id = str(row.pop(entity))
        fields = {name: value for name, value in row.items() if value is not None}
        text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
        owner: dict[str, Any] = {entity: external_id}
        events.append(Event(entity, external_id, "put", fields=text, **owner))
    schema, admitted = schema.admit(events)
    for problem in admitted:
        if isinstance(problem, FieldProblem):
            message = f"{entity} {problem.index}: {problem.error}"
            raise InputError(message, field=problem.field)
    return schema, [event for event in admitted if isinstance(event, Event)]


def _puts(index: Mapping[str, int], events: Sequence[Event], first: int) -> list[EntityRecord]:
    return [
        EntityRecord(offset, index[event.id], "put", NO_TIME, event.fields)
        for offset, event in enumerate(events, first)
    ]
