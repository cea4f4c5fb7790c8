"""Being told of a commit instead of asking for it: LISTEN on a PostgreSQL connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["CHANNEL", "Listener"]

CHANNEL = "plait"
"""Every transaction that appends events notifies it; it is the database's own."""

LOOK = 0.2
"""Seconds after which a listener looks whether it is to end."""

AGAIN = 1.0
"""Seconds until a lost connection is made again."""


class Listener:
    """A thread that calls `wake` after every commit of events by whomever.

    `connect` opens a psycopg connection. `hears` says whether the connection stands; it is no
    promise that anything arrives (a pooler between may swallow it), so whoever listens goes on
    polling, only less often.
    """

    def __init__(self, connect: Callable[[], Any], wake: Callable[[], None]) -> None:
        self.hears = False
        self._connect = connect
        self._wake = wake
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plait-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except Exception:  # noqa: BLE001  whoever listens polls meanwhile, and tells of trouble
                self._closing.wait(AGAIN)

    def _listen(self) -> None:
        connection = self._connect()
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            self.hears = True
            self._wake()  # something may have come before
            while not self._closing.is_set():
                for _ in connection.notifies(timeout=LOOK, stop_after=1):
                    self._wake()
        finally:
            self.hears = False
            connection.close()
