"""Group commit: many callers, few commits, and every caller gets its own rows."""

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


class SlowLog:
    """A log whose commits wait until the test allows them."""

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
        if any(event.event_type == "invalid" for event in events):
            raise TypeError("invalid")
        self.batches.append([event.id for event in events])
        return AppendResult(len(self.batches), [RowStatus(event.id, "stored") for event in events])


def test_waiting_batches_share_a_commit() -> None:
    log = SlowLog()
    with GroupCommitWriter(log, limit=4) as writer:
        first = writer.submit([click("a")])
        assert log.started.wait(10)
        others = [writer.submit([click(f"{n}"), click(f"{n}'")]) for n in range(3)]
        big = writer.submit([click(f"big{n}") for n in range(9)])
        log.go.set()
        assert first.result(10).rows == [RowStatus("a", "stored")]
        assert [[row.id for row in future.result(10).rows] for future in others] == [
            [f"{n}", f"{n}'"] for n in range(3)
        ]
        assert len(big.result(10).rows) == 9
    assert [len(batch) for batch in log.batches] == [1, 4, 2, 9]


def test_close_writes_waiting_batches_and_refuses_new_ones() -> None:
    log = SlowLog()
    writer = GroupCommitWriter(log)
    waiting = [writer.submit([click(f"{n}")]) for n in range(5)]
    closing = threading.Thread(target=writer.close)
    closing.start()
    log.go.set()
    closing.join(10)
    assert all(future.done() for future in waiting)
    writer.close()
    with pytest.raises(NotReadyError):
        writer.submit([click("late")])


def test_every_caller_gets_the_error_of_the_store() -> None:
    log = SlowLog()
    log.problem = StorageError("full")
    with GroupCommitWriter(log) as writer:
        waiting = [writer.submit([click(f"{n}")]) for n in range(3)]
        log.go.set()
        for future in waiting:
            with pytest.raises(StorageError):
                future.result(10)


def test_an_invalid_batch_fails_for_its_caller_alone() -> None:
    log = SlowLog()
    with GroupCommitWriter(log) as writer:
        writer.submit([click("a")])
        assert log.started.wait(10)
        good = writer.submit([click("b")])
        bad = writer.submit([Event("interaction", "c", "invalid")])
        log.go.set()
        assert good.result(10).rows[0].status == "stored"
        with pytest.raises(TypeError):
            bad.result(10)


def test_threads_append_to_a_real_log(log: EventLog) -> None:
    with GroupCommitWriter(log) as writer, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: writer.append([click(f"{n % 150}")]), range(200)))
    assert sum(result.rows[0].status == "stored" for result in results) == 150
    assert sum(result.rows[0].status == "duplicate" for result in results) == 50
    assert log.version == 150
    assert all(result.version >= 1 for result in results)
