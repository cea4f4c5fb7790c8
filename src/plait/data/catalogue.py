"""What is known about items (or users): ids, typed fields, who is alive. Immutable.

A new version shares every column that did not change with the one before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from plait.errors import InputError

__all__ = ["FIELD_TYPES", "NO_TIME", "Catalogue", "Change", "Column", "FieldType"]

FieldType = Literal["text", "category", "set", "number", "time", "place", "media"]
FIELD_TYPES: tuple[str, ...] = get_args(FieldType)

NO_TIME = np.iinfo(np.int64).min
"""A time that is not known."""


class Change(NamedTuple):
    """One item event (or user event) as the fold sees it; `fields` are already typed values."""

    number: int
    kind: Literal["put", "patch", "delete", "touch"]
    fields: Mapping[str, Any]
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One field of all N entries.

    `values` by type: number float64 (NaN: missing); time int64 microseconds (`NO_TIME`: missing);
    text, category, media object of str or None; set object of tuple[str, ...] or None; place object
    of (latitude, longitude) in degrees or None.
    """

    type: FieldType
    values: npt.NDArray[Any]

    @staticmethod
    def missing(kind: FieldType, size: int) -> Column:
        """A column in which nobody has a value."""
        if kind == "number":
            return Column(kind, np.full(size, np.nan))
        if kind == "time":
            return Column(kind, np.full(size, NO_TIME, np.int64))
        return Column(kind, np.full(size, None, object))

    def get(self, number: int) -> Any:
        """The value of one entry, None if it has none."""
        value = self.values[number]
        if self.type == "number":
            return None if np.isnan(value) else float(value)
        if self.type == "time":
            return None if value == NO_TIME else int(value)
        return value

    def grown(self, size: int) -> Column:
        """The same column with room for `size` entries."""
        more = size - len(self.values)
        if more <= 0:
            return self
        tail = Column.missing(self.type, more).values
        return Column(self.type, np.concatenate([self.values, tail]))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Catalogue:
    """N entries by number.

    `alive` bool [N]: known and not deleted. `changed` int64 [N]: the offset at which fields last
    changed, -1 if never described. `tiebreak` uint64 [N]: a hash of the outside id, the order among
    equals.
    """

    ids: Sequence[str] = ()
    alive: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    changed: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    tiebreak: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    columns: Mapping[str, Column] = field(default_factory=dict)
    index: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.alive)

    def number(self, outside: str | None) -> int:
        """The number of an outside id, -1 if this version does not know it."""
        found = -1 if outside is None else self.index.get(outside, -1)
        return found if found < len(self) else -1

    def numbers(self, outside: Iterable[str | None]) -> npt.NDArray[np.int32]:
        """The numbers of outside ids, int32, -1 where unknown."""
        return np.array([self.number(one) for one in outside], np.int32)

    def id(self, number: int) -> str:
        """The outside id of a number."""
        return self.ids[number]

    def fields(self, number: int) -> dict[str, Any]:
        """The fields that an entry has, by name."""
        found = ((name, column.get(number)) for name, column in self.columns.items())
        return {name: value for name, value in found if value is not None}

    def types(self) -> dict[str, FieldType]:
        """The type of every field."""
        return {name: column.type for name, column in self.columns.items()}

    def check_fields(self, names: Iterable[str], setting: str) -> None:
        """Raise InputError if a field that `setting` names is not among those there are: a slip of
        the pen would otherwise count for nothing without a word. Before the first field all may be.
        """
        for name in names if self.columns else ():
            if name not in self.columns:
                known = ", ".join(sorted(self.columns))
                raise InputError(
                    f"there is no field {name!r}", hint=f"fields: {known}", field=setting
                )

    def with_ids(self, ids: Sequence[str]) -> Catalogue:
        """More entries, `ids` being those of the numbers from len(self) on; not yet alive."""
        if not ids:
            return self
        size = len(self) + len(ids)
        for place, one in enumerate(ids, len(self)):
            self.index[one] = place  # shared between versions: `number` ignores what came later
        return Catalogue(
            (*self.ids, *ids),
            np.concatenate([self.alive, np.zeros(len(ids), np.bool_)]),
            np.concatenate([self.changed, np.full(len(ids), -1, np.int64)]),
            np.concatenate([self.tiebreak, _hashes(ids)]),
            {name: column.grown(size) for name, column in self.columns.items()},
            self.index,
        )

    def with_columns(self, types: Mapping[str, FieldType]) -> Catalogue:
        """Room for more fields."""
        added = {
            name: Column.missing(kind, len(self))
            for name, kind in types.items()
            if name not in self.columns
        }
        return self._replaced(columns={**self.columns, **added}) if added else self

    def updated(self, changes: Sequence[Change]) -> Catalogue:
        """A version in which `changes` happened, in their order.

        Raises KeyError for a field that has no column: `with_columns` comes first.
        """
        if not changes:
            return self
        alive, changed = self.alive.copy(), self.changed.copy()
        columns = self._copied(changes)
        for change in changes:
            alive[change.number] = change.kind != "delete"
            if change.kind == "touch":
                continue
            changed[change.number] = change.offset
            if change.kind in ("put", "delete"):
                _clear(columns, change.number)
            for name, value in change.fields.items():
                _put(columns[name], change.number, value)
        return self._replaced(alive=alive, changed=changed, columns=columns)

    def without_id(self, number: int) -> Catalogue:
        """A version in which an entry (an erased user) has neither id nor fields."""
        ids = list(self.ids)
        if self.index.get(ids[number]) == number:  # the id may have come back under a new number
            del self.index[ids[number]]
        ids[number] = ""
        emptied = self.updated([Change(number, "delete", {}, -1)])
        return emptied._replaced(ids=tuple(ids))

    def _copied(self, changes: Sequence[Change]) -> dict[str, Column]:
        """All columns, those that `changes` may write to as copies."""
        whole = any(change.kind in ("put", "delete") for change in changes)
        touched = {name for change in changes for name in change.fields}
        return {
            name: Column(column.type, column.values.copy()) if whole or name in touched else column
            for name, column in self.columns.items()
        }

    def _replaced(
        self,
        *,
        ids: Sequence[str] | None = None,
        alive: npt.NDArray[np.bool_] | None = None,
        changed: npt.NDArray[np.int64] | None = None,
        columns: Mapping[str, Column] | None = None,
    ) -> Catalogue:
        return Catalogue(
            self.ids if ids is None else ids,
            self.alive if alive is None else alive,
            self.changed if changed is None else changed,
            self.tiebreak,
            self.columns if columns is None else columns,
            self.index,
        )


def _hashes(ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    digests = (hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(b"".join(digests), np.uint64)


def _clear(columns: Mapping[str, Column], number: int) -> None:
    for column in columns.values():
        _put(column, number, None)


def _put(column: Column, number: int, value: Any) -> None:
    if value is None and column.type == "number":
        value = np.nan
    elif value is None and column.type == "time":
        value = NO_TIME
    column.values[number] = value
