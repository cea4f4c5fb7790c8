"""The catalogue of items (or users): ids, typed fields, deletions. Immutable.

A new version shares every column that did not change with the version before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from plait.data.array_types import BoolArray, Int32Array, Int64Array, UInt64Array
from plait.data.encoded_column import EncodedColumn
from plait.errors import InputError

__all__ = ["FIELD_TYPES", "NO_TIME", "Catalogue", "Change", "Column", "FieldType"]

FieldType = Literal["text", "category", "set", "number", "time", "place", "media"]
FIELD_TYPES: tuple[str, ...] = get_args(FieldType)
"""The types that a field can have."""

NO_TIME = np.iinfo(np.int64).min
"""Stands for an unknown time."""

_MISSING: Mapping[str, Any] = {"number": np.nan, "time": NO_TIME}
"""The value that stands for no value, by field type; None for the other types."""


class Change(NamedTuple):
    """A change of one entry of a catalogue.

    Attributes:
        number: The number of the entry.
        kind: "put" replaces all fields, "patch" those that it names, "delete" removes the entry,
            "touch" only makes it alive.
        fields: Typed values by field name.
        offset: The place of the event in the log.
    """

    number: int
    kind: Literal["put", "patch", "delete", "touch"]
    fields: Mapping[str, Any]
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One field of all N entries.

    Attributes:
        type: The type of the field.
        values: [N]; number: float64, NaN if missing; time: int64 microseconds, `NO_TIME` if
            missing; text, category, media: object of str or None, several media one a line; set:
            object of tuple[str, ...] or None; place: object of (latitude, longitude) in degrees or
            None.
    """

    type: FieldType
    values: npt.NDArray[Any]
    _encoded: list[EncodedColumn] = field(init=False, repr=False, default_factory=list)

    @property
    def encoded(self) -> EncodedColumn:
        """The column as codes of its distinct values; only for text, category, media and set."""
        if not self._encoded:
            self._encoded.append(EncodedColumn.of(self.values))
        return self._encoded[0]

    def with_values(self, cells: Mapping[int, Any]) -> Column:
        """Return a column in which some entries have other values.

        Args:
            cells: The values by number of the entry, None for no value.

        Returns:
            The column; self if there are no values.
        """
        if not cells:
            return self
        missing = _MISSING.get(self.type)
        new = (missing if value is None else value for value in cells.values())
        column = replace(self, values=self.values.copy())
        numbers = list(cells)
        column.values[numbers] = np.fromiter(new, self.values.dtype, len(cells))
        column._keep_encoding(self, numbers)
        return column

    def _keep_encoding(self, previous: Column, numbers: Sequence[int]) -> None:
        """Take over the encoding of the version before, which differs in some entries."""
        if previous._encoded:
            self._encoded.append(previous._encoded[0].with_values(numbers, self.values))

    @staticmethod
    def missing(kind: FieldType, size: int) -> Column:
        """Return a column without any value.

        Args:
            kind: The type of the field.
            size: The number of entries.

        Returns:
            The column.
        """
        dtype = {"number": np.float64, "time": np.int64}.get(kind, object)
        return Column(kind, np.full(size, _MISSING.get(kind), dtype))

    def get(self, number: int) -> Any:
        """Return the value of one entry.

        Args:
            number: The number of the entry.

        Returns:
            The value, None if it is missing.
        """
        value = self.values[number]
        if self.type == "number":
            return None if np.isnan(value) else float(value)
        if self.type == "time":
            return None if value == NO_TIME else int(value)
        return value

    def grown(self, size: int) -> Column:
        """Return a column for more entries, which have no value.

        Args:
            size: The number of entries; a column that has as many is returned as it is.

        Returns:
            The column.
        """
        more = size - len(self.values)
        if more <= 0:
            return self
        tail = Column.missing(self.type, more).values
        column = Column(self.type, np.concatenate([self.values, tail]))
        column._keep_encoding(self, ())
        return column


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Catalogue:
    """N entries by number.

    Attributes:
        ids: The external ids.
        alive: bool [N], whether an entry is known and not deleted.
        changed: int64 [N], the offset at which fields last changed, -1 if there never were any.
        tiebreak: uint64 [N], a hash of the external id: the order among equals.
        columns: The fields by name.
        index: The numbers by external id, shared between versions: it may contain later entries.
        described: bool [N], whether an item (or user) event has ever described an entry; other
            entries are known only because interactions name them.
    """

    ids: Sequence[str] = ()
    alive: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))
    changed: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))
    tiebreak: UInt64Array = field(default_factory=lambda: np.zeros(0, np.uint64))
    columns: Mapping[str, Column] = field(default_factory=dict)
    index: dict[str, int] = field(default_factory=dict)
    described: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __len__(self) -> int:
        return len(self.alive)

    def number(self, external_id: str | None) -> int:
        """Return the number of an external id.

        Args:
            external_id: The id.

        Returns:
            The number, -1 if this version does not know the id.
        """
        number = -1 if external_id is None else self.index.get(external_id, -1)
        return number if number < len(self) else -1

    def numbers(self, external_ids: Iterable[str | None]) -> Int32Array:
        """Return the numbers of external ids.

        Args:
            external_ids: The ids.

        Returns:
            int32, -1 where unknown.
        """
        return np.array(list(map(self.number, external_ids)), np.int32)

    def id(self, number: int) -> str:
        """Return the external id of a number.

        Args:
            number: The number of an entry.

        Returns:
            The id, "" for an erased user.
        """
        return self.ids[number]

    def fields(self, number: int) -> dict[str, Any]:
        """Return the fields that an entry has.

        Args:
            number: The number of the entry.

        Returns:
            The values by field name.
        """
        values = ((name, column.get(number)) for name, column in self.columns.items())
        return {name: value for name, value in values if value is not None}

    def types(self) -> dict[str, FieldType]:
        """Return the type of every field by its name."""
        return {name: column.type for name, column in self.columns.items()}

    def catalogued(self) -> BoolArray | None:
        """Return which entries the catalogue describes, deleted ones included.

        Returns:
            bool [N]; None where that leaves nothing out: each living entry is described, or none.
        """
        is_described = self.described & self.alive
        n_described = int(np.count_nonzero(is_described))
        if n_described in (0, int(np.count_nonzero(self.alive))):
            return None
        return self.described

    def check_fields(self, names: Iterable[str], setting: str) -> None:
        """Check that fields exist: a misspelt name would otherwise be ignored.

        Args:
            names: Names of fields; any is accepted as long as there are no fields at all.
            setting: The setting that names them.

        Raises:
            InputError: If a field does not exist.
        """
        for name in names if self.columns else ():
            if name not in self.columns:
                hint = f"fields: {', '.join(sorted(self.columns))}"
                raise InputError(f"unknown field {name!r}", hint=hint, field=setting)

    def with_ids(self, ids: Sequence[str]) -> Catalogue:
        """Return a version with more entries, which are not yet alive.

        Args:
            ids: The external ids of the numbers from len(self) on.

        Returns:
            The version; self if there are no ids.
        """
        if not ids:
            return self
        size = len(self) + len(ids)
        self.index.update(zip(ids, range(len(self), size), strict=True))
        digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids)
        hashes = np.frombuffer(b"".join(digests), np.uint64)
        return Catalogue(
            (*self.ids, *ids),
            np.concatenate([self.alive, np.zeros(len(ids), np.bool_)]),
            np.concatenate([self.changed, np.full(len(ids), -1, np.int64)]),
            np.concatenate([self.tiebreak, hashes]),
            {name: column.grown(size) for name, column in self.columns.items()},
            self.index,
            np.concatenate([self.described, np.zeros(size - len(self.described), np.bool_)]),
        )

    def with_columns(self, types: Mapping[str, FieldType]) -> Catalogue:
        """Return a version with more fields, which have no values yet.

        Args:
            types: The types by field name; existing fields stay as they are.

        Returns:
            The version; self if there is no new field.
        """
        added = {
            name: Column.missing(kind, len(self))
            for name, kind in types.items()
            if name not in self.columns
        }
        return replace(self, columns={**self.columns, **added}) if added else self

    def updated(self, changes: Sequence[Change]) -> Catalogue:
        """Return a version in which changes are applied in their order.

        Args:
            changes: The changes; every field has a column (see `with_columns`).

        Returns:
            The version; self if there are no changes.

        Raises:
            KeyError: If a field has no column.
        """
        if not changes:
            return self
        alive, changed = self.alive.copy(), self.changed.copy()
        described = self.described.copy()
        cells: dict[str, dict[int, Any]] = {name: {} for name in self.columns}
        for number, kind, fields, offset in changes:
            alive[number] = kind != "delete"
            if kind == "touch":
                continue
            changed[number] = offset
            described[number] |= kind != "delete"
            if kind in ("put", "delete"):
                for values in cells.values():
                    values[number] = None
            for name, value in fields.items():
                cells[name][number] = value
        columns = {name: column.with_values(cells[name]) for name, column in self.columns.items()}
        return replace(self, alive=alive, changed=changed, columns=columns, described=described)

    def without_id(self, number: int) -> Catalogue:
        """Return a version in which an entry (an erased user) has neither id nor fields.

        Args:
            number: The number of the entry.

        Returns:
            The version.
        """
        ids = list(self.ids)
        if self.index.get(ids[number]) == number:  # the id may have come back under a new number
            del self.index[ids[number]]
        ids[number] = ""
        return replace(self.updated([Change(number, "delete", {}, -1)]), ids=tuple(ids))
