"""Reshapes rows as a mapping asks, before their columns are read.

Rows of exports are not always one event, or one item: a line of an order names its customer once, a
list holds the items of a purchase, a column holds two values, two columns hold one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from plait.data.array_types import Int64Array
from plait.errors import MappingError
from plait.ingest.column_mapping import ColumnMapping
from plait.ingest.column_roles import missing_column_hint
from plait.ingest.nested_columns import NestedChunk, with_dotted_columns
from plait.ingest.row_chunk import DictChunk, FrameChunk, RowChunk
from plait.ingest.row_conditions import parse_rule
from plait.ingest.source_notes import ImportNote

__all__ = ["shaped"]


def shaped(chunks: Iterator[RowChunk], mapping: ColumnMapping, name: str) -> Iterator[RowChunk]:
    """Give the rows as their columns are read: filled, exploded, extracted, joined, with dots.

    Args:
        chunks: The rows as the file has them.
        mapping: What the columns mean.
        name: The name of the source.

    Yields:
        The chunks.

    Raises:
        MappingError: If the mapping names a column that does not exist.
    """
    filler = _Filler(mapping.fill)
    for chunk in chunks:
        yield _shaped(chunk, mapping, filler, name) if len(chunk.rows) else chunk


def _shaped(chunk: RowChunk, mapping: ColumnMapping, filler: _Filler, name: str) -> RowChunk:
    chunk = _without_headers(chunk)
    for group, columns in mapping.fill.items():
        _require(chunk, [group, *columns], name)
    chunk = with_dotted_columns(filler.filled(chunk))
    if mapping.explode:
        _require(chunk, [mapping.explode], name)
        chunk = _exploded(chunk, mapping.explode, mapping.split.get(mapping.explode, ""))
    for column, pattern in mapping.extract.items():
        _require(chunk, [column], name)
        texts = chunk.column(column).cast(pl.String, strict=False)
        groups = texts.str.extract_groups(pattern).struct.unnest()
        chunk = _with_columns(chunk, groups.to_dict(as_series=False))
    for column, parts in mapping.join.items():
        _require(chunk, parts, name)
        pieces = [chunk.column(part).cast(pl.String, strict=False) for part in parts]
        chunk = _with_columns(chunk, {column: _joined(pieces)})
    return _selected(chunk, mapping.where) if mapping.where else chunk


def _joined(pieces: Sequence[pl.Series]) -> list[str | None]:
    """The texts of each row in one, None where all of them are missing."""
    stripped = [column.str.strip_chars() for column in pieces]
    present = [column.set((column == "").fill_null(False), None) for column in stripped]
    joined = pl.select(pl.concat_str(present, separator=" ", ignore_nulls=True)).to_series()
    texts: list[str | None] = joined.set(joined == "", None).to_list()
    return texts


def _without_headers(chunk: RowChunk) -> RowChunk:
    """The rows without copies of the header, as files that were put together have."""
    if not isinstance(chunk, FrameChunk) or not chunk.textual or len(chunk.names) < 2:
        return chunk
    first, *others = chunk.names
    is_header = (chunk.frame.get_column(first) == first).fill_null(False)
    for name in others if is_header.any() else ():
        is_header = is_header & (chunk.frame.get_column(name) == name).fill_null(False)
    if not is_header.any():
        return chunk
    message = "rows that repeat the header are left out"
    note = ImportNote("repeated-header", "", message, int(is_header.sum()))
    return _taken(chunk, (~is_header).arg_true().to_numpy(), [*chunk.notes, note])


def _selected(chunk: RowChunk, rules: Sequence[str]) -> RowChunk:
    """The rows that fulfil all rules."""
    columns = [*chunk.names, *getattr(chunk, "paths", ())]
    selected = pl.repeat(True, len(chunk.rows), eager=True)
    for text in rules:
        selected = selected & parse_rule(text, columns).holds(chunk)
    if selected.all():
        return chunk
    left_out = len(selected) - int(selected.sum())
    note = ImportNote("rows-left-out", "", "rows are left out by the mapping's `where`", left_out)
    return _taken(chunk, selected.arg_true().to_numpy(), [*chunk.notes, note])


def _taken(chunk: RowChunk, indices: Int64Array, notes: list[ImportNote]) -> RowChunk:
    """The rows at some indices."""
    if isinstance(chunk, FrameChunk):
        return replace(chunk, frame=chunk.frame[indices], rows=chunk.rows[indices], notes=notes)
    inner, paths = _objects_of(chunk)
    dicts = [inner.dicts[index] for index in indices]
    inner = replace(inner, dicts=dicts, rows=inner.rows[indices], notes=notes)
    return NestedChunk(inner, paths) if paths else inner


def _require(chunk: RowChunk, columns: Sequence[str], name: str) -> None:
    known = {*chunk.names, *getattr(chunk, "paths", ())}
    missing = next((column for column in columns if column not in known), None)
    if missing is not None:
        raise MappingError(
            f"{name} has no column {missing!r}, which the mapping names",
            hint=missing_column_hint(missing, sorted(known)),
            field=missing,
        )


class _Filler:
    """Carries values down within the rows of one group, also from chunk to chunk."""

    def __init__(self, columns_by_group: Mapping[str, Sequence[str]]) -> None:
        self._groups = columns_by_group
        self._keys: dict[str, Any] = {}
        self._latest: dict[str, dict[str, Any]] = {}

    def filled(self, chunk: RowChunk) -> RowChunk:
        """Give the chunk with the values that its rows share."""
        for group, names in self._groups.items():
            columns = {name: chunk.column(name).to_list() for name in names}
            for index, key in enumerate(chunk.column(group).to_list()):
                if key != self._keys.get(group):
                    self._keys[group], self._latest[group] = key, {}
                self._fill_row(columns, index, self._latest.setdefault(group, {}))
            chunk = _with_columns(chunk, columns)
        return chunk

    @staticmethod
    def _fill_row(columns: Mapping[str, list[Any]], index: int, latest: dict[str, Any]) -> None:
        for name, values in columns.items():
            if values[index] is None:
                values[index] = latest.get(name)
            else:
                latest[name] = values[index]


def _with_columns(chunk: RowChunk, columns: Mapping[str, Sequence[Any]]) -> RowChunk:
    """The chunk with more columns, or other values in them."""
    if isinstance(chunk, FrameChunk):
        series = [pl.Series(name, values, strict=False) for name, values in columns.items()]
        return replace(chunk, frame=chunk.frame.with_columns(series))
    inner, paths = _objects_of(chunk)
    dicts = [
        {**row, **dict(zip(columns, values, strict=True))}
        for row, values in zip(inner.dicts, zip(*columns.values(), strict=True), strict=True)
    ]
    names = list(dict.fromkeys((*inner.names, *columns)))
    inner = replace(inner, dicts=dicts, names=names)
    return NestedChunk(inner, paths) if paths else inner


def _objects_of(chunk: RowChunk) -> tuple[DictChunk, Mapping[str, tuple[Any, ...]]]:
    if isinstance(chunk, NestedChunk):
        return chunk.chunk, chunk.paths
    if isinstance(chunk, DictChunk):
        return chunk, {}
    raise TypeError(type(chunk))


def _exploded(chunk: RowChunk, column: str, separator: str) -> RowChunk:
    """A row for each member of a list; a row without members is left out, and noted."""
    if column in chunk.names and not isinstance(chunk, FrameChunk):
        values = [row.get(column) for row in _objects_of(chunk)[0].dicts]
    else:
        values = chunk.column(column).to_list()
    members = [_members(value, separator) for value in values]
    counts = np.array([len(parts) for parts in members], np.int64)
    rows = np.repeat(np.arange(len(counts)), counts)
    notes = list(chunk.notes)
    if not counts.all():
        message = "rows without anything in this list are left out"
        notes.append(ImportNote("empty-lists", column, message, int((counts == 0).sum())))
    flat = [member for parts in members for member in parts]
    taken = _with_columns(_taken(chunk, rows, notes), {column: flat})
    return with_dotted_columns(taken.chunk if isinstance(taken, NestedChunk) else taken)


def _members(value: Any, separator: str) -> list[Any]:
    if isinstance(value, str) and separator:
        return [part for word in value.split(separator) if (part := word.strip())]
    if isinstance(value, list | tuple | np.ndarray):
        return [member for member in value if member is not None]
    return [] if value is None else [value]
