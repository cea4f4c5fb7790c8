"""`kill -9` at any moment: acknowledged events are stored once, and offsets have no gaps."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from plait.eventlog import EventLog
from tests.conftest import home, log_location, new_database, postgres_server

__all__ = ["home", "log_location", "new_database", "postgres_server"]  # fixtures

ROUNDS = 6
WRITERS = 3

# Appends batches of 1 to 400 events until it is killed; prints what each call acknowledged.
_WRITER = """
import random, sys
from plait.data.types import Event
from plait.eventlog import EventLog
place, name = sys.argv[1:]
rng = random.Random(name)
log = EventLog.open(place)
print("open", flush=True)
number = 0
while True:
    size = rng.choice([1, 1, 1, 7, 400])
    batch = [
        Event("interaction", f"{name}-{n}", f"kind{n % 3}", f"user{n % 50}", f"item-{n % 99}", n)
        for n in range(number, number + size)
    ]
    batch.append(Event("interaction", f"shared-{number}", "view", "user0", "item0", 1))
    done = log.append(batch)
    assert all(row.status in ("stored", "duplicate") for row in done.rows), done.rows
    number += size
    print(number, done.version, flush=True)
"""


def start(location: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, location, name], stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str]) -> Iterator[tuple[int, int]]:
    """Kill a writer; yields every (events, version) that it had acknowledged."""
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, "the writer failed by itself"
    for line in out.splitlines(keepends=True):
        if line.endswith("\n") and line != "open\n":
            number, version = line.split()
            yield int(number), int(version)


@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost(log_location: str) -> None:
    rng = random.Random(4)
    acknowledged: dict[str, int] = {}
    newest = 0
    for turn in range(ROUNDS):
        names = [f"w{turn}.{index}" for index in range(WRITERS)]
        writers = [start(log_location, name) for name in names]
        # Some die while they open the log, the others while they write.
        if turn % 3:
            for writer in writers:
                assert writer.stdout is not None
                assert writer.stdout.readline() == "open\n"
        time.sleep(rng.uniform(0.0, 0.6))
        rng.shuffle(writers)
        for writer in writers:
            time.sleep(rng.uniform(0.0, 0.1))
            for number, version in kill(writer):
                acknowledged[str(writer.args[-1])] = number  # type: ignore[index]
                newest = max(newest, version)
        check(log_location, acknowledged, newest)
    assert sum(acknowledged.values()) > 100


def check(location: str, acknowledged: dict[str, int], newest: int) -> None:
    """The log opens, and holds each acknowledged event exactly once."""
    with EventLog.open(location) as log:
        version = log.version
        assert version >= newest
        chunks = [chunk.offsets for chunk in log.read()]
        offsets = np.concatenate(chunks) if chunks else np.zeros(0, np.int64)
        np.testing.assert_array_equal(offsets, np.arange(1, version + 1))
        with log._store.reading() as connection:
            ids = [row[0] for row in log._store.rows(connection, "SELECT id FROM events")]
            numbers = {
                table: [
                    row[0] for row in log._store.rows(connection, f"SELECT number FROM {table}")
                ]
                for table in ("items", "users")
            }
            (n_ids,) = next(log._store.rows(connection, "SELECT count(*) FROM event_ids"))
        assert len(set(ids)) == len(ids) == n_ids == version
        known = set(ids)
        for name, count in acknowledged.items():
            assert all(f"{name}-{n}" in known for n in range(count))
        for allocated in numbers.values():
            assert sorted(allocated) == list(range(len(allocated)))
        assert len(set(log.item_ids())) == len(log.item_ids())
        assert len(set(log.user_ids())) == len(log.user_ids()) <= 50
