"""Processor time of importing CSV files, by this source tree against another one.

    python benchmarks/import_comparison.py OTHER [--rows 300000] [--pairs 5] [--files events ...]

OTHER is a checkout of another version, such as `git worktree add /tmp/old COMMIT` makes. Both run
`plait ingest` in processes of their own, in turn, on the same files and with one thread, so that
the ratio holds on a busy machine too. Prints one JSON object: for each file the median processor
seconds of both, the share of the other's speed that this tree reaches (median of the pairs), and
both peaks of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parents[1]
WORDS = ("red", "lamp", "oak", "small", "vase", "of", "glass", "blue", "heavy", "clock")


def plain_events(rows: int) -> pl.DataFrame:
    """User, item, time and kind."""
    chance = np.random.default_rng(7)
    return pl.DataFrame(
        {
            "user_id": chance.integers(30_000, size=rows),
            "item_id": (chance.random(rows) ** 2 * 20_000).astype(np.int64),
            "timestamp": 1_500_000_000 + np.arange(rows),
            "event_type": chance.choice(["view", "cart", "purchase"], rows),
        }
    )


def order_lines(rows: int) -> pl.DataFrame:
    """Purchases with times as text, amounts and fields, as an order system has them."""
    chance = np.random.default_rng(8)
    start = np.datetime64("2023-01-01T00:00:00")
    return plain_events(rows).with_columns(
        pl.Series(
            "timestamp", [str(start + np.timedelta64(17 * n, "s")) for n in range(rows)]
        ).str.replace("T", " "),
        pl.Series("event_type", ["purchase"] * rows),
        pl.Series("quantity", chance.integers(1, 9, rows)),
        pl.Series("price", chance.integers(99, 9_999, rows) / 100),
        pl.Series("country", chance.choice(["DE", "FR", "GB", "US"], rows)),
        pl.Series("description", sentences(chance, rows)),
    )


def catalogue(rows: int) -> pl.DataFrame:
    """Items with a title, a category, a price, a stock and a day."""
    chance = np.random.default_rng(9)
    return pl.DataFrame(
        {
            "item_id": [f"i{number}" for number in range(rows)],
            "title": sentences(chance, rows),
            "category": chance.choice(["lamps", "vases", "clocks", "desks"], rows),
            "price": chance.integers(99, 9_999, rows) / 100,
            "stock": chance.integers(0, 40, rows),
            "added": [f"2024-0{1 + number % 9}-1{number % 10}" for number in range(rows)],
        }
    )


def sentences(chance: np.random.Generator, rows: int) -> list[str]:
    """Four words for each row."""
    return [" ".join(words) for words in chance.choice(WORDS, (rows, 4)).tolist()]


FILES = {
    "events": (plain_events, "--events"),
    "orders": (order_lines, "--events"),
    "items": (catalogue, "--items"),
}


def import_once(tree: Path, path: Path, option: str) -> tuple[float, float]:
    """Import a file into a new home.

    Args:
        tree: The checkout whose `plait` does it.
        path: The file.
        option: What it holds: "--events" or "--items".

    Returns:
        Processor seconds and the peak of memory in MB.
    """
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "plait", "ingest", "--home", home, option, str(path)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(tree / "src"),
            "POLARS_MAX_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed in {tree}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(other: Path, path: Path, option: str, pairs: int) -> dict[str, float]:
    """Import one file with both trees in turn; which goes first alternates."""
    seconds: dict[Path, list[float]] = {HERE: [], other: []}
    peaks: dict[Path, float] = {HERE: 0.0, other: 0.0}
    for pair in range(pairs):
        for tree in (HERE, other) if pair % 2 else (other, HERE):
            spent, peak = import_once(tree, path, option)
            seconds[tree].append(spent)
            peaks[tree] = max(peaks[tree], peak)
    shares = [old / new for old, new in zip(seconds[other], seconds[HERE], strict=True)]
    return {
        "cpu_s": round(statistics.median(seconds[HERE]), 2),
        "other_cpu_s": round(statistics.median(seconds[other]), 2),
        "share_of_speed": round(statistics.median(shares), 3),
        "peak_mb": round(peaks[HERE]),
        "other_peak_mb": round(peaks[other]),
    }


def main() -> None:
    """Parse the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--files", nargs="+", choices=FILES, default=list(FILES))
    options = parser.parse_args()
    figures: dict[str, Any] = {"rows": options.rows}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.files:
            frame, option = FILES[name]
            path = Path(folder) / f"{name}.csv"
            frame(options.rows).write_csv(path)
            figures[name] = compare(options.other.resolve(), path, option, options.pairs)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
