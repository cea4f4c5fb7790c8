"""Rows of a source, at most 50,000 at a time, with named columns, from any format."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import orjson
import polars as pl

from plait.data.array_types import Int64Array
from plait.ingest.plain_values import MAX_LEVELS, plain_value
from plait.ingest.rejects import Rejected
from plait.ingest.source_notes import ImportNote
from plait.schema.coercion import MAX_EXACT
from plait.schema.missing_words import BLANKS, MissingWords
from plait.utils.toml_json import is_nested_deeper

__all__ = [
    "ROWS",
    "DictChunk",
    "FrameChunk",
    "RawColumn",
    "RowChunk",
    "series_of",
    "uniform_series",
]

ROWS = 50_000
"""The most rows of a chunk."""

RawColumn = pl.Series | Sequence[Any]
"""A column whose values have one type, or Python values of any types."""

_INT64 = 1 << 63
_JSON_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class RowChunk(Protocol):
    """At most `ROWS` rows of one source."""

    @property
    def rows(self) -> Int64Array:
        """The number of each row in its source, from 1: int64 [N]."""

    @property
    def rejects(self) -> Sequence[Rejected]:
        """What the reader could not take for a row."""

    @property
    def notes(self) -> Sequence[ImportNote]:
        """What the reader did with values that its user should know of, as far as they are read."""

    @property
    def words(self) -> MissingWords:
        """What stands for no value in this source."""

    @property
    def textual(self) -> bool:
        """Whether every value is a string because the format has no other type."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the columns."""

    def column(self, name: str) -> pl.Series:
        """Get a column as a series of one type.

        Args:
            name: The column; one that does not exist is all null.

        Returns:
            The values [N]; values of several types as their texts.
        """

    def raw(self, name: str) -> RawColumn:
        """Get a column as it came.

        Args:
            name: The column; one that does not exist is all null.

        Returns:
            The values [N], null for the words that mean missing in ids, times and numbers; a
            series only if all of them have one scalar type.
        """

    def values(self, name: str) -> list[Any]:
        """Get a column as Python values.

        Args:
            name: The column; one that does not exist is all None.

        Returns:
            The values [N], None where missing: also for the words that mean missing in fields.
        """


@dataclass(frozen=True, slots=True, eq=False)
class FrameChunk:
    """A chunk over a polars frame; see `RowChunk`. Columns of type Object hold Python values."""

    frame: pl.DataFrame
    rows: Int64Array
    rejects: Sequence[Rejected] = ()
    textual: bool = False
    notes: list[ImportNote] = field(default_factory=list)
    words: MissingWords = field(default_factory=MissingWords)

    @property
    def names(self) -> Sequence[str]:
        return self.frame.columns

    def column(self, name: str) -> pl.Series:
        if name not in self.frame.columns:
            return pl.Series(name, [None] * self.frame.height, pl.String)
        column = self.frame.get_column(name)
        if column.dtype == pl.Object:
            return series_of(name, [plain_value(value) for value in column.to_list()])
        return column

    def raw(self, name: str) -> RawColumn:
        if name in self.frame.columns and self.frame.schema[name] == pl.Object:
            return _raw_values(name, self.frame.get_column(name).to_list(), self.words.in_roles)
        column = self.column(name)
        dtype = column.dtype
        if isinstance(dtype, pl.Categorical | pl.Enum):
            column = column.cast(pl.String)
        elif dtype == pl.Duration:
            column = _seconds(column)
        if column.dtype == pl.String:
            missing = column.str.strip_chars(BLANKS).is_in(self.words.in_roles)
            return column.set(missing, None) if missing.any() else column
        return column.fill_nan(None) if dtype.is_float() else column

    def values(self, name: str) -> list[Any]:
        column = self.frame.get_column(name) if name in self.frame.columns else self.column(name)
        if column.dtype == pl.Object or column.dtype.is_nested():
            return _field_values(name, column.to_list(), self.words, self.notes)
        column = _with_json_types(column)
        if column.dtype == pl.String:
            stripped = column.str.strip_chars(BLANKS)
            reported = stripped.is_in(self.words.reported)
            if reported.any():
                example, count = stripped.filter(reported)[0], int(reported.sum())
                _add_placeholder_note(self.notes, name, example, count)
            column = column.set(stripped.is_in(self.words.in_fields), None)
        return column.to_list()


