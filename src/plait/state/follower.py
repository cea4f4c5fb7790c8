"""A thread that follows the log and keeps the state up to date."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from plait.errors import PlaitError
from plait.eventlog import EventChunk, EventLog, Listener
from plait.eventlog.tables import REBUILDS
from plait.state.live_state import LiveState

__all__ = ["Follower"]

_log = logging.getLogger(__name__)

LISTENING_PAUSE = 0.25
"""Seconds between two polls of a log that announces its appends, in case one gets lost."""

CLOSING = 10.0
"""Seconds for which a thread that still works is waited for; it ends with the process."""

MAX_PAUSE = 5.0
"""After failures the log is polled at growing intervals, at most this many seconds apart."""


class Follower:
    """Applies the new events of a log to a state, version by version.

    A failure does not end the thread: it is kept in `error` until the next success, and the pauses
    grow meanwhile. A log that announces its appends (PostgreSQL) wakes the thread at once and is
    polled less often while it does.

    Args:
        log: The log to follow.
        refresh: Called in the thread after each poll and each change of the catalogue, for work
            that may lag behind the state (what a bundle must learn of new items).
        state: The state to begin with.
        poll_ms: Milliseconds between two polls.

    Attributes:
        error: What keeps the log from being followed, "" if nothing does.
    """

    def __init__(
        self,
        log: EventLog,
        refresh: Callable[[], None],
        *,
        state: LiveState | None = None,
        poll_ms: int = 25,
    ) -> None:
        self.error = ""
        self._log = log
        self._refresh = refresh
        self._state = state or LiveState()
        self._poll_interval = poll_ms / 1000
        self._applying = threading.Lock()
        self._applied = threading.Condition()
        self._wake = threading.Event()
        self._poll_due = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._listener: Listener | None = None

    @property
    def state(self) -> LiveState:
        """The newest state."""
        return self._state

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start to follow the log."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="plait-follower", daemon=True)
            self._thread.start()
            self._listener = self._log.listen(self._poll_soon)

    def close(self) -> None:
        """Stop and wait for the thread, which may still read long texts, `CLOSING` seconds."""
        self._closing = True
        if self._listener is not None:
            self._listener.close()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSING)
            self._thread = None

    def catch_up(self, version: int, appended: EventChunk | None = None) -> LiveState:
        """Apply the log up to at least an offset, in the calling thread.

        Args:
            version: The offset that the state must reach.
            appended: Events that were just appended. They are applied without reading the log if
                they directly follow the state.

        Returns:
            The newest state.

        Raises:
            StorageError: If the log cannot be read.
        """
        if self._state.version >= version:
            return self._state
        with self._applying:
            before = self._state
            chunks: Iterable[EventChunk]
            if appended is not None and appended.offsets[0] == before.version + 1:
                chunks = (appended,)
            else:
                chunks = self._log.read(before.version)
            for chunk in chunks:
                if (chunk.types >= REBUILDS).any():
                    state = LiveState.replay(self._log, int(chunk.offsets[-1]))
                else:
                    state = self._state.apply(chunk, self._log)
                with self._applied:
                    self._state = state
                    self._applied.notify_all()
        if self._state.catalogue is not before.catalogue:
            self._wake.set()
        return self._state

    def wait_for(self, version: int, timeout: float) -> bool:
        """Wait until the state has reached an offset.

        Args:
            version: The offset.
            timeout: The longest time to wait, in seconds.

        Returns:
            Whether the state has reached it.
        """
        if self._state.version >= version:
            return True
        self._poll_soon()
        with self._applied:
            return self._applied.wait_for(lambda: self._state.version >= version, timeout)

    def _poll_soon(self) -> None:
        self._poll_due = True
        self._wake.set()

    def _run(self) -> None:
        pause = self._poll_interval
        while not self._closing:
            is_woken = self._wake.wait(pause)
            self._wake.clear()
            poll_due, self._poll_due = self._poll_due or not is_woken, False
            if not self._step(poll_due):
                pause = min(max(pause * 2, self._poll_interval), MAX_PAUSE)
            elif self._listener is not None and self._listener.hears:
                pause = max(self._poll_interval, LISTENING_PAUSE)
            else:
                pause = self._poll_interval

    def _step(self, poll_due: bool) -> bool:
        """Poll the log if that is due, and refresh; False if either failed."""
        try:
            version = self._state.version
            if poll_due and not self._closing and self._log.changed(version):
                self.catch_up(version + 1)
            self._refresh()
        except Exception as problem:  # noqa: BLE001  kept, shown, tried again: never a dead thread
            is_expected = isinstance(problem, PlaitError)
            error = str(problem) if is_expected else f"{type(problem).__name__}: {problem}"
            if error != self.error:
                _log.warning("the log cannot be followed: %s", type(problem).__name__)
            self.error = error
            return False
        if poll_due:
            self.error = ""
        return True
