"""Starts, kills and awaits processes through fork_server.py."""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from faults.shops import Shop

__all__ = ["ForkedProcess", "run_to_end"]


class ForkServer:
    """The other process; it ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("fork_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    def ask(self, **request: Any) -> Any:
        """Send a request; the answer."""
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)


@functools.cache
def _fork_server() -> ForkServer:
    return ForkServer()


class ForkedProcess:
    """A writer ("write" LOCATION NAME) or a command ("plait" fit ...) of a shop.

    Args:
        shop: The shop.
        task: "write" or "plait".
        arguments: Of the task.
    """

    def __init__(self, shop: Shop, task: str, *arguments: str) -> None:
        handle, name = tempfile.mkstemp(prefix="output-")
        os.close(handle)
        self._output = Path(name)
        environment = {"PLAIT_DATABASE": shop.database}
        self._pid = _fork_server().ask(
            run=task, arguments=arguments, environment=environment, output=name
        )["pid"]

    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    def wait(self, seconds: float) -> int | None:
        """Its exit status, negative for a signal; None if it still runs after some seconds."""
        return _fork_server().ask(wait=self._pid, seconds=seconds)["status"]

    def kill(self) -> str:
        """Kill it; what it had printed by then. AssertionError if it ended by itself."""
        os.kill(self._pid, signal.SIGKILL)
        status = self.wait(60)
        printed = self.output()
        self._output.unlink()
        if status != -signal.SIGKILL:
            raise AssertionError(f"it ended by itself with status {status}: {printed[-2000:]}")
        return printed

    def kill_after(self, seconds: float) -> bool:
        """Kill it after some seconds; False if it had ended with success by then.

        A process may end between the wait and the signal, so its exit status decides.
        """
        status = self.wait(seconds)
        if status is None:
            os.kill(self._pid, signal.SIGKILL)
            status = self.wait(60)
        printed = self.output()
        self._output.unlink()
        if status not in (0, -signal.SIGKILL):
            raise AssertionError(f"status {status}: {printed[-2000:]}")
        return status == -signal.SIGKILL


def run_to_end(shop: Shop, *arguments: str) -> None:
    """Run a command of Plait; AssertionError if it fails or takes five minutes."""
    if ForkedProcess(shop, "plait", *arguments).kill_after(300):
        raise AssertionError(f"{arguments} did not end")
