"""Group commit: many callers, few commits, everybody's own rows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from plait.data.types import Event
from plait.errors import NotReadyError, StorageError
from plait.eventlog import AppendResult, EventLog, RowStatus
from plait.eventlog.group_commit import GroupCommitWriter


def click(name: str) -> Event:
    return Event("interaction", name, "view", "u", "i")


class Slow:
    """A log whose first commit waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.started = threading.Event()
        self.batches: list[list[str]] = []
        self.problem: Exception | None = None

    def append(self, events: Sequence[Event]) -> AppendResult:
        self.started.set()
        assert self.go.wait(10)
        if self.problem is not None:
            raise self.problem
        if any(event.event_type == "nonsense" for event in events):
            raise TypeError("nonsense")
        self.batches.append([event.id for event in events])
        return AppendResult(len(self.batches), [RowStatus(event.id, "stored") for event in events])


def test_what_waits_shares_a_commit() -> None:
    log = Slow()
    with GroupCommitWriter(log, limit=4) as writer:
        first = writer.submit([click("a")])
        assert log.started.wait(10)
        others = [writer.submit([click(f"{n}"), click(f"{n}'")]) for n in range(3)]
        big = writer.submit([click(f"big{n}") for n in range(9)])
        log.go.set()
        assert first.result(10).rows == [RowStatus("a", "stored")]
        assert [[row.id for row in one.result(10).rows] for one in others] == [
            [f"{n}", f"{n}'"] for n in range(3)
        ]
        assert len(big.result(10).rows) == 9
    assert [len(batch) for batch in log.batches] == [1, 4, 2, 9]


def test_close_writes_what_waits_and_takes_no_more() -> None:
    log = Slow()
    writer = GroupCommitWriter(log)
    waiting = [writer.submit([click(f"{n}")]) for n in range(5)]
    closing = threading.Thread(target=writer.close)
    closing.start()
    log.go.set()
    closing.join(10)
    assert all(one.done() for one in waiting)
    writer.close()
    with pytest.raises(NotReadyError):
        writer.submit([click("late")])


def test_everybody_hears_that_the_store_refuses() -> None:
    log = Slow()
    log.problem = StorageError("full")
    with GroupCommitWriter(log) as writer:
        waiting = [writer.submit([click(f"{n}")]) for n in range(3)]
        log.go.set()
        for one in waiting:
            with pytest.raises(StorageError):
                one.result(10)


def test_nonsense_hurts_only_its_caller() -> None:
    log = Slow()
    with GroupCommitWriter(log) as writer:
        writer.submit([click("a")])
        assert log.started.wait(10)
        good = writer.submit([click("b")])
        bad = writer.submit([Event("interaction", "c", "nonsense")])
        log.go.set()
        assert good.result(10).rows[0].status == "stored"
        with pytest.raises(TypeError):
            bad.result(10)


def test_many_threads_and_a_real_log(log: EventLog) -> None:
    with GroupCommitWriter(log) as writer, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: writer.append([click(f"{n % 150}")]), range(200)))
    assert sum(one.rows[0].status == "stored" for one in found) == 150
    assert sum(one.rows[0].status == "duplicate" for one in found) == 50
    assert log.version == 150
    assert all(one.version >= 1 for one in found)
