"""A real server in processes of its own, to be spoken to and killed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.server.fixtures import KEY, bearer

SERVE = """
import sys
from plait.server.server import serve
from plait.settings import load_settings
settings = load_settings(sys.argv[1], port=int(sys.argv[2]), workers=int(sys.argv[3]))
sys.exit(serve(settings, on_ready=lambda url: print("ready:", url, flush=True)))
"""


class Server:
    """`lines` is what it said on stdout, `errors` the file that takes its log."""

    def __init__(self, home, *, workers=1, port=0, key=KEY, cwd=None, **settings):
        self.errors = Path(home).parent / f"server-{time.monotonic_ns()}.log"
        environment = {**os.environ, "PYTHONPATH": str(Path("src").absolute())}
        environment.pop("PLAIT_KEY", None)
        if key:
            environment["PLAIT_KEY"] = key
        environment |= {f"PLAIT_{name.upper()}": str(entry) for name, entry in settings.items()}
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", SERVE, str(home), str(port), str(workers)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                cwd=cwd,
            )
        self.lines = []
        self.url = self._await("url: ")
        self.key = key
        if not key:
            key_lines = [entry for entry in self.lines if entry.startswith("key: ")]
            self.key = (
                key_lines[0].removeprefix("key: ")
                if key_lines
                else (home / "key").read_text().strip()
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ready(self):
        self._await("ready: ")
        return self

    def client(self):
        return httpx.Client(base_url=self.url, headers=bearer(self.key), timeout=30)

    def ask(self, path="/v1/recommend", body=None):
        """One question over a connection of its own, so that any worker may take it."""
        headers = {**bearer(self.key), "connection": "close"}
        return httpx.post(f"{self.url}{path}", json=body or {}, headers=headers, timeout=30)

    def workers(self):
        """The process ids of the workers."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
        ).stdout
        pids = re.findall(r"^\s*(\d+) .*plait\.server\.worker", listed, re.MULTILINE)
        return [int(pid) for pid in pids]

    def stop(self, how=signal.SIGTERM):
        """Its exit status."""
        self.process.send_signal(how)
        return self.process.wait(60)

    def _await(self, start):
        while True:
            line = self.process.stdout.readline()
            assert line, f"it ended: {self.errors.read_text()}"
            self.lines.append(line.rstrip("\n"))
            if line.startswith(start):
                return line.removeprefix(start).strip()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(pids, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False
