"""Starts the server: one process by itself, or a parent that keeps several workers alive."""

from __future__ import annotations

import http.client
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable

from plait.errors import InputError
from plait.server.api_keys import KEY_FILE, ensure_key
from plait.server.logging import configure
from plait.server.signals import Signals
from plait.server.supervisor import Supervisor
from plait.settings import Settings
from plait.utils.owned_folders import sweep_owned_folders
from plait.workspace.home_warnings import home_warnings

__all__ = ["bound", "serve"]

_log = logging.getLogger(__name__)

BACKLOG = 2048


def serve(settings: Settings, *, on_ready: Callable[[str], None] | None = None) -> int:
    """Serve a home until SIGTERM or SIGINT.

    Prints `url: http://...` on stdout, and before it `key: <key>` if the key was made by this call.
    Requests that are under way at the end are finished.

    Args:
        settings: The settings of the home.
        on_ready: Called with the URL, in a thread of its own, once the server can respond.

    Returns:
        The exit status.

    Raises:
        InputError: If the address is not available.
        StorageError: If the home cannot be written.
    """
    configure(settings.log_level)
    sweep_owned_folders()
    with Signals() as signals:
        key, made = ensure_key(settings)
        listener = bound(settings.host, settings.port)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{listener.getsockname()[1]}"
        if made:
            _say(f"key: {key}")
        elif not settings.key:
            _say(f"the key is in {settings.home / KEY_FILE}")
        _say(f"url: {url}")
        for warning in home_warnings(settings.home):
            _log.warning("%s", warning)
        stopped = threading.Event()
        if on_ready is not None:
            arguments = (url, on_ready, stopped)
            threading.Thread(target=_when_ready, args=arguments, daemon=True).start()
        try:
            return _run(settings, listener, signals)
        finally:
            stopped.set()
            listener.close()


def bound(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    It listens before any worker runs: early clients wait and are not refused.

    Args:
        host: The address.
        port: The port; 0 takes a free one.

    Returns:
        The socket.

    Raises:
        InputError: If the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as problem:
        listener.close()
        raise InputError(
            f"cannot listen on {host} port {port}: {problem}",
            hint="port 0 takes a free one",
            field="port",
        ) from problem
    return listener


def _run(settings: Settings, listener: socket.socket, signals: Signals) -> int:
    if settings.workers > 1:
        return Supervisor(settings, listener).run(signals)
    from plait.server.worker import work

    return work(settings, listener, signals)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _when_ready(url: str, on_ready: Callable[[str], None], stopped: threading.Event) -> None:
    address = url.removeprefix("http://").replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104
    while not stopped.is_set():
        if _is_ready(address):
            on_ready(url)
            return
        time.sleep(0.05)


def _is_ready(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
