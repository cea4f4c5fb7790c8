"""Joins new events to a data set whose numbers stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import Int32Array
from plait.data.catalogue import Catalogue, Change
from plait.data.dataset import Interactions
from plait.errors import InputError
from plait.experiments.data.dataset import Dataset

__all__ = ["joined"]


def joined(old: Dataset, new: arrays.Dataset) -> Dataset:
    """Add the interactions of a data set to another.

    Args:
        old: The data set whose users and items have their numbers in the result.
        new: Later interactions. Users and items that `old` does not have get the next numbers, and
            the fields that `new` describes them with; all others keep their fields.

    Returns:
        The data set of both.

    Raises:
        InputError: If some of the interactions have times and others do not.
    """
    events, added = old.interactions, new.interactions
    if len(events) and len(added) and old.clock != new.clock:
        without = "the new" if old.clock == "time" else "the earlier"
        raise InputError(f"{without} interactions have no times", field="new_events")
    version = old.version + new.version
    catalogue, items = _with_entries(old.catalogue, new.catalogue, added.items, version)
    users_after, users = _with_entries(old.users, new.users, added.users, version)
    event_types = tuple(dict.fromkeys((*old.event_types, *new.event_types)))
    kinds = np.array([event_types.index(name) for name in new.event_types], np.int16)
    later = 1 + int(events.times.max(initial=-1)) if new.clock == "position" else 0
    mapped = Interactions(
        users[added.users],
        items[added.items],
        kinds[added.event_types] if len(kinds) else added.event_types,
        added.times + later,
        added.values,
        added.weights,
        added.offsets + old.version,
    )
    both = Interactions(
        *(
            np.concatenate([getattr(events, name), getattr(mapped, name)])
            for name in Interactions.__slots__
        )
    )
    order = np.lexsort((both.offsets, both.times, both.users))
    return replace(
        old,
        version=version,
        catalogue=catalogue,
        users=users_after,
        interactions=both.take(order),
        event_types=event_types,
        clock=old.clock if len(events) else new.clock,
    )


def _with_entries(
    old: Catalogue, new: Catalogue, numbers: Int32Array, version: int
) -> tuple[Catalogue, Int32Array]:
    """A catalogue with those entries of another that it lacks, and the number of each entry."""
    before = len(old)
    own = replace(old, index=dict(old.index))  # versions share an index; two joins may differ
    used = np.zeros(len(new), np.bool_)
    used[numbers] = True
    used |= new.alive
    ids: Sequence[str] = [new.ids[number] for number in np.flatnonzero(used).tolist()]
    grown = own.with_ids([name for name in ids if own.number(name) < 0])
    types = {name: kind for name, kind in new.types().items() if name not in grown.columns}
    grown = grown.with_columns(types)
    table = grown.numbers(new.ids)
    changes = []
    for number in np.flatnonzero(used).tolist():
        target = int(table[number])
        is_new = target >= before
        if is_new and new.described[number]:
            fields = {
                name: value
                for name, value in new.fields(number).items()
                if grown.columns[name].type == new.columns[name].type
            }
            changes.append(Change(target, "put", fields, version))
        else:
            changes.append(Change(target, "touch", {}, version))
    return grown.updated(changes), table
