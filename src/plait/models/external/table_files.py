"""Reads a table from the file that a setting names."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from plait.errors import InputError

__all__ = ["read_table"]


def read_table(path: str, field: str) -> pl.DataFrame:
    """Read a Parquet, CSV or TSV file.

    Args:
        path: The file; its name ends in .parquet, .csv or .tsv.
        field: The setting that names the file.

    Raises:
        InputError: If the file cannot be read, or is of another type.
    """
    suffix = Path(path).suffix.lower()
    try:
        if suffix == ".parquet":
            return pl.read_parquet(path)
        if suffix in (".csv", ".tsv"):
            separator = "\t" if suffix == ".tsv" else ","
            return pl.read_csv(path, separator=separator, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as problem:
        reason = str(problem).partition("\n")[0]
        raise InputError(f"{field}: cannot read {path}: {reason}", field=field) from problem
    raise InputError(
        f"{field} is {path!r}, expected a Parquet, CSV or TSV file",
        hint="its name ends in .parquet, .csv or .tsv",
        field=field,
    )
