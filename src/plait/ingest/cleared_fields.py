"""Empty cells of items and users that are merged: they clear a field, absent columns do not."""

from __future__ import annotations

import orjson
import polars as pl

from plait.ingest.column_roles import ColumnRoles
from plait.ingest.nested_columns import has_cell
from plait.ingest.row_chunk import FrameChunk, RowChunk

__all__ = ["with_cleared_fields"]


def with_cleared_fields(texts: pl.Series, chunk: RowChunk, roles: ColumnRoles) -> pl.Series:
    """Add null for each field whose column a row has, and leaves empty.

    Args:
        texts: The fields of N rows as JSON objects, String [N], null for none.
        chunk: The rows.
        roles: Which columns are fields.

    Returns:
        The texts with nulls.
    """
    empty: dict[int, list[str]] = {}
    for column, name in roles.fields:
        cells = chunk.values(column)
        if None in cells or "" in cells:
            for row, value in enumerate(cells):
                if (value is None or value == "") and has_cell(chunk, row, column):
                    empty.setdefault(row, []).append(name)
    for name, columns in roles.mapping.flags.items():
        flags = [chunk.values(column) for column in columns]
        for row, values in enumerate(zip(*flags, strict=True)):
            if isinstance(chunk, FrameChunk) or any(value is not None for value in values):
                empty.setdefault(row, []).append(name)
    if not empty:
        return texts
    listed = texts.to_list()
    for row, names in empty.items():
        fields = orjson.loads(listed[row] or "{}")
        nulls = {
            name: None
            for name in names
            if name in fields or not any(other.startswith(f"{name}.") for other in fields)
        }
        merged = {**nulls, **fields}
        listed[row] = orjson.dumps(merged, option=orjson.OPT_SORT_KEYS).decode()
    return pl.Series(texts.name, listed, dtype=pl.String)
