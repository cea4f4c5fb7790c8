"""The columns that play no role, as the JSON text of each row's fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import polars as pl

from plait.ingest.column_parsers import RowErrors
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.row_chunk import FrameChunk, RowChunk

__all__ = ["fields_of"]

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
_PLACES = ({"lat", "latitude"}, {"lon", "lng", "longitude"})


def fields_of(chunk: RowChunk, plan: ColumnRoles, checks: RowErrors) -> list[str | None]:
    """For each row [N] a JSON object with sorted keys, None if it has no field.

    A missing value is no field. An object that is no place becomes a field for each of its parts,
    `style.size`. Numbers that are not finite are refused.
    """
    if not (plan.fields or plan.nested or plan.mapping.flags):
        return [None] * len(chunk.rows)
    names = [name for _, name in plan.fields]
    columns = [_column(chunk, column, plan, checks) for column, _ in plan.fields]
    for name, flagged in plan.mapping.flags.items():
        names.append(name)
        columns.append(_flags(chunk, flagged))
    extra = chunk.values(plan.nested) if plan.nested else None
    if extra is not None:
        expected = "an object of names and values"
        wrong = [one is not None and not isinstance(one, Mapping) for one in extra]
        checks.refuse(pl.Series(wrong, dtype=pl.Boolean), "fields", plan.nested, expected)
    if extra is None and isinstance(chunk, FrameChunk) and not _has_objects(chunk, plan):
        return _flat(names, columns)
    return _deep(names, columns, extra, chunk, checks)


def _column(chunk: RowChunk, column: str, plan: ColumnRoles, checks: RowErrors) -> list[Any]:
    if isinstance(chunk, FrameChunk):
        raw = chunk.column(column)
        if raw.dtype.is_float():
            wrong = (raw.is_nan() | raw.is_infinite()).fill_null(False)
            checks.refuse(wrong, column, column, "a finite number")
    values = chunk.values(column)
    separator = plan.mapping.split.get(column)
    return [_split(one, separator) for one in values] if separator else values


def _split(value: Any, separator: str) -> Any:
    if not isinstance(value, str):
        return value
    return [part for one in value.split(separator) if (part := one.strip())]


def _flags(chunk: RowChunk, columns: Sequence[str]) -> list[list[str] | None]:
    """The columns of ones and noughts as lists of the names of those that are 1."""
    off = (None, 0, "0", "", False, "false", "False")
    marks = [chunk.values(one) for one in columns]
    pairs = (
        [name for name, mark in zip(columns, row, strict=True) if mark not in off]
        for row in zip(*marks, strict=True)
    )
    return [one or None for one in pairs]


def _has_objects(chunk: FrameChunk, plan: ColumnRoles) -> bool:
    return any(isinstance(chunk.column(one).dtype, pl.Struct) for one, _ in plan.fields)


def _flat(names: Sequence[str], columns: Sequence[list[Any]]) -> list[str | None]:
    """Fields without objects, quickly."""
    dumps = orjson.dumps
    if not any(None in one for one in columns):
        rows = zip(*columns, strict=True)
        return [dumps(dict(zip(names, row, strict=True)), option=_SORTED).decode() for row in rows]
    found: list[str | None] = []
    for row in zip(*columns, strict=True):
        said = {name: one for name, one in zip(names, row, strict=True) if one is not None}
        found.append(dumps(said, option=_SORTED).decode() if said else None)
    return found


def _deep(
    names: Sequence[str],
    columns: Sequence[list[Any]],
    extra: Sequence[Any] | None,
    chunk: RowChunk,
    checks: RowErrors,
) -> list[str | None]:
    found: list[str | None] = []
    wrong: dict[str, list[int]] = {}
    for at in range(len(chunk.rows)):
        said = {name: column[at] for name, column in zip(names, columns, strict=True)}
        more = extra[at] if extra is not None and isinstance(extra[at], Mapping) else {}
        try:
            found.append(_text(said, more))
        except (TypeError, ValueError) as problem:
            found.append(None)
            wrong.setdefault(str(problem), []).append(at)
    for expected, places in wrong.items():
        mask = pl.Series([False] * len(chunk.rows)).scatter(places, True)
        checks.refuse(mask, "fields", "", expected)
    return found


def _text(said: Mapping[Any, Any], more: Mapping[Any, Any]) -> str | None:
    """One object; null in `more` was written on purpose (a patch that clears a field) and stays."""
    flat: dict[str, Any] = {}
    for name, value in said.items():
        _flatten(flat, str(name), value, deeper=True)
    for name, value in more.items():
        _flatten(flat, str(name), value, deeper=True)
        if value is None:
            flat[str(name)] = None
    return orjson.dumps(flat, option=_SORTED).decode() if flat else None


def _flatten(flat: dict[str, Any], name: str, value: Any, *, deeper: bool) -> None:
    if value is None:
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a finite number as {name}")
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if deeper and isinstance(value, Mapping) and not _is_place(value):
        for part, one in value.items():
            label = " ".join(str(part).split()).rstrip(": ")
            _flatten(flat, f"{name}.{label}", one, deeper=False)
        return
    flat[name] = value


def _is_place(value: Mapping[Any, Any]) -> bool:
    return all(any(one in value for one in part) for part in _PLACES)
