"""A separate program that reads a Parquet file to its end and reports why reading fails.

Damaged pages can make polars abort the process that reads them. So `plait.ingest.parquet` runs
this program on a file first: only its process ends then.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import polars as pl

__all__ = ["PARQUET", "probe_parquet", "readable_columns"]

PARQUET = b"PAR1"
"""How a Parquet file begins, and ends."""

_UNREADABLE = 3
"""The exit status for a file that cannot be read."""


def readable_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """List the columns to read: all but those of raw bytes (pictures) and objects.

    Args:
        schema: The type of each column by name.

    Returns:
        Their names.
    """
    return [name for name, dtype in schema.items() if not isinstance(dtype, pl.Binary | pl.Object)]


def probe_parquet(path: Path) -> str:
    """Find out whether a Parquet file can be read, in half a second and the time to read it.

    Args:
        path: The file.

    Returns:
        Why it cannot be read; "" if it can.
    """
    with path.open("rb") as file:
        file.seek(-len(PARQUET), 2)
        if file.read() != PARQUET:
            return "it ends early"
    if not sys.executable or getattr(sys, "frozen", False):
        return ""  # there is no Python to run
    command = [sys.executable, "-P", __file__, str(path)]
    done = subprocess.run(  # noqa: S603 this very file
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    if done.returncode < 0:
        return f"its pages are damaged, or there is too little memory (signal {-done.returncode})"
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == _UNREADABLE else ""


def _problem(path: str) -> str:
    try:
        lazy = pl.scan_parquet(path, glob=False)
        lazy = lazy.select(readable_columns(lazy.collect_schema()))
        for _ in lazy.collect_batches(chunk_size=50_000):
            pass
    except pl.exceptions.PanicException:  # its message is about polars, not about the file
        return "its parts contradict each other"
    except (pl.exceptions.PolarsError, OSError, ValueError) as problem:
        return str(problem).split("\n", 1)[0][:200] or type(problem).__name__
    return ""


if __name__ == "__main__":
    reason = _problem(sys.argv[1])
    sys.stdout.write(reason)
    sys.exit(_UNREADABLE if reason else 0)
