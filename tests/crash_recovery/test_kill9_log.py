"""`kill -9` at any moment: what was acknowledged is there, once, and offsets have no gaps."""

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
from tests.conftest import home, new_database, place, postgres_server

__all__ = ["home", "new_database", "place", "postgres_server"]  # fixtures

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


def start(place: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, place, name], stdout=subprocess.PIPE, text=True
    )


def killed(process: subprocess.Popen[str]) -> Iterator[tuple[int, int]]:
    """Kill a writer; every (events, version) that it had acknowledged before."""
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, "the writer failed by itself"
    for line in out.splitlines(keepends=True):
        if line.endswith("\n") and line != "open\n":
            number, version = line.split()
            yield int(number), int(version)


@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost(place: str) -> None:
    rng = random.Random(4)
    acknowledged: dict[str, int] = {}
    newest = 0
    for turn in range(ROUNDS):
        names = [f"w{turn}.{one}" for one in range(WRITERS)]
        writers = [start(place, name) for name in names]
        # Some die while they open the log, the others while they write.
        if turn % 3:
            for one in writers:
                assert one.stdout is not None
                assert one.stdout.readline() == "open\n"
        time.sleep(rng.uniform(0.0, 0.6))
        rng.shuffle(writers)
        for one in writers:
            time.sleep(rng.uniform(0.0, 0.1))
            for number, version in killed(one):
                acknowledged[str(one.args[-1])] = number  # type: ignore[index]
                newest = max(newest, version)
        check(place, acknowledged, newest)
    assert sum(acknowledged.values()) > 100


def check(place: str, acknowledged: dict[str, int], newest: int) -> None:
    """The log opens, and holds each acknowledged event exactly once."""
    with EventLog.open(place) as log:
        version = log.version
        assert version >= newest
        offsets = [piece.offsets for piece in log.read()]
        found = np.concatenate(offsets) if offsets else np.zeros(0, np.int64)
        np.testing.assert_array_equal(found, np.arange(1, version + 1))
        with log._store.reading() as connection:
            ids = [row[0] for row in log._store.rows(connection, "SELECT id FROM events")]
            numbers = {
                table: [
                    row[0] for row in log._store.rows(connection, f"SELECT number FROM {table}")
                ]
                for table in ("items", "users")
            }
            (whole,) = next(log._store.rows(connection, "SELECT count(*) FROM event_ids"))
        assert len(set(ids)) == len(ids) == whole == version
        known = set(ids)
        for name, count in acknowledged.items():
            assert all(f"{name}-{n}" in known for n in range(count))
        for given in numbers.values():
            assert sorted(given) == list(range(len(given)))
        assert len(set(log.item_ids())) == len(log.item_ids())
        assert len(set(log.user_ids())) == len(log.user_ids()) <= 50
