"""PostgreSQL notifies followers of every append; without notifications they poll."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from plait.data.types import Event
from plait.eventlog import EventLog, Impression
from plait.state import Follower
from tests.polling import until

NEVER = 600_000
"""Milliseconds between two polls of a follower that relies on notifications."""


def view(number: int) -> Event:
    return Event("interaction", f"e{number}", "view", "u", f"i{number}", number + 1)


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def log(url: str) -> Iterator[EventLog]:
    with EventLog.open(url) as opened:
        yield opened


def hang_up(log: EventLog) -> None:
    """End the connection that listens, from the server's side."""
    with log._store.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
            " AND datname = current_database()"
        )


def test_a_notification_wakes_a_follower_that_does_not_poll(log: EventLog, url: str) -> None:
    follower = Follower(log, lambda: None, poll_ms=NEVER)
    follower.start()
    try:
        assert follower._listener is not None
        until(lambda: follower._listener.hears)
        with EventLog.open(url) as other:
            for number in range(3):
                version = other.append([view(number)]).version
                until(lambda version=version: follower.state.version >= version)
    finally:
        follower.close()


def test_a_follower_listens_again_after_its_connection_was_closed(log: EventLog, url: str) -> None:
    follower = Follower(log, lambda: None, poll_ms=NEVER)
    follower.start()
    try:
        until(lambda: follower._listener.hears)
        hang_up(log)
        until(lambda: not follower._listener.hears)
        with EventLog.open(url) as other:
            version = other.append([view(0)]).version
            until(lambda: follower.state.version >= version)
            until(lambda: follower._listener.hears)
            version = other.append([view(1)]).version
            until(lambda: follower.state.version >= version)
    finally:
        follower.close()


def test_a_follower_polls_where_notifications_are_lost(log: EventLog, url: str) -> None:
    """A connection pooler may drop notifications."""

    class WithoutNotifications:
        def __getattr__(self, name: str) -> object:
            return getattr(log, name)

        def listen(self, wake: Callable[[], None]) -> object:
            return log.listen(lambda: None)

    follower = Follower(WithoutNotifications(), lambda: None, poll_ms=10)
    follower.start()
    try:
        until(lambda: follower._listener.hears)
        with EventLog.open(url) as other:
            version = other.append([view(0)]).version
            until(lambda: follower.state.version >= version)
    finally:
        follower.close()


def test_only_events_are_notified(log: EventLog, url: str) -> None:
    woken = threading.Event()
    listener = log.listen(woken.set)
    assert listener is not None
    try:
        until(lambda: listener.hears)
        until(woken.is_set)  # once, for commits from before it listened
        woken.clear()
        with EventLog.open(url) as other:
            other.add_impressions([Impression("r", 1, -1, "ask", "b", 0, "{}")])
            assert not woken.wait(0.5)
            other.append([view(0)])
            assert woken.wait(20)
    finally:
        listener.close()
    assert not listener.hears


def test_sqlite_has_no_notifications(home: str) -> None:
    with EventLog.open(home) as log:
        assert log.listen(lambda: None) is None
