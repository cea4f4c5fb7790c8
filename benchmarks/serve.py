"""Latency over HTTP at a fixed rate: POST /v1/recommend on Online Retail, /health beside it.

    python benchmarks/serve.py [--rate 100] [--seconds 60] [--workers 1] [--home DIR]

An open loop: request number i is due at i / rate seconds whatever became of the others, and its
latency counts from that moment, so that a slow answer also costs those that had to wait behind it.
The server runs in processes of its own; reasons are on and impressions are written.
"""

import argparse
import contextlib
import gc
import importlib.metadata
import json
import os
import platform
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

KEY = "key-of-the-benchmark"
SERVE = """
import sys
from plait.server.server import serve
from plait.settings import load_settings
settings = load_settings(sys.argv[1], port=0, workers=int(sys.argv[2]), log_level="warning")
sys.exit(serve(settings, on_ready=lambda url: print("ready:", url, flush=True)))
"""


class Connection:
    """One kept-alive connection, for one thread."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request):
        """The status of the answer, once all of it has arrived."""
        return self.exchange(request)[0]

    def exchange(self, request):
        """The status and the body of the answer."""
        self.socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        while len(body) < length:
            body += self._more()
        return int(head[9:12]), body

    def _more(self):
        received = self.socket.recv(65536)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


class Measured:
    """What one kind of request took, in seconds from the moment it was due.

    `due` says by answer when that was, in seconds from the first; `statuses` counts all requests.
    """

    def __init__(self):
        self.seconds, self.errors = [], 0
        self.statuses = Counter()
        self.due = []

    def line(self, name):
        ordered = sorted(self.seconds)
        if not ordered:
            return f"{name:14} no answer, {self.errors} errors"
        points = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        percentiles = "  ".join(
            f"{point} {ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000:6.1f} ms"
            for point, share in points.items()
        )
        return f"{name:14} {len(ordered):6} answers  {percentiles}  errors {self.errors}"


class Paced:
    """Sends what `make()` gives at `rate` a second, each at its own time, from waiting threads.

    Threads and not an event loop: the timers of a loop are a millisecond coarse.
    """

    def __init__(self, address, make, rate, seconds, threads):
        self.address, self.make, self.rate = address, make, rate
        self.numbers = iter(range(int(rate * seconds)))
        self.begun = time.perf_counter() + 0.5
        self.measured = Measured()
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def wait(self):
        for thread in self.threads:
            thread.join()
        return self.measured

    def _run(self):
        connection = Connection(self.address)
        for number in self.numbers:
            request = self.make()
            due = self.begun + number / self.rate
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                status = connection.send(request)
            except OSError:
                status, connection = 0, Connection(self.address)
            self.measured.statuses[status] += 1
            if status == 200:
                self.measured.seconds.append(time.perf_counter() - due)
                self.measured.due.append(due - self.begun)
            else:
                self.measured.errors += 1
        connection.socket.close()


def http(method, path, body=None):
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: plait\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def load(address, users, rate, seconds):
    """What /v1/recommend and, at a tenth of the rate, /health took."""
    choose = random.Random(11)

    def recommend():
        return http("POST", "/v1/recommend", {"user": choose.choice(users), "k": 10})

    def health():
        return http("GET", "/health")

    asked = Paced(address, recommend, rate, seconds, threads=32)
    alive = Paced(address, health, rate / 10, seconds, threads=4)
    return asked.wait(), alive.wait()


def prepared(home):
    """Online Retail, ingested and fitted; the ids of its users."""
    import plait
    from plait import datasets

    frames = datasets.load("online-retail")
    if not (home / "bundles" / "current").exists():
        with plait.open(home) as shop:
            shop.ingest(**frames)
            shop.fit()
    return sorted({str(customer) for customer in frames["events"]["CustomerID"].drop_nulls()})


@contextlib.contextmanager
def server(home, workers, **settings):
    """The URL and the address of a server with such settings."""
    environment = {**os.environ, "PLAIT_KEY": KEY}
    environment |= {f"PLAIT_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home), str(workers)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        url = next(line for line in process.stdout if line.startswith("ready:")).split()[1]
        host, _, port = url.removeprefix("http://").rpartition(":")
        yield url, (host, int(port))
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def scraped(url):
    request = urllib.request.Request(f"{url}/metrics", headers={"X-API-Key": KEY})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def report_stages(text):
    """Mean milliseconds of every stage, from the server's own meters."""
    totals = dict(re.findall(r'plait_stage_seconds_sum\{stage="([^"]+)"\} (\S+)', text))
    counts = dict(re.findall(r'plait_stage_seconds_count\{stage="([^"]+)"\} (\S+)', text))
    for stage, total in sorted(totals.items(), key=lambda pair: -float(pair[1])):
        mean = 1000 * float(total) / float(counts[stage])
        print(f"  {stage:24} {mean:6.2f} ms a request")


def machine():
    names = ("plait", "fastapi", "uvicorn", "uvloop", "httptools", "orjson", "numpy")
    versions = []
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, " + (
        ", ".join(versions)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--home", type=Path, help="a home to use or fill; default: a scratch one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch) / "home"
        users = prepared(home)
        with server(home, options.workers) as (url, address):
            gc.disable()
            load(address, users, options.rate, options.warm_up)
            asked, health = load(address, users, options.rate, options.seconds)
            time.sleep(1)
            text = scraped(url)
    print(machine())
    print(
        f"{options.rate:g} requests/s for {options.seconds:g} s, open loop, "
        f"{options.workers} worker(s)"
    )
    print(asked.line("/v1/recommend"))
    print(health.line("/health"))
    print(*re.findall(r"^plait_impressions_total.*$", text, re.MULTILINE), sep="\n")
    report_stages(text)


if __name__ == "__main__":
    main()
