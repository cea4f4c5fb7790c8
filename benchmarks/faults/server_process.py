"""Whole servers to kill."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from faults.shops import Shop

__all__ = ["Server", "is_gone"]

SERVE = """
import sys
from plait.server.server import serve
from plait.settings import load_settings
settings = load_settings(sys.argv[1], port=0, workers=int(sys.argv[2]), log_level="warning")
sys.exit(serve(settings, on_ready=lambda url: print("ready:", url, flush=True)))
"""


class Server:
    """A server of a shop; `url` is where it listens, `errors` the file of its log.

    Args:
        shop: The shop.
        workers: How many processes.
        file_limit: The most bytes that a file of its may have, 0 for no limit.
        environment: More variables.
    """

    def __init__(self, shop: Shop, workers: int = 1, file_limit: int = 0, **environment: str):
        self.errors = shop.home.parent / f"server-{time.monotonic_ns()}.log"

        def limit_files() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", SERVE, str(shop.home), str(workers)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=shop.environment(**environment),
                preexec_fn=limit_files if file_limit else None,  # noqa: PLW1509  it only sets a limit
            )
        self.url = ""
        for line in self.process.stdout:
            if line.startswith("ready: "):
                self.url = line.removeprefix("ready: ").strip()
                break
        if not self.url:
            raise AssertionError(f"the server does not start: {self.errors.read_text()[-2000:]}")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pids = [self.process.pid, *self.workers()]
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        is_gone(pids, 30)
        self.errors.unlink(missing_ok=True)

    def workers(self) -> list[int]:
        """The process ids of the workers; empty where the server is one process."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return [
            int(pid)
            for pid in re.findall(r"^\s*(\d+) .*plait\.server\.worker", listed, re.MULTILINE)
        ]

    def stop(self) -> None:
        """Let it end by itself; AssertionError if it fails to."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(90)
        if status != 0:
            raise AssertionError(f"status {status}: {self.errors.read_text()[-2000:]}")


def is_gone(pids: list[int], seconds: float) -> bool:
    """Whether processes end within some seconds."""
    deadline = time.monotonic() + seconds
    while any(map(_is_alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
