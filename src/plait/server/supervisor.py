"""Starts, watches, replaces and stops several server processes on one socket.

Each worker holds the reading end of a pipe whose writing end only the parent has: when the parent
is gone, however it went, its workers notice and stop too, so that the home can be served again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from plait.server.logging import configure
from plait.server.prometheus_dir import shared_meters
from plait.server.signals import Signals
from plait.settings import Settings, child_environment

__all__ = ["STARTUP_FAILED", "Supervisor"]

_log = logging.getLogger(__name__)

STARTUP_FAILED = 3
"""The exit status of a worker that could not open its home: another try would end the same."""
DRAIN_SECONDS = 30.0
"""How long workers may take to answer what is under way before they are killed."""
SHORT_LIFE = 5.0
LONGEST_PAUSE = 5.0


class Supervisor:
    """Starts and replaces the worker processes.

    Args:
        settings: The settings of the home.
        listener: The socket that all workers share.
    """

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._running: list[subprocess.Popen[bytes]] = []
        self._born: dict[int, float] = {}
        self._short_lives = 0
        self._stop = threading.Event()
        self._lifeline, self._hold = os.pipe()
        self._metered = -1

    def run(self, signals: Signals) -> int:
        """Keep the workers alive until a signal comes, then let them finish.

        Args:
            signals: The open signal handlers.

        Returns:
            The exit status.
        """
        configure(self._settings.log_level)
        signals.on_signal(lambda _number: self._stop.set())
        try:
            with shared_meters() as (folder, self._metered):
                status = self._watch(folder)
                self._end()
                return status
        finally:
            os.close(self._hold)
            os.close(self._lifeline)

    def _watch(self, metrics: Path) -> int:
        for _ in range(self._settings.workers):
            self._start(metrics)
        while not self._stop.wait(0.1):
            for worker in [child for child in self._running if child.poll() is not None]:
                if worker.returncode == STARTUP_FAILED:
                    return STARTUP_FAILED
                self._replace(worker, metrics)
        return 0

    def _start(self, metrics: Path) -> None:
        handles = (self._listener.fileno(), self._lifeline)
        command = [sys.executable, "-P", "-m", "plait.server.worker", *map(str, handles)]
        worker = subprocess.Popen(  # noqa: S603  our own module
            command,
            env=child_environment(self._settings, metrics),
            pass_fds=(*handles, self._metered),  # held for as long as the worker lives
            stdin=subprocess.DEVNULL,
        )
        self._running.append(worker)
        self._born[worker.pid] = time.monotonic()

    def _replace(self, dead: subprocess.Popen[bytes], metrics: Path) -> None:
        """A new worker for a dead one; ever later while they keep dying young."""
        self._running.remove(dead)
        lived = time.monotonic() - self._born.pop(dead.pid)
        _log.warning("worker %d ended with status %d, starting another", dead.pid, dead.returncode)
        # Its gauges are no longer true; its counters still are.
        for file in metrics.glob(f"gauge_live*_{dead.pid}.db"):
            file.unlink(missing_ok=True)
        self._short_lives = self._short_lives + 1 if lived < SHORT_LIFE else 0
        pause = min(LONGEST_PAUSE, 0.1 * 2**self._short_lives) if self._short_lives > 1 else 0.0
        if not self._stop.wait(pause):
            self._start(metrics)

    def _end(self) -> None:
        for worker in self._running:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)
        self._listener.close()
        deadline = time.monotonic() + DRAIN_SECONDS + 5
        for worker in self._running:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("worker %d does not end, killing it", worker.pid)
                worker.kill()
                worker.wait()
