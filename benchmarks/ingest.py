"""Bulk speed of the log: events a second, memory, reading back, a snapshot, a small commit.

    python benchmarks/ingest.py [--events 1000000] [--users 100000] [--items 50000] [--log PLACE]

PLACE is a home or a PostgreSQL URL; by default a temporary home that is removed again. Prints one
JSON object; "cpu" is processor time, which another load on the machine does not blur.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from hashlib import blake2b

from plait.data.types import Event
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot

BATCH = 50_000
START = 1_600_000_000_000_000


def batches(events: int, users: int, items: int) -> Iterator[list[Event]]:
    """Plain interactions with ids as the importer derives them; popular items come more often."""
    rng = random.Random(1)
    for start in range(0, events, BATCH):
        yield [
            Event(
                "interaction",
                blake2b(b"%d" % number, digest_size=16).hexdigest(),
                "view",
                f"user{rng.randrange(users)}",
                f"item{int(rng.random() ** 2 * items)}",
                START + number * 1_000_000,
            )
            for number in range(start, min(start + BATCH, events))
        ]


def peak_mb() -> int:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def append_all(log: EventLog, made: Iterator[list[Event]]) -> dict[str, float]:
    """Append everything; only the appending is timed."""
    wall = cpu = 0.0
    count, last = 0, 0.0
    for batch in made:
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        log.append(batch)
        last = time.perf_counter() - wall_start
        wall += last
        cpu += time.process_time() - cpu_start
        count += len(batch)
    return {
        "events": count,
        "append_per_s": round(count / wall),
        "append_per_cpu_s": round(count / cpu),
        "last_batch_per_s": round(BATCH / last),
        "append_peak_mb": peak_mb(),
    }


def small_commits(log: EventLog, count: int = 200) -> float:
    """The median milliseconds of appending one event, disk included."""
    spent = []
    for number in range(count):
        start = time.perf_counter()
        log.append([Event("interaction", f"single{number}", "view", "user1", "item1", START)])
        spent.append(time.perf_counter() - start)
    return round(sorted(spent)[count // 2] * 1000, 3)


def measure(log: EventLog, arguments: argparse.Namespace) -> dict[str, float]:
    """Every figure."""
    figures = append_all(log, batches(arguments.events, arguments.users, arguments.items))
    again = next(batches(min(BATCH, arguments.events), arguments.users, arguments.items))
    start = time.perf_counter()
    assert {row.status for row in log.append(again).rows} == {"duplicate"}
    figures["duplicates_per_s"] = round(len(again) / (time.perf_counter() - start))
    start = time.perf_counter()
    read = sum(len(chunk) for chunk in log.read())
    figures["read_per_s"] = round(read / (time.perf_counter() - start))
    figures["single_commit_ms"] = small_commits(log)
    start = time.perf_counter()
    snapshot(log)
    figures["snapshot_s"] = round(time.perf_counter() - start, 2)
    start = time.perf_counter()
    log.erase("user1")
    figures["erase_s"] = round(time.perf_counter() - start, 2)
    figures["peak_mb"] = peak_mb()
    return figures


def main() -> None:
    """Parse the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--log", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EventLog.open(arguments.log or folder) as log:
        print(json.dumps(measure(log, arguments), indent=2))


if __name__ == "__main__":
    main()
