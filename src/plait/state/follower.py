"""A thread that follows the log and keeps the state fresh."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from plait.errors import PlaitError
from plait.eventlog import EventChunk, Listener
from plait.state.catalogue_updates import Names
from plait.state.live_state import LiveState

__all__ = ["Followed", "Follower"]

LISTENING_PAUSE = 0.25
"""Seconds between two looks at a log that tells by itself, in case that it does not arrive."""

LONGEST_PAUSE = 5.0
"""After failures the log is asked again at growing intervals, at most so many seconds apart."""


class Followed(Names, Protocol):
    """The log, as far as it is followed."""

    def read(self, after: int = 0, until: int | None = None) -> Iterator[EventChunk]:
        """The events behind offset `after`, in chunks."""

    def changed(self, after: int | None = None) -> bool:
        """Whether there is anything behind offset `after`."""

    def listen(self, wake: Callable[[], None]) -> Listener | None:
        """Have `wake` called after every append; None where there is only `changed`."""


def _nothing() -> None:
    """Does nothing."""


class Follower:
    """Folds what is new in the log and hands every version to `publish`, in order.

    `refresh` is called in the thread after each look at the log, for work that may lag behind the
    fold (what a bundle must learn of new items). Nothing that fails ends the thread: the problem
    stands in `error` until the next success, and the pauses grow meanwhile. A log that tells of its
    appends (PostgreSQL) wakes the thread at once and is polled less often, as long as it listens.
    """

    def __init__(
        self,
        log: Followed,
        publish: Callable[[LiveState], None],
        refresh: Callable[[], None] = _nothing,
        *,
        state: LiveState | None = None,
        poll_ms: int = 25,
    ) -> None:
        self.error = ""
        self._log = log
        self._publish = publish
        self._refresh = refresh
        self._state = state or LiveState()
        self._poll_interval = poll_ms / 1000
        self._folding = threading.Lock()
        self._folded = threading.Condition()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._listener: Listener | None = None

    @property
    def state(self) -> LiveState:
        """The newest version."""
        return self._state

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start to follow."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="plait-follower", daemon=True)
            self._thread.start()
            self._listener = self._log.listen(self._wake.set)

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._closing = True
        if self._listener is not None:
            self._listener.close()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def fold_now(self, version: int) -> LiveState:
        """Fold up to at least offset `version` here and now: what a writer does after its write.

        Raises StorageError if the log cannot be read.
        """
        if self._state.version < version:
            self._fold()
            self._wake.set()
        return self._state

    def wait_for(self, version: int, timeout: float) -> bool:
        """Wait until `version` is folded in, at most `timeout` seconds; whether it is."""
        if self._state.version >= version:
            return True
        self._wake.set()
        with self._folded:
            return self._folded.wait_for(lambda: self._state.version >= version, timeout)

    def _fold(self) -> None:
        with self._folding:
            for chunk in self._log.read(self._state.version):
                state = self._state.fold(chunk, self._log)
                self._publish(state)
                with self._folded:
                    self._state = state
                    self._folded.notify_all()

    def _run(self) -> None:
        pause = self._poll_interval
        while not self._closing:
            self._wake.wait(pause)
            self._wake.clear()
            fine = self._poll()
            pause = self._pause if fine else min(max(pause * 2, self._poll_interval), LONGEST_PAUSE)

    @property
    def _pause(self) -> float:
        """Until the next look, if nobody wakes the thread before."""
        listens = self._listener is not None and self._listener.hears
        return max(self._poll_interval, LISTENING_PAUSE) if listens else self._poll_interval

    def _poll(self) -> bool:
        """One look at the log; False if it failed."""
        try:
            if not self._closing and self._log.changed(self._state.version):
                self._fold()
            self._refresh()
        except Exception as problem:  # noqa: BLE001  kept, shown, tried again: never a dead thread
            known = isinstance(problem, PlaitError)
            self.error = str(problem) if known else f"{type(problem).__name__}: {problem}"
            return False
        self.error = ""
        return True
