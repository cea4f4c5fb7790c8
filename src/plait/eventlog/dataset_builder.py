"""From the columns of a log to a `Dataset`: order, clock, catalogue, facts.

Interactions stand in the order (user, time, offset) if every one has a time. Else the clock is
"position": the order is (user, position, offset), those without a position last, and
`Interactions.times` holds the position; one without a position continues its user's row by one
(from 0 if nobody has any).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.catalogue import NO_TIME, Catalogue, Change, FieldType
from plait.data.types import Dataset, Float32Array, Int32Array, Int64Array, Interactions, Triples
from plait.schema.schema import typed

__all__ = ["Changes", "Columns", "DatasetParts", "TripleColumns", "assemble"]

Types = Mapping[tuple[str, str], FieldType]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """N interactions by offset; `times` and `positions` are `NO_TIME` where there is none."""

    offsets: Int64Array
    users: Int32Array
    items: Int32Array
    kinds: npt.NDArray[np.int16]
    times: Int64Array
    positions: Int64Array
    values: Float32Array

    def __len__(self) -> int:
        return len(self.offsets)

    def take(self, where: npt.NDArray[np.bool_] | Int64Array) -> Columns:
        """The rows at `where`, in that order."""
        return Columns(*(getattr(self, name)[where] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Changes:
    """Item or user events by offset; `kinds` are "put", "patch", "delete"."""

    offsets: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    fields: list[str | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TripleColumns:
    """Facts by offset; `fields` hold head and tail as JSON."""

    relations: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    fields: list[str | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class DatasetParts:
    """All that a data set is made of; `kinds` names the numbers in `interactions.kinds`."""

    version: int
    interactions: Columns
    item_ids: Sequence[str]
    user_ids: Sequence[str]
    kinds: Sequence[str]
    types: Types
    item_changes: Changes = field(default_factory=Changes)
    user_changes: Changes = field(default_factory=Changes)
    facts: TripleColumns = field(default_factory=TripleColumns)


def assemble(parts: DatasetParts, until_time: int | None = None) -> Dataset:
    """The data set of `parts`, as one could have known it just before `until_time`.

    With `until_time`, interactions without a time are left out, since they may lie behind it;
    changes and facts without a time count as always known; and only what was heard of before is
    alive.
    """
    found = parts.interactions
    if until_time is not None:
        found = found.take((found.times < until_time) & (found.times != NO_TIME))
    clock, interactions = _ordered(found)
    kinds = np.unique(interactions.event_types)
    numbers = np.searchsorted(kinds, interactions.event_types)
    touched = None if until_time is None else found
    items = _catalogue(parts, "item", None if touched is None else touched.items, until_time)
    users = _catalogue(parts, "user", None if touched is None else touched.users, until_time)
    return Dataset(
        version=parts.version,
        catalogue=items,
        users=users,
        interactions=replace(interactions, event_types=numbers.astype(np.int16)),
        event_types=tuple(parts.kinds[kind] for kind in kinds),
        triples=_facts(parts.facts, items, until_time),
        clock=clock,
    )


def _ordered(found: Columns) -> tuple[Literal["time", "position"], Interactions]:
    """In the order of every user's history; rows come by offset, and the sort is stable."""
    clock: Literal["time", "position"]
    if (found.times != NO_TIME).all():
        clock, key = "time", found.times
    else:
        last = np.iinfo(np.int64).max
        clock, key = "position", np.where(found.positions == NO_TIME, last, found.positions)
    order = np.lexsort((key, found.users))
    del key
    users = found.users[order]
    return clock, Interactions(
        users,
        found.items[order],
        found.kinds[order],
        found.times[order] if clock == "time" else _ranks(users, found.positions[order]),
        found.values[order],
        np.ones(len(order), np.float32),
        found.offsets[order],
    )


def _ranks(users: Int32Array, positions: Int64Array) -> Int64Array:
    """Positions, continued by one where a user's have ended; rows are sorted by user."""
    places = np.arange(len(users))
    first = np.r_[True, users[1:] != users[:-1]][: len(users)]
    start = np.maximum.accumulate(np.where(first, places, 0))
    known = positions != NO_TIME
    last = np.maximum.accumulate(np.where(known, places, -1))
    within = last >= start
    base = np.where(within, positions[np.maximum(last, 0)], -1)
    return np.where(known, positions, base + places - np.where(within, last, start - 1))


def _catalogue(
    parts: DatasetParts,
    entity: Literal["item", "user"],
    touched: Int32Array | None,
    until: int | None,
) -> Catalogue:
    """Items or users with the fields they had; `touched` None: everybody was heard of."""
    ids = parts.item_ids if entity == "item" else parts.user_ids
    changes = _changes(parts, entity, until)
    empty = Catalogue().with_ids(ids)
    empty.index.pop("", None)  # what is left of the erased
    alive = np.array([bool(one) for one in ids], np.bool_)
    if touched is not None:
        alive[np.setdiff1d(np.arange(len(ids)), touched)] = False
    names = dict.fromkeys(name for change in changes for name in change.fields)
    columns = empty.with_columns({name: parts.types[entity, name] for name in names})
    return replace(columns, alive=alive).updated(changes)


def _changes(
    parts: DatasetParts, entity: Literal["item", "user"], until: int | None
) -> list[Change]:
    """What happened to items or users before `until`, in the order in which it came.

    The live state folds in that order too; a time says only what could have been known when.
    """
    told = parts.item_changes if entity == "item" else parts.user_changes
    times = np.array(told.times, np.int64)
    kept = np.ones(len(times), np.bool_) if until is None else times < until
    seen: set[int] = set()
    found: list[Change] = []
    for place in np.flatnonzero(kept).tolist():
        number, kind = told.numbers[place], told.kinds[place]
        if kind == "put" and number not in seen:
            kind = "patch"  # the same for one that has no fields yet, and quicker
        seen.add(number)
        values = typed(told.fields[place], entity, parts.types)
        change = cast(Literal["put", "patch", "delete"], kind)
        found.append(Change(number, change, values, told.offsets[place]))
    return found


def _facts(told: TripleColumns, items: Catalogue, until: int | None) -> Triples:
    kept = [
        (relation, orjson.loads(text))
        for relation, time, text in zip(told.relations, told.times, told.fields, strict=True)
        if text is not None and (until is None or time < until)
    ]
    heads = tuple(said["head"] for _, said in kept)
    tails = tuple(said["tail"] for _, said in kept)
    relations = tuple(relation for relation, _ in kept)
    return Triples(items.numbers(heads), relations, tails, items.numbers(tails), heads)
