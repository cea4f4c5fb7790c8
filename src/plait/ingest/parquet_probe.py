"""A program of its own: reads a Parquet file to its end and says why it cannot.

Damaged pages can make polars abort the process that reads them. So `plait.ingest.dataframes` lets
this one read a file first: only its own process ends then.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl

__all__ = ["PARQUET", "rehearse", "usable"]

PARQUET = b"PAR1"
"""How a Parquet file begins, and ends."""

_REFUSED = 3


def usable(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Without the columns of raw bytes (pictures), which are not even read."""
    kinds = frame.collect_schema().items()
    return frame.select([one for one, kind in kinds if not isinstance(kind, pl.Binary | pl.Object)])


def rehearse(path: Path) -> str:
    """Why a file cannot be read, "" if it can; half a second, and the time to read it."""
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
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == _REFUSED else ""


def _problem(path: str) -> str:
    try:
        for _ in usable(pl.scan_parquet(path, glob=False)).collect_batches(chunk_size=50_000):
            pass
    except pl.exceptions.PanicException:  # it speaks of polars, not of the file
        return "its parts contradict each other"
    except (pl.exceptions.PolarsError, OSError, ValueError) as problem:
        return str(problem).split("\n", 1)[0][:200] or type(problem).__name__
    return ""


if __name__ == "__main__":
    found = _problem(sys.argv[1])
    sys.stdout.write(found)
    sys.exit(_REFUSED if found else 0)
