"""Parses columns of raw values to ids, numbers and event types, and marks the rows that fail.

The rules are those of `plait.ingest.scalar_parsers`. A column of one type is parsed as a whole, one
of several types (objects of JSON, Python rows) value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from plait.ingest.decimal_columns import plain_numbers
from plait.ingest.row_chunk import RawColumn
from plait.ingest.scalar_parsers import (
    NUMBER_PATTERN,
    FieldError,
    parse_event_type,
    parse_id,
    parse_value,
)
from plait.schema.coercion import MAX_EXACT
from plait.schema.event_bounds import (
    CONTROL_CHARACTERS,
    MAX_EVENT_TYPE_LENGTH,
    MAX_ID_LENGTH,
    MAX_VALUE,
)
from plait.schema.missing_words import BLANKS
from plait.utils.number_texts import Decimal

__all__ = [
    "ParsedColumn",
    "parse_event_types",
    "parse_ids",
    "parse_integers",
    "parse_numbers",
    "parse_values",
]

_MAX_EXACT_32 = 2**24 - 1
"""The same for float32, in which larger ids were rounded to each other."""


class ParsedColumn(NamedTuple):
    """A column of N parsed values.

    Attributes:
        values: The values, [N]; null where missing or invalid.
        invalid: Which values are there but do not fit, bool [N].
    """

    values: pl.Series
    invalid: pl.Series


def parse_values(
    values: Sequence[Any], parse: Callable[[Any], Any], dtype: pl.DataType | type[pl.DataType]
) -> ParsedColumn:
    """Parse values one by one.

    Args:
        values: N Python values.
        parse: A rule of `plait.ingest.scalar_parsers`.
        dtype: The type of what it returns.

    Returns:
        The parsed values and which of them are invalid.
    """
    parsed: list[Any] = []
    invalid: list[int] = []
    for index, value in enumerate(values):
        try:
            parsed.append(parse(value))
        except FieldError:
            parsed.append(None)
            invalid.append(index)
    mask = pl.repeat(False, len(parsed), eager=True)
    return ParsedColumn(pl.Series(parsed, dtype=dtype), mask.scatter(invalid, True))


def parse_ids(column: RawColumn, *, textual: bool = False) -> ParsedColumn:
    """Parse a column of external ids, as `plait.ingest.scalar_parsers.parse_id` does.

    Args:
        column: N values of any type.
        textual: The strings come from a format without types, where a whole number was perhaps
            written with a point: "17850.0" is 17850.

    Returns:
        Strings [N], and which values cannot be ids.
    """
    if not isinstance(column, pl.Series):
        return parse_values(column, parse_id, pl.String)
    dtype = column.dtype
    if dtype.is_float():
        exact = _MAX_EXACT_32 if dtype == pl.Float32 else MAX_EXACT
        whole = (column.floor() == column) & (column.abs() <= exact)
        invalid = column.is_not_null() & ~whole.fill_null(False)
        return ParsedColumn(column.set(invalid, None).cast(pl.Int64).cast(pl.String), invalid)
    if isinstance(dtype, pl.Decimal):
        texts = column.cast(pl.String).str.replace(r"\.0+$", "")
        invalid = texts.str.contains(".", literal=True).fill_null(False)
        return ParsedColumn(texts.set(invalid, None), invalid)
    if dtype.is_integer() or isinstance(dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    elif dtype != pl.String:
        return _none_fits(column, pl.String)
    texts = column.str.strip_chars(BLANKS)
    if textual and texts.str.ends_with(".0").any():
        texts = texts.str.replace(r"^(-?\d+)\.0$", "${1}")
    texts = texts.set(texts == "", None)
    invalid = texts.str.contains(CONTROL_CHARACTERS)
    if (texts.str.len_bytes() > MAX_ID_LENGTH).any():
        invalid = invalid | (texts.str.len_chars() > MAX_ID_LENGTH)
    return ParsedColumn(texts, invalid.fill_null(False))


def parse_event_types(column: RawColumn, synonyms: Mapping[str, str], default: str) -> ParsedColumn:
    """Parse a column of event types, as `plait.ingest.scalar_parsers.parse_event_type` does.

    Args:
        column: N values of any type.
        synonyms: Other names for event types, in lower case.
        default: The event type where there is none.

    Returns:
        Event types in lower case [N], and which values cannot be one.
    """
    if isinstance(column, pl.Series):
        names, invalid = parse_ids(column)
        names = names.str.to_lowercase()
        invalid = invalid | (names.str.len_chars() > MAX_EVENT_TYPE_LENGTH).fill_null(False)
    else:
        names, invalid = parse_values(column, parse_event_type, pl.String)
    if synonyms:
        names = names.replace(list(synonyms), list(synonyms.values()))
    return ParsedColumn(names.fill_null(default), invalid)


def parse_numbers(column: RawColumn, decimal: Decimal | None = None) -> ParsedColumn:
    """Parse a column of values, as `plait.ingest.scalar_parsers.parse_value` does.

    Args:
        column: N values of any type.
        decimal: What separates the decimals of amounts such as `1.299,00 €`; None: only those with
            one meaning are read.

    Returns:
        Float64 [N], and which values are not finite numbers that a float32 can hold.
    """
    if not isinstance(column, pl.Series):
        return parse_values(plain_numbers(list(column), decimal), parse_value, pl.Float64)
    dtype = column.dtype
    present = column.is_not_null()
    if dtype == pl.String:
        column = column.str.strip_chars(BLANKS)
        present = present & (column != "")
        column = _plain_texts(column, decimal)
        column = column.set(~column.str.contains(NUMBER_PATTERN), None)
    elif not dtype.is_numeric():
        return _none_fits(column, pl.Float64)
    if dtype == pl.Float32:  # the number that was written, not its neighbour of 64 bits
        column = column.cast(pl.String)
    numbers = column.cast(pl.Float64, strict=False)
    fits = numbers.is_between(-MAX_VALUE, MAX_VALUE).fill_null(False)
    invalid = (present & ~fits).fill_null(False)
    return ParsedColumn(numbers.set(invalid, None) if invalid.any() else numbers, invalid)


def _plain_texts(texts: pl.Series, decimal: Decimal | None) -> pl.Series:
    """The texts, with amounts as a program writes them."""
    if decimal != "," and texts.str.contains(NUMBER_PATTERN).all():
        return texts
    numbers = plain_numbers(texts.to_list(), decimal)
    return pl.Series(
        [n if n is None or type(n) is str else repr(n) for n in numbers], dtype=pl.String
    )


def parse_integers(column: RawColumn) -> ParsedColumn:
    """Parse a column of whole numbers.

    Args:
        column: N values of any type.

    Returns:
        Int64 [N], and which values are not whole numbers.
    """
    if isinstance(column, pl.Series) and column.dtype.is_integer() and column.dtype != pl.UInt64:
        return ParsedColumn(column.cast(pl.Int64), column.is_null() & False)
    numbers, invalid = parse_numbers(column)
    inexact = ((numbers.floor() != numbers) | (numbers.abs() > MAX_EXACT)).fill_null(False)
    return ParsedColumn(numbers.set(inexact, None).cast(pl.Int64), invalid | inexact)


def _none_fits(column: pl.Series, dtype: type[pl.DataType]) -> ParsedColumn:
    """Every value of a type that none of them should have is invalid."""
    return ParsedColumn(pl.Series([None] * len(column), dtype=dtype), column.is_not_null())
