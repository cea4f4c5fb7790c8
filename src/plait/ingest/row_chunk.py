"""Rows of a source, at most 50,000 at a time, with named columns, whatever the format was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import orjson
import polars as pl

from plait.data.array_types import Int64Array
from plait.ingest.rejects import Rejected
from plait.ingest.source_notes import ImportNote
from plait.schema.coercion import MAX_EXACT

__all__ = ["ROWS", "DictChunk", "FrameChunk", "RawColumn", "RowChunk", "series_of"]

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
        """What the reader did with values that its user should know of."""

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
            The values [N]; a series only if all of them have one scalar type.
        """

    def values(self, name: str) -> list[Any]:
        """Get a column as Python values.

        Args:
            name: The column; one that does not exist is all None.

        Returns:
            The values [N], None where missing.
        """


@dataclass(frozen=True, slots=True, eq=False)
class FrameChunk:
    """A chunk over a polars frame; see `RowChunk`."""

    frame: pl.DataFrame
    rows: Int64Array
    rejects: Sequence[Rejected] = ()
    textual: bool = False
    notes: Sequence[ImportNote] = ()

    @property
    def names(self) -> Sequence[str]:
        return self.frame.columns

    def column(self, name: str) -> pl.Series:
        if name not in self.frame.columns:
            return pl.Series(name, [None] * self.frame.height, pl.String)
        return self.frame.get_column(name)

    raw = column

    def values(self, name: str) -> list[Any]:
        return _with_json_types(self.column(name)).to_list()


@dataclass(frozen=True, slots=True, eq=False)
class DictChunk:
    """A chunk over JSON objects; see `RowChunk`."""

    dicts: Sequence[Mapping[str, Any]]
    rows: Int64Array
    names: Sequence[str]
    rejects: Sequence[Rejected] = ()
    textual: bool = field(default=False, init=False)
    notes: Sequence[ImportNote] = ()

    def column(self, name: str) -> pl.Series:
        return series_of(name, self.values(name))

    def raw(self, name: str) -> RawColumn:
        values = self.values(name)
        series = _uniform_series(name, values)
        return values if series is None else series

    def values(self, name: str) -> list[Any]:
        return [row.get(name) for row in self.dicts]


def _with_json_types(column: pl.Series) -> pl.Series:
    """Types that JSON does not know as those it knows; 32-bit floats by their shortest text."""
    dtype = column.dtype
    if dtype == pl.Float32:
        return column.cast(pl.String).cast(pl.Float64)
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.Float64)
    if isinstance(dtype, pl.Datetime):
        column = column.dt.cast_time_unit("us")
        return column.dt.convert_time_zone("UTC") if dtype.time_zone else column
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Time | pl.Duration):
        return column.cast(pl.String)
    return column


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
    series = _uniform_series(name, values)
    if series is not None:
        return series
    texts = [None if value is None else _as_text(value) for value in values]
    valid = [text and text.encode("utf-8", "replace").decode() for text in texts]
    return pl.Series(name, valid, pl.String)


def _uniform_series(name: str, values: Sequence[Any]) -> pl.Series | None:
    """The values as strings, integers or floats if all of them are; else None."""
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
    try:
        return orjson.dumps(value, option=_JSON_OPTIONS).decode()
    except TypeError:
        return repr(value)
