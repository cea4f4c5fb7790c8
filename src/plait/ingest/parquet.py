"""Reads Parquet files as chunks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from plait.errors import InputError
from plait.ingest.dataframes import notes_of_raw_bytes, read_frames
from plait.ingest.parquet_probe import probe_parquet, readable_columns
from plait.ingest.row_chunk import ROWS, FrameChunk
from plait.ingest.row_limit import check_row_count, most_rows

__all__ = ["read_parquet"]

_READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def read_parquet(path: Path, name: str, size: int, limit: int = 0) -> Iterator[FrameChunk]:
    """Read a Parquet file.

    It is read once before, in another process, so that damage is found before the first row is
    taken and cannot end this process.

    Args:
        path: The file.
        name: The name of the source.
        size: Its length on disk in bytes, compressed as it came.
        limit: The most rows, see `plait.ingest.row_limit.most_rows`.

    Yields:
        Chunks of at most `ROWS` rows.

    Raises:
        InputError: If the file cannot be read to its end, or claims too many rows.
    """
    probe = probe_parquet(path, most_rows(size, limit))
    if probe.problem:
        raise _unreadable(name, probe.problem)
    check_row_count(probe.rows, size, limit, name)
    try:
        lazy = pl.scan_parquet(path, glob=False)
        schema = lazy.collect_schema()
        lazy = lazy.select(readable_columns(schema))
        batches = lazy.collect_batches(chunk_size=ROWS, maintain_order=True)
        yield from read_frames(batches, name, notes_of_raw_bytes(schema))
    except _READ_ERRORS as problem:  # the file was changed in between
        raise _unreadable(name, str(problem).split("\n", 1)[0][:200]) from problem


def _unreadable(name: str, reason: str) -> InputError:
    return InputError(
        f"{name} cannot be read as a Parquet file: {reason}",
        hint="it may be damaged or truncated: download it or write it again",
    )
