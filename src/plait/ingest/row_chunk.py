"""Rows on their way: a piece of a file with named columns, whatever the format was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from plait.ingest.rejects import Rejected
from plait.schema.coercion import MAX_EXACT

__all__ = ["ROWS", "DictChunk", "FrameChunk", "RowChunk", "series_of"]

ROWS = 50_000
"""The most rows of a chunk."""

_INT64 = 1 << 63


class RowChunk(Protocol):
    """At most `ROWS` rows. `rows` int64 [N]: their numbers in the file, from 1."""

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The number of each row in the file."""

    @property
    def rejects(self) -> Sequence[Rejected]:
        """What the reader could not take for a row."""

    @property
    def textual(self) -> bool:
        """Whether every value is a string because the format knows nothing else."""

    @property
    def names(self) -> Sequence[str]:
        """The columns there are."""

    def column(self, name: str) -> pl.Series:
        """One column, [N]; all null if there is no such."""

    def values(self, name: str) -> list[Any]:
        """One column as Python values, [N], None where missing."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameChunk:
    """A chunk over a polars frame."""

    frame: pl.DataFrame
    rows: npt.NDArray[np.int64]
    rejects: Sequence[Rejected] = ()
    textual: bool = False

    @property
    def names(self) -> Sequence[str]:
        return self.frame.columns

    def column(self, name: str) -> pl.Series:
        if name not in self.frame.columns:
            return pl.Series(name, [None] * self.frame.height, pl.String)
        return self.frame.get_column(name)

    def values(self, name: str) -> list[Any]:
        return _plain(self.column(name)).to_list()


@dataclass(frozen=True, slots=True, eq=False)
class DictChunk:
    """A chunk over JSON objects."""

    dicts: Sequence[Mapping[str, Any]]
    rows: npt.NDArray[np.int64]
    names: Sequence[str]
    rejects: Sequence[Rejected] = ()
    textual: bool = field(default=False, init=False)

    def column(self, name: str) -> pl.Series:
        return series_of(name, [one.get(name) for one in self.dicts])

    def values(self, name: str) -> list[Any]:
        return [one.get(name) for one in self.dicts]


def _plain(column: pl.Series) -> pl.Series:
    """Types that JSON does not know as those it knows; 32-bit floats by their shortest text."""
    kind = column.dtype
    if kind == pl.Float32:
        return column.cast(pl.String).cast(pl.Float64)
    if isinstance(kind, pl.Decimal):
        return column.cast(pl.Float64)
    if isinstance(kind, pl.Datetime):
        column = column.dt.cast_time_unit("us")
        return column.dt.convert_time_zone("UTC") if kind.time_zone else column
    if isinstance(kind, pl.Categorical | pl.Enum | pl.Time | pl.Duration):
        return column.cast(pl.String)
    return column


def series_of(name: str, values: Sequence[Any]) -> pl.Series:
    """Python values as a column: of one type if they are, else of strings.

    A list or an object is no scalar: it becomes its JSON behind a NUL character, which no id, time
    or number may have, so that the row is refused with the value in sight.
    """
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str}:
        return _strings(name, values)
    if kinds == {bool}:
        return pl.Series(name, values, pl.Boolean)
    if kinds == {int} and all(one is None or -_INT64 <= one < _INT64 for one in values):
        return pl.Series(name, values, pl.Int64)
    if kinds == {float} or (kinds == {int, float} and _exact(values)):
        return pl.Series(name, values, pl.Float64, strict=False)
    return _strings(name, [_as_text(one) for one in values])


def _strings(name: str, values: Sequence[str | None]) -> pl.Series:
    try:
        return pl.Series(name, values, pl.String)
    except UnicodeEncodeError:  # lone surrogates, which only Python strings can hold
        kept = [one if one is None else one.encode("utf-8", "replace").decode() for one in values]
        return pl.Series(name, kept, pl.String)


def _exact(values: Sequence[Any]) -> bool:
    return all(type(one) is not int or abs(one) <= MAX_EXACT for one in values)


def _as_text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return _float_text(value)
    if isinstance(value, np.generic):
        return _as_text(value.item())
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    try:
        return "\0" + orjson.dumps(value, option=_LOOSE).decode()
    except TypeError:
        return "\0" + repr(value)


def _float_text(value: float) -> str:
    if not abs(value) <= MAX_EXACT:  # infinite, or an integer that JSON could not hold
        return "\0" + repr(value)
    return str(int(value)) if value.is_integer() else repr(value)


_LOOSE = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
