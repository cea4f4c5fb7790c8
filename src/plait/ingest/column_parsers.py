"""Columns of raw values to ids, numbers and kinds; what does not fit is marked, row by row."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from plait.ingest.rejects import Rejected, shortened
from plait.ingest.row_chunk import RowChunk
from plait.schema.coercion import CONTROL, MAX_EXACT, MAX_ID

__all__ = ["MAX_ID", "RowErrors", "ids_of", "kinds_of", "numbers_of", "wholes_of"]

_ID = f"an id of at most {MAX_ID} characters, none of them a control character"
_Checked = tuple[pl.Series, pl.Series]


class RowErrors:
    """Collects what is wrong with the rows of a chunk; the first complaint about a row stands."""

    def __init__(self, chunk: RowChunk, name: str) -> None:
        self._chunk = chunk
        self._name = name
        self._found: dict[int, Rejected] = {}

    def refuse(self, wrong: pl.Series, role: str, column: str, expected: str) -> None:
        """Complain about the rows where `wrong` (bool [N]) holds."""
        if not wrong.any():
            return
        values = self._chunk.column(column) if column else None
        for at in wrong.arg_true().to_list():
            if at not in self._found:
                value = "" if values is None else shortened(values[at]).lstrip("\0")
                row = int(self._chunk.rows[at])
                self._found[at] = Rejected(self._name, row, column or role, value, expected)

    @property
    def places(self) -> list[int]:
        """Which rows were refused."""
        return sorted(self._found)

    @property
    def rejects(self) -> list[Rejected]:
        """The complaints, by row."""
        return [self._found[at] for at in self.places]

    def ids(self, column: str, role: str) -> pl.Series:
        """Ids of a column, see `ids_of`; the unfit are refused."""
        found, wrong = ids_of(self._chunk.column(column), textual=self._chunk.textual)
        self.refuse(wrong, role, column, _ID)
        return found


def ids_of(column: pl.Series, *, textual: bool = False) -> _Checked:
    """Ids as strings [N], null where missing, and a mask of what cannot be an id.

    Whole numbers are written without a point, whatever their type: 17850.0 is "17850". `textual`:
    the strings come from a format without types, where that number was perhaps written "17850.0".
    """
    kind = column.dtype
    if kind.is_float():
        wrong = column.is_not_null() & ~((column.floor() == column) & (column.abs() <= MAX_EXACT))
        wrong = wrong.fill_null(False)
        return column.set(wrong, None).cast(pl.Int64).cast(pl.String), wrong
    if kind.is_integer() or kind == pl.Boolean or isinstance(kind, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    elif kind != pl.String:
        return _none(column), column.is_not_null()
    texts = column.str.strip_chars()
    if textual:
        tails = texts.str.ends_with(".0")
        if tails.any():
            texts = texts.str.replace(r"^(-?\d+)\.0$", "${1}")
    texts = texts.set(texts == "", None)
    wrong = texts.str.contains(CONTROL)
    if (texts.str.len_bytes() > MAX_ID).any():
        wrong = wrong | (texts.str.len_chars() > MAX_ID)
    return texts, wrong.fill_null(False)


def _none(column: pl.Series) -> pl.Series:
    return pl.Series(column.name, [None] * len(column), pl.String)


def numbers_of(column: pl.Series) -> _Checked:
    """Finite Float64 [N], null where missing, and a mask of what is no such number."""
    kind = column.dtype
    given = column.is_not_null()
    if kind == pl.String:
        column = column.str.strip_chars()
        given = given & (column != "")
    elif not kind.is_numeric() and kind not in (pl.Boolean, pl.Null):
        return pl.Series([None] * len(column), dtype=pl.Float64), given
    if kind == pl.Float32:
        column = column.cast(pl.String)
    numbers = column.cast(pl.Float64, strict=False)
    wrong = (given & ~numbers.is_finite().fill_null(False)).fill_null(False)
    return (numbers.set(wrong, None) if wrong.any() else numbers), wrong


def wholes_of(column: pl.Series) -> _Checked:
    """Int64 [N], null where missing, and a mask of what is no whole number."""
    if column.dtype.is_integer() and column.dtype != pl.UInt64:
        return column.cast(pl.Int64), column.is_null() & False
    numbers, wrong = numbers_of(column)
    broken = ((numbers.floor() != numbers) | (numbers.abs() > MAX_EXACT)).fill_null(False)
    return numbers.set(broken, None).cast(pl.Int64), wrong | broken


def kinds_of(column: pl.Series, aliases: Mapping[str, str], default: str) -> _Checked:
    """Names of kinds in lower case [N], by `aliases` if they have one; what cannot be one."""
    texts, wrong = ids_of(column)
    texts = texts.str.to_lowercase()
    wrong = wrong | (texts.str.len_chars() > 128).fill_null(False)
    if aliases:
        texts = texts.replace(list(aliases), list(aliases.values()))
    return texts.fill_null(default), wrong
