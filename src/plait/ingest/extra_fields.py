"""Collects columns without a role as the JSON text of each row's fields."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any

import orjson
import polars as pl

from plait.eventlog.event_validation import MAX_FIELDS_LENGTH
from plait.ingest.column_mapping import ColumnMapping
from plait.ingest.column_notation import ColumnSurvey
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.decimal_columns import plain_numbers
from plait.ingest.field_values import LostField, fields_json
from plait.ingest.numeric_dates import NumericReading
from plait.ingest.row_chunk import FrameChunk, RawColumn, RowChunk
from plait.ingest.row_errors import RowErrors
from plait.ingest.scalar_parsers import EXPECTED, FieldError
from plait.ingest.timestamps import any_times
from plait.utils.timestamps import MAX_TIME, MIN_TIME, iso

__all__ = ["fields_of", "has_plain_fields"]

_NUMBER_LENGTH, _ESCAPE_LENGTH = 64, 6
"""The most characters of a number or a time, and of one character in JSON."""

_JSON_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def fields_of(
    chunk: RowChunk, roles: ColumnRoles, errors: RowErrors, survey: ColumnSurvey
) -> pl.Series:
    """Write the fields of each row as a JSON object with sorted keys.

    A missing value is no field. What a field may hold: `plait.ingest.field_values.fields_json`.

    Args:
        chunk: N rows.
        roles: Which columns are fields, and under which names.
        errors: Takes up the fields whose value no field may have.
        survey: How times and amounts are written.

    Returns:
        The texts, String [N], null for a row without fields.
    """
    if not (roles.fields or roles.nested or roles.mapping.flags):
        return pl.repeat(None, len(chunk.rows), dtype=pl.String, eager=True)
    names = [name for _, name in roles.fields]
    columns = [
        _field_values(chunk, column, name, roles, errors, survey) for column, name in roles.fields
    ]
    for name, flag_columns in roles.mapping.flags.items():
        names.append(name)
        columns.append(_flag_names(chunk, flag_columns))
    if not roles.nested and isinstance(chunk, FrameChunk) and not _has_nested(chunk, roles):
        return pl.Series(_scalar_rows(names, columns), dtype=pl.String)
    nested = chunk.values(roles.nested) if roles.nested else [None] * len(chunk.rows)
    texts = _nested_rows(names, columns, nested, roles, errors, chunk.words.in_fields)
    return pl.Series(texts, dtype=pl.String)


def has_plain_fields(chunk: RowChunk, roles: ColumnRoles) -> bool:
    """Return whether the fields of every row are numbers and texts that one event can hold.

    Args:
        chunk: N rows.
        roles: Which columns are fields.

    Returns:
        Whether `fields_of` would refuse no row, and no log its fields.
    """
    if roles.nested or not isinstance(chunk, FrameChunk):
        return False
    length = sum(map(len, chain.from_iterable(roles.mapping.flags.values())))
    for name, field in roles.fields:
        column = chunk.column(name)
        if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
            return False
        is_text = column.dtype in (pl.String, pl.Categorical, pl.Enum)
        lengths = column.cast(pl.String).str.len_bytes().fill_null(0) if is_text else pl.Series([0])
        length += len(field) + _NUMBER_LENGTH + int(lengths.to_numpy().max(initial=0))
    return length * _ESCAPE_LENGTH < MAX_FIELDS_LENGTH


def _field_values(
    chunk: RowChunk,
    column: str,
    name: str,
    roles: ColumnRoles,
    errors: RowErrors,
    survey: ColumnSurvey,
) -> list[Any]:
    values = chunk.values(column)
    if isinstance(chunk, FrameChunk) and chunk.column(column).dtype.is_float():
        values = _without_infinite(values, name, errors)
    separator = roles.mapping.split.get(column)
    if separator:
        return [
            list(filter(None, map(str.strip, value.split(separator))))
            if isinstance(value, str)
            else value
            for value in values
        ]
    kind = survey.type_of(name, roles)
    if kind == "time" or (kind == "" and survey.is_time(column)):
        return _iso_times(chunk.raw(column), values, survey.reading(column), roles.mapping)
    numbers = survey.numbers(column)
    if numbers == "none" or kind not in ("", "number"):
        return values
    return plain_numbers(values, None if numbers == "each" else numbers)


def _without_infinite(values: list[Any], name: str, errors: RowErrors) -> list[Any]:
    finite: list[Any] = []
    for index, value in enumerate(values):
        if value is not None and not math.isfinite(value):
            errors.leave_out(index, name, value, "a finite number")
            finite.append(None)
        else:
            finite.append(value)
    return finite


def _iso_times(
    raw: RawColumn, values: list[Any], reading: NumericReading, mapping: ColumnMapping
) -> list[Any]:
    """The times of a field in ISO 8601; what is no time, and what needs no mapping, stays."""
    if not mapping.time_format and not mapping.timezone and reading == "unix":
        return values
    times, _ = any_times(raw, mapping.timezone, mapping.time_format, reading)
    in_years = times.is_between(MIN_TIME, MAX_TIME - 1).fill_null(False).to_list()
    return [
        iso(time) if shown else value
        for time, shown, value in zip(times.to_list(), in_years, values, strict=True)
    ]


def _flag_names(chunk: RowChunk, columns: Sequence[str]) -> list[list[str] | None]:
    """The columns of ones and noughts as lists of the names of those that are 1."""
    off = (None, 0, "0", "", False, "false", "False")
    flags = [chunk.values(column) for column in columns]
    names = (
        [name for name, flag in zip(columns, row, strict=True) if flag not in off]
        for row in zip(*flags, strict=True)
    )
    return [row or None for row in names]


def _has_nested(chunk: FrameChunk, roles: ColumnRoles) -> bool:
    dtypes = [chunk.frame.schema.get(column, pl.String) for column, _ in roles.fields]
    flat = pl.List(pl.String)
    return any(
        dtype in (pl.Object, pl.Struct, pl.List, pl.Array) for dtype in dtypes if dtype != flat
    )


def _scalar_rows(names: Sequence[str], columns: Sequence[list[Any]]) -> list[str | None]:
    """Fields without objects, quickly."""
    dumps = orjson.dumps
    texts: list[str | None] = []
    complete = not any(None in column for column in columns)
    for row in zip(*columns, strict=True):
        fields = dict(zip(names, row, strict=True))
        if not complete:
            fields = {name: value for name, value in fields.items() if value is not None}
        texts.append(dumps(fields, option=_JSON_OPTIONS).decode() if fields else None)
    return texts


def _nested_rows(
    names: Sequence[str],
    columns: Sequence[list[Any]],
    nested: Sequence[Any],
    roles: ColumnRoles,
    errors: RowErrors,
    words: Collection[str],
) -> list[str | None]:
    """Fields with objects among them; a null in `nested` is on purpose and stays."""
    texts: list[str | None] = []
    malformed: list[int] = []
    for index, inner in enumerate(nested):
        lost: list[LostField] = []
        row = [(name, column[index]) for name, column in zip(names, columns, strict=True)]
        try:
            text = fields_json(inner, row, words=words, without=roles.own_parts, lost=lost)
        except FieldError:
            text = None
            malformed.append(index)
        texts.append(text)
        for name, value, expected in lost:
            errors.leave_out(index, name, value, expected)
    mask = pl.repeat(False, len(texts), eager=True).scatter(malformed, True)
    errors.refuse(mask, "fields", roles.nested, EXPECTED["fields"])
    return texts
