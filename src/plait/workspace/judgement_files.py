"""Reads files of judgements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from plait.errors import InputError
from plait.ingest.list_frames import as_frame

__all__ = ["read_judgements"]

_READERS: Mapping[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".tsv": lambda path: pl.read_csv(path, infer_schema=False, separator="\t"),
    ".jsonl": pl.read_ndjson,
    ".ndjson": pl.read_ndjson,
    ".json": pl.read_json,
    ".parquet": pl.read_parquet,
}


def read_judgements(source: Any) -> pl.DataFrame:
    """Read a table of judgements.

    Args:
        source: A CSV, TSV, JSON, JSON lines or Parquet file, or a table.

    Returns:
        The table as it is.

    Raises:
        InputError: If the file cannot be read.
    """
    if not isinstance(source, str | Path):
        return as_frame(source, "judgements")
    path = Path(source)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    reader = _READERS.get(suffix.lower(), _READERS[".csv"])
    try:
        return reader(path)
    except (OSError, pl.exceptions.PolarsError) as problem:
        raise InputError(
            f"the judgements {path} cannot be read: {problem}",
            hint="a CSV, TSV, JSON, JSON lines or Parquet file with query, item and relevance",
            field="judgements",
        ) from problem
