"""Builds data sets: an immutable snapshot of the log up to an offset or a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.dataset import Dataset
from plait.data.user_merges import UserMerges
from plait.eventlog import TYPE_CODES, EventChunk, EventLogReader
from plait.eventlog.dataset_builder import Columns, DatasetParts, EntityRecord, assemble
from plait.eventlog.retraction import NamedNumbers
from plait.eventlog.user_merges import apply_merges, targets_of

__all__ = ["snapshot"]


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
    items, users, merges = NamedNumbers(), NamedNumbers(), UserMerges()
    for chunk in log.read(0, version):
        if int(chunk.kinds.max(initial=-1)) >= len(kinds):
            kinds.extend(log.kinds(len(kinds)))
        items.add(chunk.items, chunk.types)
        users.add(chunk.users, chunk.types)
        merges = apply_merges(merges, chunk, until_time)
        users.add(*targets_of(chunk))
        is_interaction = chunk.types == TYPE_CODES["interaction"]
        for name, arrays in columns.items():
            arrays.append(getattr(chunk, name)[is_interaction])
        for record_type, records in changes.items():
            records.extend(_records(chunk, record_type, kinds))
        if progress is not None:
            progress(int(chunk.offsets[-1]), version)
    interactions = Columns.empty()
    if columns["users"]:  # the parts of each column are freed before the next is made
        joined = {name: np.concatenate(columns.pop(name)) for name in Columns.__slots__}
        interactions = Columns(**joined)
    if len(merges):  # the events of merged users are those of the users that they became
        interactions = replace(interactions, users=merges.root_numbers(interactions.users))
    parts = DatasetParts(
        version,
        interactions,
        log.item_ids()[: len(items)],
        log.user_ids()[: len(users)],
        kinds,
        log.schema().types,
        changes["item"],
        changes["user"],
        changes["fact"],
        items.absent(),
        users.absent(),
    )
    return replace(assemble(parts, until_time), merges=merges)


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
