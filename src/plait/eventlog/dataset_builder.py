"""Builds a `Dataset` from the columns of a log, or from arrays: order, clock, catalogues, triples.

Interactions are ordered by (user, time, offset) if every one has a time. Else the clock is
"position": the order is (user, position, offset), those without a position last, and
`Interactions.times` holds the position; one without a position continues its user's positions by
one (from 0 if the user has none).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.array_types import BoolArray, Float32Array, Int16Array, Int32Array, Int64Array
from plait.data.catalogue import NO_TIME, Catalogue, Change, FieldType
from plait.data.dataset import Dataset, Interactions, Triples
from plait.data.event import Event
from plait.errors import InputError
from plait.schema.schema import FieldReader, Schema

__all__ = ["Columns", "DatasetParts", "EntityRecord", "assemble", "from_arrays"]

Entity = Literal["item", "user"]
ChangeKind = Literal["put", "patch", "delete"]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """N interactions by offset.

    Attributes:
        offsets: int64 [N], places in the log.
        users: int32 [N], user numbers.
        items: int32 [N], item numbers.
        kinds: int16 [N], numbers of event types.
        times: int64 [N], microseconds since 1970 UTC, `NO_TIME` for none.
        positions: int64 [N], `NO_TIME` for none.
        values: float32 [N], NaN for none.
    """

    offsets: Int64Array
    users: Int32Array
    items: Int32Array
    kinds: Int16Array
    times: Int64Array
    positions: Int64Array
    values: Float32Array

    def __len__(self) -> int:
        return len(self.offsets)

    @staticmethod
    def empty() -> Columns:
        """Return no interactions at all."""
        return _fill_columns({"users": [], "items": []})

    def take(self, where: BoolArray | Int64Array) -> Columns:
        """Select interactions.

        Args:
            where: A mask bool [N], or indices.

        Returns:
            The interactions at `where`, in that order.
        """
        return Columns(*(getattr(self, name)[where] for name in self.__slots__))


class EntityRecord(NamedTuple):
    """A change of an item or a user, or a triple.

    Attributes:
        offset: Its place in the log.
        number: The number of the item or user; not used by a triple.
        kind: "put", "patch" or "delete", or the relation of a triple.
        time: Microseconds since 1970 UTC, `NO_TIME` for none.
        fields: The text of a JSON object (that of a triple has "head" and "tail"), or None.
    """

    offset: int
    number: int
    kind: str
    time: int
    fields: str | None


def _nobody() -> Int64Array:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class DatasetParts:
    """Everything that a data set is built from.

    Attributes:
        version: The offset up to which the log is included.
        interactions: The interactions.
        item_ids: The external ids of all item numbers.
        user_ids: The external ids of all user numbers, "" for erased users.
        kinds: The names of the numbers in `interactions.kinds`.
        types: The types of fields by (entity, field name).
        item_changes: The changes of items, by offset.
        user_changes: The changes of users, by offset.
        triples: The triples, by offset.
        absent_items: Numbers of items that only retracted rows name, int64 [M].
        absent_users: Likewise of users.
    """

    version: int
    interactions: Columns
    item_ids: Sequence[str]
    user_ids: Sequence[str]
    kinds: Sequence[str]
    types: Mapping[tuple[str, str], FieldType]
    item_changes: Sequence[EntityRecord]
    user_changes: Sequence[EntityRecord]
    triples: Sequence[EntityRecord]
    absent_items: Int64Array = field(default_factory=_nobody)
    absent_users: Int64Array = field(default_factory=_nobody)


def assemble(parts: DatasetParts, until_time: int | None = None) -> Dataset:
    """Build a data set, as it could have been known just before a time.

    Args:
        parts: What it is built from.
        until_time: Microseconds since 1970 UTC; None: everything is included. With a time,
            interactions without a time are left out, because they may be later; changes and
            triples without a time are included; and only entities that occur before are alive.

    Returns:
        The data set.
    """
    columns = parts.interactions
    if until_time is not None:
        columns = columns.take((columns.times < until_time) & (columns.times != NO_TIME))
    clock, interactions = _sort(columns)
    event_types = np.unique(interactions.event_types)
    indices = np.searchsorted(event_types, interactions.event_types)
    seen_items, seen_users = (None, None) if until_time is None else (columns.items, columns.users)
    items = _build_catalogue(parts, "item", seen_items, until_time)
    return Dataset(
        version=parts.version,
        catalogue=items,
        users=_build_catalogue(parts, "user", seen_users, until_time),
        interactions=replace(interactions, event_types=indices.astype(np.int16)),
        event_types=tuple(parts.kinds[number] for number in event_types),
        triples=_build_triples(parts.triples, items, until_time),
        clock=clock,
    )


def _sort(columns: Columns) -> tuple[Literal["time", "position"], Interactions]:
    """Interactions in the order of every user's history; rows of equal keys stay by offset."""
    clock: Literal["time", "position"]
    if (columns.times != NO_TIME).all():
        clock, key = "time", columns.times
    else:
        last = np.iinfo(np.int64).max
        clock, key = "position", np.where(columns.positions == NO_TIME, last, columns.positions)
    order = np.lexsort((key, columns.users))
    del key  # the arrays are large
    users = columns.users[order]
    times = columns.times[order] if clock == "time" else _ranks(users, columns.positions[order])
    return clock, Interactions(
        users,
        columns.items[order],
        columns.kinds[order],
        times,
        columns.values[order],
        np.ones(len(order), np.float32),
        columns.offsets[order],
    )


