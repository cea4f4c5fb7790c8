"""Item and user events of the log as changes to a catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from plait.data.catalogue import Catalogue, Change, FieldType
from plait.eventlog import TYPE_CODES, EventChunk
from plait.schema.schema import Schema, typed

__all__ = ["Names", "apply_changes", "with_new_entries"]

_KINDS: Mapping[str, Literal["put", "patch", "delete"]] = {
    "put": "put",
    "patch": "patch",
    "delete": "delete",
}


class Names(Protocol):
    """What the fold asks the log beside its events; `plait.eventlog.Log` has it."""

    def item_ids(self, first: int = 0) -> Sequence[str]:
        """The outside ids of the item numbers from `first` on."""

    def user_ids(self, first: int = 0) -> Sequence[str]:
        """The outside ids of the user numbers from `first` on, "" where erased."""

    def kinds(self, first: int = 0) -> Sequence[str]:
        """The names of the kind numbers from `first` on."""

    def schema(self) -> Schema:
        """The types of all fields."""


def with_new_entries(catalogue: Catalogue, ids: Sequence[str], wanted: int) -> Catalogue:
    """The catalogue with entries up to number `wanted` - 1; new ones are alive until deleted.

    `ids` are those of the numbers from len(catalogue) on, perhaps more than are wanted; "" stands
    for somebody erased, who is not alive.
    """
    first = len(catalogue)
    if wanted <= first:
        return catalogue
    grown = catalogue.with_ids(ids[: wanted - first])
    grown.index.pop("", None)
    born = (number for number in range(first, len(grown)) if grown.ids[number])
    return grown.updated([Change(number, "touch", {}, -1) for number in born])


def apply_changes(
    catalogue: Catalogue,
    chunk: EventChunk,
    entity: Literal["item", "user"],
    kinds: Sequence[str],
    names: Names,
) -> Catalogue:
    """The catalogue after the item (or user) events of `chunk`.

    An event that says what is known already changes nothing, so nothing is encoded again for it.
    """
    places = np.flatnonzero(chunk.types == TYPE_CODES[entity])
    if not len(places):
        return catalogue
    types = names.schema().types
    told = list(_told(chunk, places, entity, kinds, types))
    new = dict.fromkeys(
        name for one in told for name in one.fields if name not in catalogue.columns
    )
    if new:
        catalogue = catalogue.with_columns({name: types[entity, name] for name in new})
    return catalogue.updated(list(_news(catalogue, told)))


def _told(
    chunk: EventChunk,
    places: np.ndarray,
    entity: str,
    kinds: Sequence[str],
    types: Mapping[tuple[str, str], FieldType],
) -> Iterator[Change]:
    numbers = chunk.items if entity == "item" else chunk.users
    columns = (numbers[places], chunk.kinds[places], chunk.offsets[places], places)
    for number, kind, offset, place in zip(*(one.tolist() for one in columns), strict=True):
        values = typed(chunk.fields[place], entity, types)
        yield Change(number, _KINDS[kinds[kind]], values, offset)


def _news(catalogue: Catalogue, told: Sequence[Change]) -> Iterator[Change]:
    """The changes that do change something."""
    now: dict[int, dict[str, Any] | None] = {}
    for one in told:
        before = now[one.number] if one.number in now else _known(catalogue, one.number)
        after = _after(one.kind, before, one.fields)
        now[one.number] = after
        if after != before or before is None:
            yield one


def _known(catalogue: Catalogue, number: int) -> dict[str, Any] | None:
    """The fields of a living entry that was described; None for any other."""
    if not catalogue.alive[number] or catalogue.changed[number] < 0:
        return None
    return catalogue.fields(number)


def _after(
    kind: str, before: Mapping[str, Any] | None, values: Mapping[str, Any]
) -> dict[str, Any] | None:
    if kind == "delete":
        return None
    old = before or {} if kind == "patch" else {}
    merged = {**old, **values}
    return {name: value for name, value in merged.items() if value is not None}
