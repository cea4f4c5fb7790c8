"""The columns that play no role, as the JSON text of each row's fields."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
import polars as pl

from plait.ingest.column_parsers import RowErrors
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.row_chunk import FrameChunk, RowChunk
from plait.ingest.scalar_parsers import FieldError, fields_json

__all__ = ["fields_of"]

_JSON_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def fields_of(chunk: RowChunk, roles: ColumnRoles, errors: RowErrors) -> pl.Series:
    """Write the fields of each row as a JSON object with sorted keys.

    A missing value is no field. What a field may hold: `plait.ingest.scalar_parsers.fields_json`.

    Args:
        chunk: N rows.
        roles: Which columns are fields, and under which names.
        errors: Takes up the rows that hold a value which no field may have.

    Returns:
        The texts, String [N], null for a row without fields.
    """
    if not (roles.fields or roles.nested or roles.mapping.flags):
        return pl.repeat(None, len(chunk.rows), dtype=pl.String, eager=True)
    names = [name for _, name in roles.fields]
    columns = [_field_values(chunk, column, roles, errors) for column, _ in roles.fields]
    for name, flag_columns in roles.mapping.flags.items():
        names.append(name)
        columns.append(_flag_names(chunk, flag_columns))
    if not roles.nested and isinstance(chunk, FrameChunk) and not _has_nested(chunk, roles):
        return pl.Series(_scalar_rows(names, columns), dtype=pl.String)
    nested = chunk.values(roles.nested) if roles.nested else [None] * len(chunk.rows)
    return pl.Series(
        _nested_rows(names, columns, nested, errors, chunk.words.in_fields), dtype=pl.String
    )


def _field_values(chunk: RowChunk, column: str, roles: ColumnRoles, errors: RowErrors) -> list[Any]:
    if isinstance(chunk, FrameChunk):
        series = chunk.column(column)
        if series.dtype.is_float():
            infinite = series.is_infinite().fill_null(False)
            errors.refuse(infinite, column, column, "a finite number")
    values = chunk.values(column)
    separator = roles.mapping.split.get(column)
    return [_split(value, separator) for value in values] if separator else values


def _split(value: Any, separator: str) -> Any:
    if not isinstance(value, str):
        return value
    return [stripped for word in value.split(separator) if (stripped := word.strip())]


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
    errors: RowErrors,
    words: Collection[str],
) -> list[str | None]:
    """Fields with objects among them; a null in `nested` is on purpose and stays."""
    texts: list[str | None] = []
    invalid: dict[tuple[str, str], list[int]] = {}
    for index, inner in enumerate(nested):
        try:
            row = {name: column[index] for name, column in zip(names, columns, strict=True)}
            texts.append(fields_json(inner, row, words))
        except FieldError as problem:
            texts.append(None)
            invalid.setdefault((problem.field, str(problem)), []).append(index)
    for (name, expected), indices in invalid.items():
        mask = pl.repeat(False, len(texts), eager=True).scatter(indices, True)
        errors.refuse(mask, name, "", expected)
    return texts
