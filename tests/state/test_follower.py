import threading

import pytest

from plait.data.types import Event
from plait.errors import StorageError
from plait.eventlog import EventLog
from plait.state import Follower
from tests.polling import until


def view(number):
    return Event("interaction", f"e{number}", "view", "u", f"i{number}", number + 1)


@pytest.fixture
def log(tmp_path):
    with EventLog.open(tmp_path) as opened:
        yield opened


def test_events_of_another_process_are_applied_soon(log, tmp_path):
    refreshed = threading.Event()
    follower = Follower(log, refreshed.set, poll_ms=10)
    follower.start()
    try:
        with EventLog.open(tmp_path) as other:
            for number in range(5):
                version = other.append([view(number)]).version
                assert follower.wait_for(version, 1.0)
                assert follower.state.version == version
        assert refreshed.wait(1.0)
        assert not follower.wait_for(6, 0.05)
    finally:
        follower.close()
    assert not follower.alive


def test_catch_up_applies_what_the_writer_appended(log):
    follower = Follower(log, lambda: None, poll_ms=10_000)
    version = log.append([view(0), view(1)]).version
    assert follower.catch_up(version).version == 2
    assert follower.catch_up(1).version == 2


class UnreadableLog:
    """A log whose events cannot be read."""

    def __init__(self, log):
        self._log = log

    def __getattr__(self, name):
        return getattr(self._log, name)

    def read(self, after=0, until=None):
        raise StorageError("the disk went away")


def test_catch_up_applies_appended_events_without_reading_the_log(log):
    follower = Follower(UnreadableLog(log), lambda: None)
    for number in range(3):
        log.append([view(number)])
        (chunk,) = log.read(number)
        state = follower.catch_up(number + 1, chunk)
        assert state.version == number + 1
        assert state.events.user_rows(0).items.tolist() == list(range(number + 1))


def test_catch_up_reads_the_log_if_appended_events_leave_a_gap(log):
    follower = Follower(log, lambda: None)
    log.append([view(0)])
    log.append([view(1)])
    (chunk,) = log.read(1)
    state = follower.catch_up(2, chunk)
    assert state.version == 2
    assert state.events.user_rows(0).items.tolist() == [0, 1]


def test_a_change_of_the_catalogue_is_refreshed_without_a_poll(log):
    refreshed = threading.Event()
    follower = Follower(log, refreshed.set, poll_ms=60_000)
    follower.start()
    try:
        follower.catch_up(log.append([view(0)]).version)
        assert refreshed.wait(5.0)
        refreshed.clear()
        again = Event("interaction", "again", "view", "u", "i0", 9)
        follower.catch_up(log.append([again]).version)
        assert not refreshed.wait(0.1)
    finally:
        follower.close()


class UnreliableLog:
    """A log that can refuse to be polled."""

    def __init__(self, log):
        self._log = log
        self.broken = False

    def __getattr__(self, name):
        return getattr(self._log, name)

    def changed(self, after=None):
        if self.broken:
            raise StorageError("the disk went away", hint="bring it back")
        return self._log.changed(after)


def test_a_log_that_fails_is_reported_and_polled_again(log):
    unreliable = UnreliableLog(log)
    follower = Follower(unreliable, lambda: None, poll_ms=5)
    follower.start()
    try:
        unreliable.broken = True
        until(lambda: "the disk went away" in follower.error)
        assert follower.alive
        version = log.append([view(0)]).version
        assert not follower.wait_for(version, 0.1)
        unreliable.broken = False
        assert follower.wait_for(version, 5.0)
        until(lambda: not follower.error)
    finally:
        follower.close()


def test_a_refresh_that_fails_does_not_stop_the_follower(log):
    def refuse():
        raise ValueError("no such word")

    follower = Follower(log, refuse, poll_ms=5)
    follower.start()
    try:
        until(lambda: follower.error == "ValueError: no such word")
        assert follower.wait_for(log.append([view(0)]).version, 5.0)
    finally:
        follower.close()