def _ranks(users: Int32Array, positions: Int64Array) -> Int64Array:
    """Positions, continued by one after the last known one of a user; rows are sorted by user."""
    indices = np.arange(len(users))
    is_first = np.r_[True, users[1:] != users[:-1]][: len(users)]
    start = np.maximum.accumulate(np.where(is_first, indices, 0))
    known = positions != NO_TIME
    last_known = np.maximum.accumulate(np.where(known, indices, -1))
    has_known = last_known >= start
    base = np.where(has_known, positions[np.maximum(last_known, 0)], -1)
    steps = indices - np.where(has_known, last_known, start - 1)
    return np.where(known, positions, base + steps)


def _build_catalogue(
    parts: DatasetParts, entity: Entity, seen: Int32Array | None, until: int | None
) -> Catalogue:
    """Items or users with their fields; those not in `seen` are not alive (None: all are)."""
    ids = parts.item_ids if entity == "item" else parts.user_ids
    changes = _typed_changes(parts, entity, until)
    catalogue = Catalogue().with_ids(ids)
    catalogue.index.pop("", None)  # erased users have no id
    alive = np.array(list(map(bool, ids)), np.bool_)
    alive[parts.absent_items if entity == "item" else parts.absent_users] = False
    if seen is not None:
        alive[np.setdiff1d(np.arange(len(ids)), seen)] = False
    names = dict.fromkeys(name for change in changes for name in change.fields)
    with_columns = catalogue.with_columns({name: parts.types[entity, name] for name in names})
    return replace(with_columns, alive=alive).updated(changes)


def _typed_changes(parts: DatasetParts, entity: Entity, until: int | None) -> list[Change]:
    """The changes before `until`, in the order of their offsets.

    The live state applies them in that order too; the time decides only what was known when.
    """
    seen: set[int] = set()
    changes: list[Change] = []
    reader = FieldReader(entity, parts.types)
    for offset, number, kind, time, fields in (
        parts.item_changes if entity == "item" else parts.user_changes
    ):
        if until is not None and time >= until:
            continue
        # "patch" does the same as "put" for an entry without fields, and is quicker.
        change = "patch" if kind == "put" and number not in seen else kind
        seen.add(number)
        values = reader.read(fields)
        changes.append(Change(number, cast(ChangeKind, change), values, offset))
    return changes


def _build_triples(records: Sequence[EntityRecord], items: Catalogue, until: int | None) -> Triples:
    known = [
        (record.kind, orjson.loads(record.fields))
        for record in records
        if record.fields is not None and (until is None or record.time < until)
    ]
    relations = tuple(relation for relation, _ in known)
    heads, tails = (tuple(ends[name] for _, ends in known) for name in ("head", "tail"))
    return Triples(items.numbers(heads), relations, tails, items.numbers(tails), heads)


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
    schema, admitted, lost = schema.admit(events)
    for problem in lost:
        message = f"{entity} {problem.index}: {problem.error}"
        raise InputError(message, field=problem.field)
    return schema, [event for event in admitted if isinstance(event, Event)]


def _puts(index: Mapping[str, int], events: Sequence[Event], first: int) -> list[EntityRecord]:
    return [
        EntityRecord(offset, index[event.id], "put", NO_TIME, event.fields)
        for offset, event in enumerate(events, first)
    ]
