"""Reads data frames of polars and pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from plait.ingest.delimited import column_names
from plait.ingest.plain_values import plain_value
from plait.ingest.row_chunk import ROWS, FrameChunk, uniform_series
from plait.ingest.source_notes import ImportNote

__all__ = [
    "from_pandas",
    "is_pandas",
    "notes_of_raw_bytes",
    "read_frames",
    "series_of_objects",
    "with_texts",
]


def read_frames(
    frames: Iterable[pl.DataFrame], name: str, notes: Sequence[ImportNote] = ()
) -> Iterator[FrameChunk]:
    """Read frames one after the other.

    Args:
        frames: Frames with the same columns; raw bytes (pictures) and columns without a name are
            left out.
        name: The name of the source.
        notes: What is known about the frames already.

    Yields:
        Chunks of at most `ROWS` rows.

    Raises:
        MappingError: If two columns have the same name.
    """
    row = 0
    for frame in frames:
        if not row:
            notes = [*notes, *notes_of_raw_bytes(frame.schema)]
        dtypes = frame.schema.items()
        columns = [column for column, dtype in dtypes if column.strip() and dtype != pl.Binary]
        named = frame.select(columns)
        named.columns = column_names(columns, name)
        for start in range(0, max(named.height, 1), ROWS):
            batch = named[start : start + ROWS]
            rows = np.arange(row + 1, row + 1 + batch.height, dtype=np.int64)
            row += batch.height
            yield FrameChunk(batch, rows, notes=list(notes))
            notes = ()


def notes_of_raw_bytes(schema: Mapping[str, pl.DataType]) -> list[ImportNote]:
    """Say which columns are left out because they hold raw bytes.

    Args:
        schema: The type of each column by name.

    Returns:
        A note for each of them.
    """
    message = "raw bytes are left out"
    columns = [column for column, dtype in schema.items() if dtype == pl.Binary]
    return [ImportNote("raw-bytes", column, message) for column in columns]


def with_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Read columns of bytes as text where all of their values are UTF-8 text.

    Args:
        frame: Any frame.

    Returns:
        The frame with String columns in their places; other columns of bytes stay as they are.
    """
    for column in [name for name, dtype in frame.schema.items() if dtype == pl.Binary]:
        texts = []
        for value in frame.get_column(column):
            text = plain_value(value)
            if isinstance(text, bytes):
                break
            texts.append(text)
        else:
            frame = frame.with_columns(pl.Series(column, texts, pl.String))
    return frame


def is_pandas(source: object) -> bool:
    """Return whether an object is a pandas DataFrame, without importing pandas.

    Args:
        source: Any object.
    """
    cls = type(source)
    return cls.__name__ == "DataFrame" and cls.__module__.partition(".")[0] == "pandas"


def from_pandas(source: Any) -> pl.DataFrame:
    """Convert a pandas frame column by column; needs pyarrow only where pandas itself does.

    Args:
        source: The frame; a named index comes first, as columns, and the levels of a column's name
            are joined by dots.

    Returns:
        The same values; those that pandas calls missing are null. A column of Python objects of
        several types, of dictionaries or of lists has the type Object.

    Raises:
        MappingError: If two columns have the same name.
    """
    index = source.index
    labelled = [
        (name, index.get_level_values(level).to_series(index=index))
        for level, name in enumerate(index.names)
        if name is not None and name not in source.columns
    ]
    labelled += [(label, source.iloc[:, at]) for at, label in enumerate(source.columns)]
    parts = [label if isinstance(label, tuple) else (label,) for label, _ in labelled]
    names = column_names([".".join(filter(None, map(str, label))) for label in parts], "the frame")
    columns = (column for _, column in labelled)
    return pl.DataFrame([_series_from_pandas(*pair) for pair in zip(names, columns, strict=True)])


def series_of_objects(name: str, objects: Sequence[Any]) -> pl.Series:
    """Make a series of Python values.

    Args:
        name: The name of the series.
        objects: N values.

    Returns:
        A series of their type if they have one scalar type, else of the type Object.
    """
    types = {type(value) for value in objects} - {type(None)}
    if types == {bool}:
        return pl.Series(name, objects, pl.Boolean)
    if types and types <= {bytes, bytearray}:
        return pl.Series(name, objects, pl.Binary)
    series = uniform_series(name, objects)
    return pl.Series(name, objects, pl.Object) if series is None else series


def _series_from_pandas(name: str, column: Any) -> pl.Series:
    dtype = column.dtype
    if hasattr(dtype, "pyarrow_dtype"):
        return _from_arrow(name, column)
    if hasattr(dtype, "categories"):
        categories = _series_from_pandas(name, dtype.categories.to_series()).to_list()
        codes = column.cat.codes.tolist()
        return series_of_objects(name, [categories[code] if code >= 0 else None for code in codes])
    if hasattr(dtype, "fill_value"):
        return _series_from_pandas(name, column.sparse.to_dense())
    if hasattr(dtype, "freq"):  # periods: each is its start
        return _series_from_pandas(name, column.dt.to_timestamp())
    missing = column.isna().to_numpy(dtype=bool)
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        numbers = pl.Series(name, column.to_numpy())
        return numbers.set(pl.Series(missing), None) if missing.any() else numbers
    if isinstance(dtype, np.dtype) and dtype.kind == "m":
        return pl.Series(name, column.to_numpy().astype("timedelta64[us]"))
    if getattr(dtype, "kind", "") == "M":
        zoned = getattr(dtype, "tz", None) is not None
        walls = column.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else column
        times = pl.Series(name, walls.to_numpy().astype("datetime64[us]"))
        return times.dt.replace_time_zone("UTC") if zoned else times
    objects = column.astype(object).tolist()
    return series_of_objects(
        name, [None if gone else value for value, gone in zip(objects, missing, strict=True)]
    )


def _from_arrow(name: str, column: Any) -> pl.Series:
    """A column that Arrow holds, with its type: zones, decimals, structures and lists stay."""
    try:
        series = pl.from_arrow(column.array.__arrow_array__())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError, ValueError):
        return series_of_objects(name, column.astype(object).where(column.notna(), None).tolist())
    assert isinstance(series, pl.Series)
    return series.alias(name)
