"""Frames in memory, polars' or pandas'."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl

from plait.ingest.delimited import column_names
from plait.ingest.parquet_probe import readable_columns
from plait.ingest.row_chunk import ROWS, FrameChunk, series_of

__all__ = ["from_pandas", "is_pandas", "read_frames"]


def read_frames(frames: Iterable[pl.DataFrame], name: str) -> Iterator[FrameChunk]:
    """Read frames one after the other.

    Args:
        frames: Frames with the same columns; raw bytes (pictures) and columns without a name are
            left out.
        name: The name of the source.

    Yields:
        Chunks of at most `ROWS` rows.

    Raises:
        MappingError: If two columns have the same name.
    """
    row = 0
    for frame in frames:
        columns = [column for column in readable_columns(frame.schema) if column.strip()]
        named = frame.select(columns)
        named.columns = column_names(columns, name)
        for start in range(0, max(named.height, 1), ROWS):
            batch = named[start : start + ROWS]
            rows = np.arange(row + 1, row + 1 + batch.height, dtype=np.int64)
            row += batch.height
            yield FrameChunk(batch, rows)


def is_pandas(source: object) -> bool:
    """Return whether an object is a pandas DataFrame, without importing pandas.

    Args:
        source: Any object.
    """
    cls = type(source)
    return cls.__name__ == "DataFrame" and cls.__module__.partition(".")[0] == "pandas"


def from_pandas(source: Any) -> pl.DataFrame:
    """Convert a pandas frame column by column, without pyarrow.

    Args:
        source: The frame; a named index comes first, as columns.

    Returns:
        The same values; those that pandas calls missing are null.
    """
    if any(name is not None for name in source.index.names):
        source = source.reset_index()
    names = column_names([str(column) for column in source.columns], "the frame")
    return pl.DataFrame(
        [_series_from_pandas(name, source.iloc[:, index]) for index, name in enumerate(names)]
    )


def _series_from_pandas(name: str, column: Any) -> pl.Series:
    dtype = column.dtype
    missing = column.isna().to_numpy()
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        numbers = pl.Series(name, column.to_numpy())
        return numbers.set(pl.Series(missing), None) if missing.any() else numbers
    if getattr(dtype, "kind", "") == "M":
        zoned = getattr(dtype, "tz", None) is not None
        walls = column.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else column
        times = pl.Series(name, walls.to_numpy().astype("datetime64[us]"))
        return times.dt.replace_time_zone("UTC") if zoned else times
    objects = column.astype(object).tolist()
    values = [None if gone else value for value, gone in zip(objects, missing, strict=True)]
    types = {type(value) for value in values} - {type(None)}
    if types and types <= {list, tuple, set, np.ndarray}:
        texts = [None if value is None else [str(text) for text in value] for value in values]
        return pl.Series(name, texts, pl.List(pl.String))
    return series_of(name, values)
