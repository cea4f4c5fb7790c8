"""Impressions: their table, and the buffer that writes them in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from plait.data.types import Event
from plait.errors import StorageError
from plait.eventlog import EventLog, Impression, ImpressionBuffer

T = 1_700_000_000_000_000


def impression(name: str, time: int = T, user: int = -1) -> Impression:
    return Impression(name, time, user, "recommend", "b1", 3, '{"items":[1,2]}')


def test_stored_impressions_are_found_by_request_id(log: EventLog) -> None:
    log.append([Event("interaction", "e", "view", "u", "i")])
    rows = [impression("a"), impression("b", user=0)]
    log.add_impressions(rows)
    log.add_impressions([])
    assert [log.impression("a"), log.impression("b")] == rows
    assert log.impression("c") is None
    assert log.version == 1


def test_the_first_of_a_request_id_stays(log: EventLog) -> None:
    log.add_impressions([impression("a", T), impression("a", T + 1)])
    log.add_impressions([impression("a", T + 2), impression("b", T)])
    assert log.impression("a") == impression("a", T)
    assert log.impression("b") == impression("b", T)


def test_impressions_are_read_oldest_first_in_chunks_of_any_size(log: EventLog) -> None:
    log.append([Event("interaction", "e", "view", "u", "i")])
    rows = [impression(f"r{number}", T + number // 3, user=number % 2 - 1) for number in range(7)]
    log.add_impressions(rows[::-1])
    for chunk in (1, 2, 7, 8):
        assert list(log.impressions(chunk=chunk)) == rows
    log.prune_impressions(T + 9)
    assert list(log.impressions()) == []


def test_requests_returns_the_events_that_name_one_by_offset(log: EventLog) -> None:
    request_ids = [None, "a", None, "b", "a"]
    log.append(
        [
            Event("interaction", f"e{index}", "view", "u", "i", T, request_id=request_id)
            for index, request_id in enumerate(request_ids)
        ]
    )
    for chunk in (1, 2, 100):
        assert list(log.requests(9, chunk=chunk)) == [(2, "a"), (4, "b"), (5, "a")]
    assert list(log.requests(4)) == [(2, "a"), (4, "b")]
    log.erase("u")
    assert list(log.requests(9)) == []


def test_prune_deletes_impressions_from_before_a_time(log: EventLog) -> None:
    log.add_impressions([impression("old", T), impression("new", T + 10)])
    assert log.prune_impressions(T + 10) == 1
    assert log.impression("old") is None
    assert log.impression("new") is not None


def test_the_buffer_writes_in_batches_and_finds_waiting_impressions(log: EventLog) -> None:
    commits: list[int] = []

    def add(rows: Sequence[Impression]) -> None:
        log.add_impressions(rows)
        commits.append(len(rows))

    buffer = ImpressionBuffer(add, log.impression)
    start = time.perf_counter()
    for number in range(300):
        buffer.add(impression(f"r{number}"))
        assert buffer.find(f"r{number}") == impression(f"r{number}")
    buffer.close()
    spent = time.perf_counter() - start
    assert sum(commits) == 300
    assert len(commits) <= spent / 0.1 + 2
    assert log.impression("r299") == impression("r299")
    assert buffer.find("nobody") is None
    assert not buffer._thread.is_alive()


def test_the_buffer_drops_the_oldest_while_the_store_refuses() -> None:
    broken = threading.Event()
    broken.set()
    stored: dict[str, Impression] = {}

    def add(rows: Sequence[Impression]) -> None:
        if broken.is_set():
            raise StorageError("no")
        stored.update((row.request_id, row) for row in rows)

    buffer = ImpressionBuffer(add, stored.get, every=0.01, limit=10)
    for number in range(25):
        buffer.add(impression(f"r{number}"))
    with pytest.raises(StorageError):
        buffer.flush()
    assert buffer.dropped == 15
    assert buffer.find("r0") is None
    assert buffer.find("r24") == impression("r24")
    time.sleep(0.05)
    assert buffer.problem is not None
    broken.clear()
    buffer.close()
    assert list(stored) == [f"r{number}" for number in range(15, 25)]
