"""Parquet files and frames in memory, polars' or pandas'."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from plait.errors import InputError
from plait.ingest.delimited import column_names
from plait.ingest.parquet_probe import PARQUET, rehearse, usable
from plait.ingest.row_chunk import ROWS, FrameChunk, series_of

__all__ = ["PARQUET", "from_pandas", "is_pandas", "read_frames", "read_parquet"]

_TROUBLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def read_frames(frames: Iterable[pl.DataFrame], name: str) -> Iterator[FrameChunk]:
    """Frames one after the other, `ROWS` rows at a time; raw bytes (pictures) are left out."""
    row = 0
    for frame in frames:
        kept = [one for one, kind in frame.schema.items() if one.strip() and _usable(kind)]
        named = frame.select(kept)
        named.columns = column_names(kept, name)
        for start in range(0, max(named.height, 1), ROWS):
            piece = named[start : start + ROWS]
            rows = np.arange(row + 1, row + 1 + piece.height, dtype=np.int64)
            row += piece.height
            yield FrameChunk(piece, rows)


def read_parquet(path: Path, name: str) -> Iterator[FrameChunk]:
    """A Parquet file, by pieces in their order.

    It is read once before, in another process: damage is found before the first row is taken, and
    ends nobody else's work. Raises InputError if it cannot be read to its end.
    """
    reason = rehearse(path)
    if reason:
        raise _refused(name, reason)
    try:
        lazy = usable(pl.scan_parquet(path, glob=False))
        batches = lazy.collect_batches(chunk_size=ROWS, maintain_order=True)
        yield from read_frames(batches, name)
    except _TROUBLE as problem:  # the file was changed in between
        raise _refused(name, str(problem).split("\n", 1)[0][:200]) from problem


def _refused(name: str, reason: str) -> InputError:
    return InputError(
        f"{name} is no readable Parquet file: {reason}",
        hint="it may be damaged or cut off: fetch it again, or write it again",
    )


def _usable(kind: pl.DataType) -> bool:
    return not isinstance(kind, pl.Binary | pl.Object)


def is_pandas(source: object) -> bool:
    """Whether this is a pandas DataFrame; pandas itself is not needed to know."""
    kind = type(source)
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"


def from_pandas(source: Any) -> pl.DataFrame:
    """A pandas frame column by column, without pyarrow; what pandas calls missing is null.

    A named index comes first, as columns.
    """
    if any(name is not None for name in source.index.names):
        source = source.reset_index()
    names = column_names([str(one) for one in source.columns], "the frame")
    columns = [_from_pandas(name, source.iloc[:, at]) for at, name in enumerate(names)]
    return pl.DataFrame(columns)


def _from_pandas(name: str, column: Any) -> pl.Series:
    kind = column.dtype
    missing = column.isna().to_numpy()
    if isinstance(kind, np.dtype) and kind.kind in "iuf":
        found = pl.Series(name, column.to_numpy())
        return found.set(pl.Series(missing), None) if missing.any() else found
    if getattr(kind, "kind", "") == "M":
        zoned = getattr(kind, "tz", None) is not None
        plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else column
        times = pl.Series(name, plain.to_numpy().astype("datetime64[us]"))
        return times.dt.replace_time_zone("UTC") if zoned else times
    values = [
        None if gone else one
        for one, gone in zip(column.astype(object).tolist(), missing, strict=True)
    ]
    kinds = {type(one) for one in values} - {type(None)}
    if kinds and kinds <= {list, tuple, set, np.ndarray}:
        texts = [None if one is None else [str(part) for part in one] for one in values]
        return pl.Series(name, texts, pl.List(pl.String))
    return series_of(name, values)
