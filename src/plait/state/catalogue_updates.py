"""Applies item and user events of the log to a catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal, Protocol

import numpy as np

from plait.data.catalogue import Catalogue, Change
from plait.eventlog import TYPE_CODES, EventChunk
from plait.eventlog.log_lookups import LogReader
from plait.schema.schema import FieldReader, Schema
from plait.utils.garbage_collector import collector_paused

__all__ = ["EntityNames", "apply_changes", "item_catalogue", "with_new_entries"]

_CHANGES: Mapping[str, Literal["put", "patch", "delete"]] = {
    "put": "put",
    "patch": "patch",
    "delete": "delete",
}

_PIECE = 50_000
"""How many changes are applied at a time."""


class EntityNames(Protocol):
    """Ids and field types by number, as `plait.eventlog.EventLog` knows them."""

    def item_ids(self, first: int) -> Sequence[str]:
        """Return the external ids of items.

        Args:
            first: The number of the first item.
        """

    def user_ids(self, first: int) -> Sequence[str]:
        """Return the external ids of users, "" where erased.

        Args:
            first: The number of the first user.
        """

    def kinds(self, first: int) -> Sequence[str]:
        """Return the names of event types.

        Args:
            first: The number of the first event type.
        """

    def schema(self) -> Schema:
        """Return the types of all fields."""


def with_new_entries(catalogue: Catalogue, ids: Sequence[str], size: int) -> Catalogue:
    """Grow a catalogue by entries that an event has mentioned.

    Args:
        catalogue: The catalogue to grow.
        ids: External ids of the numbers from `len(catalogue)` on, possibly more than are needed;
            "" stands for an erased user, who is not alive.
        size: The number of entries that the result must have.

    Returns:
        The grown catalogue, in which the new entries are alive until they are deleted.
    """
    first = len(catalogue)
    if size <= first:
        return catalogue
    new_ids = ids[: size - first]
    grown = catalogue.with_ids(new_ids)
    grown.index.pop("", None)
    is_named = np.fromiter(map(bool, new_ids), np.bool_, len(new_ids))
    return replace(grown, alive=np.concatenate([catalogue.alive, is_named]))


def apply_changes(
    catalogue: Catalogue,
    chunk: EventChunk,
    entity: Literal["item", "user"],
    event_types: Sequence[str],
    names: EntityNames,
) -> Catalogue:
    """Apply the item (or user) events of a chunk to a catalogue.

    An event that states what is known already changes nothing, so nothing is encoded again for it.

    Args:
        catalogue: The items (or users) before the chunk.
        chunk: Events of the log.
        entity: Which events of the chunk to apply.
        event_types: The names of the event type numbers of the chunk.
        names: Tells the types of the fields.

    Returns:
        The catalogue after the chunk.
    """
    positions = np.flatnonzero(chunk.types == TYPE_CODES[entity])
    if not len(positions):
        return catalogue
    reader = FieldReader(entity, names.schema().types)
    changes = list(_changes(chunk, positions, entity, event_types, reader))
    new_columns = dict.fromkeys(
        name for change in changes for name in change.fields if name not in catalogue.columns
    )
    if new_columns:
        catalogue = catalogue.with_columns({name: reader.types[name] for name in new_columns})
    return catalogue.updated(list(_effective(catalogue, changes)))


def item_catalogue(log: LogReader, is_read: Callable[[str], bool] | None = None) -> Catalogue:
    """Read the items of a log, without its interactions.

    Args:
        log: The log.
        is_read: Whether a field of this name is read; None: all are.

    Returns:
        The items as they are now, with the fields that are read; ids that only interactions name
        are among them.

    Raises:
        StorageError: If the log cannot be read.
    """
    ids, reader = log.item_ids(), FieldReader("item", log.schema().types, is_read)
    catalogue = with_new_entries(Catalogue(), ids, len(ids))
    changes = (
        Change(number, _CHANGES[kind], reader.read(fields), offset)
        for offset, number, kind, fields in log.entity_changes("item")
        if number < len(ids)
    )
    with collector_paused():
        while piece := list(islice(changes, _PIECE)):
            names = dict.fromkeys(name for change in piece for name in change.fields)
            catalogue = catalogue.with_columns({name: reader.types[name] for name in names})
            catalogue = catalogue.updated(piece)
    return catalogue


def _changes(
    chunk: EventChunk,
    positions: np.ndarray,
    entity: str,
    event_types: Sequence[str],
    reader: FieldReader,
) -> Iterator[Change]:
    """The events at `positions` of the chunk as changes with typed values."""
    numbers = chunk.items if entity == "item" else chunk.users
    columns = (numbers[positions], chunk.kinds[positions], chunk.offsets[positions], positions)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for number, event_type, offset, position in rows:
        values = reader.read(chunk.fields[position])
        yield Change(number, _CHANGES[event_types[event_type]], values, offset)


def _effective(catalogue: Catalogue, changes: Sequence[Change]) -> Iterator[Change]:
    """The changes that leave other fields behind than there were before."""
    current: dict[int, dict[str, Any] | None] = {}
    for change in changes:
        number = change.number
        if number in current:
            before = current[number]
        else:
            is_described = catalogue.alive[number] and catalogue.changed[number] >= 0
            before = catalogue.fields(number) if is_described else None
        current[number] = after = _after(change, before)
        if after != before or before is None:
            yield change


def _after(change: Change, before: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The fields of an entry after a change, None if it is deleted."""
    if change.kind == "delete":
        return None
    merged = {**(before or {} if change.kind == "patch" else {}), **change.fields}
    return {name: value for name, value in merged.items() if value is not None}
