"""Builds a `Dataset` from the columns of a log: order, clock, catalogues, triples.

Interactions are ordered by (user, time, offset) if every one has a time. Else the clock is
"position": the order is (user, position, offset), those without a position last, and
`Interactions.times` holds the position; one without a position continues its user's positions by
one (from 0 if the user has none).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, cast

import numpy as np
import orjson

from plait.data.array_types import BoolArray, Float32Array, Int16Array, Int32Array, Int64Array
from plait.data.catalogue import NO_TIME, Catalogue, Change, FieldType
from plait.data.dataset import Dataset, Interactions, Triples
from plait.schema.schema import typed

__all__ = ["Columns", "DatasetParts", "EntityRecord", "assemble"]

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
    for offset, number, kind, time, fields in (
        parts.item_changes if entity == "item" else parts.user_changes
    ):
        if until is not None and time >= until:
            continue
        # "patch" does the same as "put" for an entry without fields, and is quicker.
        change = "patch" if kind == "put" and number not in seen else kind
        seen.add(number)
        values = typed(fields, entity, parts.types)
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