@dataclass(frozen=True, slots=True, eq=False)
class DictChunk:
    """A chunk over JSON objects or dictionaries; see `RowChunk`."""

    dicts: Sequence[Mapping[str, Any]]
    rows: Int64Array
    names: Sequence[str]
    rejects: Sequence[Rejected] = ()
    textual: bool = field(default=False, init=False)
    notes: list[ImportNote] = field(default_factory=list)
    words: MissingWords = field(default_factory=MissingWords)

    def column(self, name: str) -> pl.Series:
        return series_of(name, [plain_value(row.get(name)) for row in self.dicts])

    def raw(self, name: str) -> RawColumn:
        return _raw_values(name, [row.get(name) for row in self.dicts], self.words.in_roles)

    def values(self, name: str) -> list[Any]:
        values = [row.get(name) for row in self.dicts]
        return _field_values(name, values, self.words, self.notes)


def _add_placeholder_note(notes: list[ImportNote], column: str, word: str, count: int) -> None:
    """Say once of a column that values which say nothing are read as missing."""
    message = f"{word!r} is read as missing (a mapping may say otherwise: `missing`)"
    note = ImportNote("placeholder-as-missing", column, message, count)
    if note not in notes:
        notes.append(note)


def _raw_values(name: str, values: Sequence[Any], words: frozenset[str]) -> RawColumn:
    plain = [plain_value(value) for value in values]
    plain = [
        None if type(value) is str and value.strip(BLANKS) in words else value for value in plain
    ]
    series = uniform_series(name, plain)
    return plain if series is None else series


def _field_values(
    name: str, values: Sequence[Any], words: MissingWords, notes: list[ImportNote]
) -> list[Any]:
    """Plain values, with None for words and for lists of nothing else."""
    reported: list[str] = []

    def without_words(value: Any) -> Any:
        if type(value) is str:
            stripped = value.strip(BLANKS)
            if stripped not in words.in_fields:
                return value
            if stripped in words.reported:
                reported.append(stripped)
            return None
        if type(value) is list:
            return [
                member
                for member in value
                if type(member) is not str or without_words(member) is not None
            ]
        return value

    fields = [without_words(plain_value(value)) for value in values]
    if reported:
        _add_placeholder_note(notes, name, reported[0], len(reported))
    return fields


def _seconds(column: pl.Series) -> pl.Series:
    return column.dt.total_microseconds() / 1_000_000


def _with_json_types(column: pl.Series) -> pl.Series:
    """Types that JSON does not know as those it knows; 32-bit floats by their shortest text."""
    dtype = column.dtype
    if dtype == pl.Float32:
        column = column.cast(pl.String).cast(pl.Float64)
    elif isinstance(dtype, pl.Decimal):
        column = column.cast(pl.Float64)
    elif dtype == pl.Duration:
        column = _seconds(column)
    elif isinstance(dtype, pl.Datetime):
        column = column.dt.cast_time_unit("us")
        column = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
    elif isinstance(dtype, pl.Categorical | pl.Enum | pl.Time):
        column = column.cast(pl.String)
    return column.fill_nan(None) if column.dtype.is_float() else column


def series_of(name: str, values: Sequence[Any]) -> pl.Series:
    """Make a column of Python values.

    Args:
        name: The name of the column.
        values: N values.

    Returns:
        A series of their type if they have one, else of their texts; lists and objects as JSON.
    """
    if set(map(type, values)) - {type(None)} == {bool}:
        return pl.Series(name, values, pl.Boolean)
    series = uniform_series(name, values)
    if series is not None:
        return series
    texts = [None if value is None else _as_text(value) for value in values]
    valid = [text and text.encode("utf-8", "replace").decode() for text in texts]
    return pl.Series(name, valid, pl.String)


def uniform_series(name: str, values: Sequence[Any]) -> pl.Series | None:
    """Make a column of Python values of one scalar type.

    Args:
        name: The name of the column.
        values: N values.

    Returns:
        A series of strings, integers or floats if all values are such; else None.
    """
    types = set(map(type, values)) - {type(None)}
    if types <= {str}:
        try:
            return pl.Series(name, values, pl.String)
        except UnicodeEncodeError:  # lone surrogates, which only Python strings can hold
            return None
    if types == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
        return pl.Series(name, values, pl.Int64)
    exact = all(type(value) is not int or abs(value) <= MAX_EXACT for value in values)
    if types == {float} or (types == {int, float} and exact):
        return pl.Series(name, values, pl.Float64, strict=False)
    return None


def _as_text(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT:
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if is_nested_deeper(value, MAX_LEVELS):  # orjson ends the process for tuples thousands deep
        return reprlib.repr(value)
    try:
        return orjson.dumps(value, option=_JSON_OPTIONS).decode()
    except TypeError:
        return repr(value)
