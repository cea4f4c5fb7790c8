import threading
import time

import pytest

from plait.data.types import Event
from plait.errors import StorageError
from plait.eventlog import EventLog
from plait.state import Follower


def view(number):
    return Event("interaction", f"e{number}", "view", "u", f"i{number}", number + 1)


@pytest.fixture
def log(tmp_path):
    with EventLog.open(tmp_path) as opened:
        yield opened


def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


def test_what_another_process_writes_is_folded_soon_and_in_order(log, tmp_path):
    published, refreshed = [], threading.Event()
    follower = Follower(log, published.append, refreshed.set, poll_ms=10)
    follower.start()
    try:
        with EventLog.open(tmp_path) as other:
            for number in range(5):
                version = other.append([view(number)]).version
                assert follower.wait_for(version, 1.0)
        versions = [state.version for state in published]
        assert versions == sorted(set(versions))
        assert versions[-1] == 5
        assert follower.state is published[-1]
        assert refreshed.is_set()
        assert not follower.wait_for(6, 0.05)
    finally:
        follower.close()
    assert not follower.alive


def test_the_writer_folds_what_it_wrote_itself(log):
    published = []
    follower = Follower(log, published.append, poll_ms=10_000)
    version = log.append([view(0), view(1)]).version
    assert follower.fold_now(version).version == 2
    assert follower.fold_now(1).version == 2
    assert [state.version for state in published] == [2]


class Moody:
    """A log that can refuse to be read."""

    def __init__(self, log):
        self._log = log
        self.broken = False

    def __getattr__(self, name):
        return getattr(self._log, name)

    def changed(self, after=None):
        if self.broken:
            raise StorageError("the disk went away", hint="bring it back")
        return self._log.changed(after)


def test_a_log_that_fails_is_reported_and_tried_again(log):
    moody = Moody(log)
    follower = Follower(moody, lambda state: None, poll_ms=5)
    follower.start()
    try:
        moody.broken = True
        until(lambda: "the disk went away" in follower.error)
        assert follower.alive
        version = log.append([view(0)]).version
        assert not follower.wait_for(version, 0.1)
        moody.broken = False
        assert follower.wait_for(version, 5.0)
        until(lambda: not follower.error)
    finally:
        follower.close()


def test_work_beside_the_fold_that_fails_stops_no_folding(log):
    def refuse():
        raise ValueError("no such word")

    follower = Follower(log, lambda state: None, refuse, poll_ms=5)
    follower.start()
    try:
        until(lambda: follower.error == "ValueError: no such word")
        assert follower.wait_for(log.append([view(0)]).version, 5.0)
    finally:
        follower.close()
