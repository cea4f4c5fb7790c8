"""One server process: runs uvicorn until it is stopped or loses its parent."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn

import plait.workspace
from plait.errors import PlaitError
from plait.server.freed_memory import FreedMemory
from plait.server.http.app import create_app
from plait.server.http.connection_limits import protocol_with_timeouts
from plait.server.logging import configure
from plait.server.signals import Signals
from plait.server.supervisor import DRAIN_SECONDS, STARTUP_FAILED
from plait.settings import Settings, allocator_arenas, allocator_free_bytes, load_settings
from plait.utils.allocator import limit_arenas, limit_free_memory
from plait.utils.private_files import restrict_new_files

__all__ = ["main", "work"]

# Run as a module, `__name__` is "__main__", which is no logger of Plait.
_log = logging.getLogger("plait.server.worker")

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 30
SWITCH_SECONDS = 0.0002
"""How long a thread may keep the interpreter from the others. A query waits so long some ten times
where another is computed beside it; Python's own 5 ms would add 50 ms."""


class _Server(uvicorn.Server):
    """Leaves signals to `work`, which hands them over."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def work(
    settings: Settings, listener: socket.socket, signals: Signals, lifeline: int | None = None
) -> int:
    """Serve on a socket until a signal comes.

    Args:
        settings: The settings of the home.
        listener: The socket.
        signals: The open signal handlers.
        lifeline: The reading end of a pipe that closes when the parent ends; None: no parent.

    Returns:
        The exit status.

    Raises:
        PlaitError: If the home cannot be opened.
    """
    configure(settings.log_level)
    restrict_new_files()
    limit_arenas(allocator_arenas())
    limit_free_memory(allocator_free_bytes())
    sys.setswitchinterval(SWITCH_SECONDS)
    server = _Server(_config(settings, plait.workspace.open(settings)))
    if lifeline is not None:
        threading.Thread(target=_orphaned, args=(lifeline, server), daemon=True).start()
    signals.on_signal(lambda number: server.handle_exit(number, None))
    freed_memory = FreedMemory()
    freed_memory.start()
    try:
        server.run(sockets=[listener])
    finally:
        freed_memory.close()
    return 0


def _config(settings: Settings, shop: plait.workspace.Workspace) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, shop),
        http=protocol_with_timeouts(settings.client_timeout_ms / 1000),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(DRAIN_SECONDS),
        backlog=BACKLOG,
    )


def main() -> int:
    """Run `python -m plait.server.worker LISTENER LIFELINE`, which only the parent starts.

    Returns:
        The exit status.
    """
    listener, lifeline = (int(descriptor) for descriptor in sys.argv[1:3])
    try:
        with Signals() as signals:
            return work(load_settings(), socket.socket(fileno=listener), signals, lifeline)
    except PlaitError as problem:
        _log.error("cannot serve: %s", problem)
        return STARTUP_FAILED


def _orphaned(lifeline: int, server: uvicorn.Server) -> None:
    """Stop the server when the parent process ends, which closes the pipe."""
    while os.read(lifeline, 1):
        pass
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
