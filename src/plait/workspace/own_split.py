"""Reads one's own train, validation and test data in the numbering of a home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import Int32Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Interactions
from plait.errors import InputError, PlaitError
from plait.experiments.data.dataset import Dataset
from plait.splitting.own_split import OwnSplit

__all__ = ["read_split"]


def read_split(base: arrays.Dataset, parts: Mapping[str, Any], mapping: Any = None) -> OwnSplit:
    """Read the parts of a split.

    Ids that the home does not know get numbers after its own.

    Args:
        base: The data of the home: its items, users and triples; its interactions are the training
            data if `parts` has none.
        parts: "train", "validation" and "test": data sets, or anything that `ingest` takes; None
            or absent: no such part.
        mapping: The meaning of the columns of the parts that are no data sets.

    Returns:
        The parts, with the same numbers.

    Raises:
        InputError: If a part is empty or no table, or there is no test.
    """
    read = {name: _read(name, part, mapping) for name, part in parts.items() if part is not None}
    if "test" not in read:
        raise InputError(
            f"{' and '.join(read)} without test data", hint="pass test as well", field="test"
        )
    sets = [part for part in read.values() if part.catalogue.columns]
    if sets and not base.catalogue.columns and "train" in read:
        base = sets[0]  # an empty home: the items are those of the data sets
    read = {"train": base, **read}
    base = _with_ids(base, list(read.values()))
    aligned = {name: _aligned(part, base) for name, part in read.items()}
    return OwnSplit(aligned["train"], aligned["test"], aligned.get("validation"))


def _read(name: str, part: Any, mapping: Any) -> arrays.Dataset:
    """One part; an InputError names it."""
    if isinstance(part, arrays.Dataset):
        return part
    try:
        return Dataset.of(part, mapping=mapping)
    except InputError as problem:
        problem.field = name
        raise
    except PlaitError as problem:
        raise InputError(f"{name}: {problem.message}", hint=problem.hint, field=name) from problem


def _with_ids(base: arrays.Dataset, parts: list[arrays.Dataset]) -> arrays.Dataset:
    """The items, users and event types of the home and, behind them, those of the parts."""
    event_types = dict.fromkeys(base.event_types)
    for part in parts:
        event_types |= dict.fromkeys(part.event_types)
    return replace(
        base,
        catalogue=_grown(base.catalogue, [part.catalogue for part in parts]),
        users=_grown(base.users, [part.users for part in parts]),
        event_types=tuple(event_types),
        clock="time" if all(part.clock == "time" for part in parts) else "position",
    )


def _grown(catalogue: Catalogue, others: list[Catalogue]) -> Catalogue:
    """A catalogue with the ids of others that it does not know, in sorted order."""
    unknown = {
        name
        for other in others
        for name in list(other.ids)[: len(other)]
        if catalogue.number(name) < 0
    }
    # The index is shared between versions: other data sets of the home must not see new ids.
    own = replace(catalogue, index=dict(catalogue.index))
    return own.with_ids(sorted(unknown))


def _aligned(part: arrays.Dataset, base: arrays.Dataset) -> arrays.Dataset:
    """The interactions of a part in the numbers of `base`."""
    rows = part.interactions
    users = _numbers(part.users, base.users)
    for source, root in base.merges.roots.items():
        users[users == source] = root
    item_numbers = _numbers(part.catalogue, base.catalogue)
    kinds = np.array([base.event_types.index(name) for name in part.event_types], np.int16)
    columns = {name: getattr(rows, name) for name in Interactions.__slots__}
    columns |= {
        "users": users[rows.users],
        "items": item_numbers[rows.items],
        "event_types": kinds[rows.event_types] if len(kinds) else rows.event_types,
    }
    order = np.lexsort((rows.offsets, rows.times, columns["users"]))
    interactions = Interactions(**{name: column[order] for name, column in columns.items()})
    return replace(base, interactions=interactions)


def _numbers(source: Catalogue, target: Catalogue) -> Int32Array:
    """int32: the number in `target` of each number of `source`."""
    return target.numbers(list(source.ids)[: len(source)])
