"""Bulk ingest of a file through the whole road: events a second and peak memory.

    python benchmarks/files.py [--events 1000000] [--users 100000] [--items 50000]

Writes a synthetic CSV, then runs `plait ingest` on it in a process of its own, twice: the second
time everything is a duplicate.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from serve import machine

STEP = 1_000_000


def written(path: Path, events: int, users: int, items: int) -> None:
    """A CSV of user, item, time and kind, in the order of time."""
    chance = np.random.default_rng(7)
    for start in range(0, events, STEP):
        size = min(STEP, events - start)
        frame = pl.DataFrame(
            {
                "user_id": chance.integers(users, size=size),
                "item_id": (chance.random(size) ** 2 * items).astype(np.int64),
                "timestamp": 1_500_000_000 + start + np.arange(size),
                "event_type": chance.choice(["view", "cart", "purchase"], size),
            }
        )
        with path.open("ab") as out:
            frame.write_csv(out, include_header=start == 0)


def ingested(path: Path, home: Path, events: int) -> None:
    start = time.perf_counter()
    command = [sys.executable, "-m", "plait", "ingest", "--home", str(home), "--events", str(path)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{events / seconds:9,.0f} events/s ({seconds:.1f} s), peak {peak:,.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as place:
        path, home = Path(place) / "events.csv", Path(place) / "home"
        written(path, options.events, options.users, options.items)
        print(f"{options.events:,} events, {path.stat().st_size / 1e6:,.0f} MB")
        ingested(path, home, options.events)
        ingested(path, home, options.events)


if __name__ == "__main__":
    main()
