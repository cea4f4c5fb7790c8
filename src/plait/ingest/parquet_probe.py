"""A separate program that reads a Parquet file to its end and reports why reading fails.

Damaged pages can make polars abort the process that reads them. So `plait.ingest.parquet` runs
this program on a file first: only its process ends then.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

__all__ = ["PARQUET", "ParquetProbe", "probe_parquet", "readable_columns"]

PARQUET = b"PAR1"
"""How a Parquet file begins, and ends."""

_UNREADABLE = 3
"""The exit status for a file that cannot be read."""

_TOO_MANY = 4
"""The exit status for a file that claims more rows than asked for."""


def readable_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """List the columns to read: all but those of raw bytes (pictures) and objects.

    Args:
        schema: The type of each column by name.

    Returns:
        Their names.
    """
    return [name for name, dtype in schema.items() if not isinstance(dtype, pl.Binary | pl.Object)]


class ParquetProbe(NamedTuple):
    """What a first look at a file showed.

    Attributes:
        problem: Why it cannot be read; "" if it can.
        rows: How many rows it claims, if they are more than asked for; else 0.
    """

    problem: str = ""
    rows: int = 0


def probe_parquet(path: Path, most: int) -> ParquetProbe:
    """Find out whether a Parquet file can be read, in half a second and the time to read it.

    Args:
        path: The file.
        most: The most rows; a file that claims more is not read.

    Returns:
        Why it cannot be read, or how many rows are too many.
    """
    with path.open("rb") as file:
        file.seek(-len(PARQUET), 2)
        if file.read() != PARQUET:
            return ParquetProbe("it ends early")
    if not sys.executable or getattr(sys, "frozen", False):
        return ParquetProbe()  # there is no Python to run
    command = [sys.executable, "-P", __file__, str(path), str(most)]
    done = subprocess.run(  # noqa: S603 this very file
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    output = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode < 0:
        signal = -done.returncode
        reason = f"its pages are damaged, or there is too little memory (signal {signal})"
        return ParquetProbe(reason)
    if done.returncode == _TOO_MANY:
        return ParquetProbe(rows=int(output))
    return ParquetProbe(output if done.returncode == _UNREADABLE else "")


def _problem(path: str, most: int) -> tuple[int, str]:
    """The exit status, and what is printed."""
    try:
        lazy = pl.scan_parquet(path, glob=False)
        rows = lazy.select(pl.len()).collect().item()  # as its end claims
        if rows > most:
            return _TOO_MANY, str(rows)
        lazy = lazy.select(readable_columns(lazy.collect_schema()))
        for _ in lazy.collect_batches(chunk_size=50_000):
            pass
    except pl.exceptions.PanicException:  # its message is about polars, not about the file
        return _UNREADABLE, "its parts contradict each other"
    except (pl.exceptions.PolarsError, OSError, ValueError) as problem:
        return _UNREADABLE, str(problem).split("\n", 1)[0][:200] or type(problem).__name__
    return 0, ""


if __name__ == "__main__":
    status, output = _problem(sys.argv[1], int(sys.argv[2]))
    sys.stdout.write(output)
    sys.exit(status)
