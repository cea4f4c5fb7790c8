"""Notifications of commits: LISTEN on a PostgreSQL connection of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["CHANNEL", "Listener"]

_log = logging.getLogger(__name__)

CHANNEL = "plait"
"""The channel that every transaction with events notifies; a database has its own channels."""

CHECK_SECONDS = 0.2
"""How often a listener checks whether it is closed."""

RETRY_SECONDS = 1.0
"""How long a listener waits before it connects again."""


class Listener:
    """A thread that calls a function after every commit of events by any process.

    Args:
        connect: Opens a psycopg connection.
        wake: The function.

    Attributes:
        hears: Whether the connection is open. Notifications may still be lost (in a connection
            pooler), so the caller goes on polling, but less often.
    """

    def __init__(self, connect: Callable[[], Any], wake: Callable[[], None]) -> None:
        self.hears = False
        self._connect = connect
        self._wake = wake
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plait-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except Exception as problem:  # noqa: BLE001  the caller polls meanwhile, and reports errors
                _log.warning("the listener connects again in %g s: %s", RETRY_SECONDS, problem)
                self._closing.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        connection = self._connect()
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            self.hears = True
            self._wake()  # there may be commits from before
            while not self._closing.is_set():
                for _ in connection.notifies(timeout=CHECK_SECONDS, stop_after=1):
                    self._wake()
        finally:
            self.hears = False
            connection.close()
