"""Nested objects as columns with dotted names: `lager.verfuegbar`, `name.de`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from plait.ingest.field_values import is_location, label_of, parts_of
from plait.ingest.row_chunk import DictChunk, FrameChunk, RawColumn, RowChunk

__all__ = ["NestedChunk", "has_cell", "parts_in", "with_dotted_columns"]

_MAX_NAMES = 5000
_MAX_DEPTH = 16
_OWN_FIELDS = "fields"
"""The column whose object holds the fields of a row: its parts are no columns."""

_Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NestedChunk:
    """JSON objects whose parts can be read as columns; see `plait.ingest.row_chunk.RowChunk`.

    Attributes:
        chunk: The rows.
        paths: By dotted name the keys that lead to a part.
    """

    chunk: DictChunk
    paths: Mapping[str, _Path]

    @property
    def rows(self) -> Any:
        return self.chunk.rows

    @property
    def rejects(self) -> Any:
        return self.chunk.rejects

    @property
    def textual(self) -> bool:
        return self.chunk.textual

    @property
    def notes(self) -> Any:
        return self.chunk.notes

    @property
    def words(self) -> Any:
        return self.chunk.words

    @property
    def names(self) -> Sequence[str]:
        return self.chunk.names

    def column(self, name: str) -> pl.Series:
        path = self.paths.get(name)
        return self.chunk.column(name) if path is None else self._part(name, path).column(name)

    def raw(self, name: str) -> RawColumn:
        path = self.paths.get(name)
        return self.chunk.raw(name) if path is None else self._part(name, path).raw(name)

    def values(self, name: str) -> list[Any]:
        path = self.paths.get(name)
        if path is None:
            return self.chunk.values(name)
        return self._part(name, path).values(name)

    def _part(self, name: str, path: _Path) -> DictChunk:
        dicts = [{name: _value_at(row, path)} for row in self.chunk.dicts]
        return replace(self.chunk, dicts=dicts, names=[name])


def has_cell(chunk: RowChunk, index: int, column: str) -> bool:
    """Return whether a row has a column at all: a row of a table has each, an object may lack it.

    Args:
        chunk: The rows.
        index: The index of the row.
        column: The column, or the dotted name of a part of an object.
    """
    if isinstance(chunk, NestedChunk) and column in chunk.paths:
        *parents, key = chunk.paths[column]
        holder = _value_at(chunk.chunk.dicts[index], tuple(parents))
        parts = holder if isinstance(holder, Mapping) else parts_of(holder)
        return parts is not None and key in parts
    if isinstance(chunk, NestedChunk | DictChunk):
        dicts = chunk.dicts if isinstance(chunk, DictChunk) else chunk.chunk.dicts
        return column in dicts[index]
    return True


def with_dotted_columns(chunk: RowChunk) -> RowChunk:
    """Make the parts of objects readable as columns.

    The structs of a frame become columns; JSON objects stay, since their parts may be many, and
    `NestedChunk.paths` lists their parts.

    Args:
        chunk: The rows.

    Returns:
        The same rows.
    """
    if isinstance(chunk, FrameChunk) and _holds_objects(chunk.frame):
        dicts = chunk.frame.to_dicts()
        chunk = DictChunk(dicts, chunk.rows, chunk.names, chunk.rejects, chunk.notes, chunk.words)
    if isinstance(chunk, FrameChunk):
        frame = _without_structs(chunk.frame)
        return chunk if frame is chunk.frame else replace(chunk, frame=frame)
    if isinstance(chunk, DictChunk):
        paths = _paths_of(chunk.dicts)
        return NestedChunk(chunk, paths) if paths else chunk
    return chunk


def _holds_objects(frame: pl.DataFrame) -> bool:
    """Whether a column holds dictionaries of Python, or lists of structs."""
    for column in frame:
        if column.dtype == pl.Object and any(isinstance(value, Mapping) for value in column):
            return True
        if isinstance(column.dtype, pl.List | pl.Array):
            inner = column.dtype.inner
            if isinstance(inner, pl.Struct) and not _is_place(inner):
                return True
    return False


def parts_in(chunk: RowChunk) -> dict[str, str]:
    """Return by dotted name of a part the column that holds its object.

    Args:
        chunk: The rows.
    """
    return {name: path[0] for name, path in getattr(chunk, "paths", {}).items()}


def _without_structs(frame: pl.DataFrame) -> pl.DataFrame:
    """Each struct but a place as a column for each of its parts."""
    for _ in range(_MAX_DEPTH):
        structs = {
            name: dtype
            for name, dtype in frame.schema.items()
            if isinstance(dtype, pl.Struct) and name != _OWN_FIELDS and not _is_place(dtype)
        }
        if not structs:
            break
        columns: dict[str, pl.Series] = {}
        for name in frame.columns:
            series = frame.get_column(name)
            if name not in structs:
                columns[name] = series
                continue
            for field in structs[name].fields:
                part = f"{name}.{label_of(field.name)}"
                if part not in frame.columns:
                    columns[part] = series.struct.field(field.name).alias(part)
        frame = pl.DataFrame(list(columns.values()))
    return frame


def _is_place(dtype: pl.Struct) -> bool:
    return is_location({field.name: None for field in dtype.fields})


def _paths_of(dicts: Sequence[Mapping[str, Any]]) -> dict[str, _Path]:
    """The paths to the parts of the columns that hold objects, in most of their rows."""
    paths: dict[str, _Path] = {}
    counts: Counter[str] = Counter()
    for row in dicts:
        for key, value in row.items():
            if type(value) in (dict, list) and key != _OWN_FIELDS and parts_of(value) is not None:
                counts[key] += 1
                if len(paths) < _MAX_NAMES:
                    _add_paths(paths, str(key), (key,), value)
    others = {
        key
        for key in counts
        if sum(row.get(key) not in (None, [], "") for row in dicts) >= 2 * counts[key]
    }
    return {name: path for name, path in paths.items() if path[0] not in others}


def _add_paths(paths: dict[str, _Path], name: str, path: _Path, value: Any) -> None:
    parts = parts_of(value) if len(path) < _MAX_DEPTH else None
    if parts is None:
        if len(path) > 1:
            paths.setdefault(name, path)
        return
    for key, inner in parts.items():
        _add_paths(paths, f"{name}.{label_of(key)}", (*path, key), inner)


def _value_at(value: Any, path: _Path) -> Any:
    for index, key in enumerate(path):
        parts = value if index == 0 else parts_of(value)
        if parts is None:
            return None
        value = parts.get(key)
    return value
