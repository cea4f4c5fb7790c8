"""What hostile bodies of a read or ingest key cost other requests, measured by a probe.

    python benchmarks/hostile.py [--requests 10000] [--seed 0] [--only NAME] [--home DIR]

One worker serves Online Retail from a process of its own. One connection sends hostile requests,
one after another, of every shape below, each made anew from a seed. Beside it a probe, a process of
its own, asks `/v1/recommend`. Reported are the waits of the probe (first without anything beside
it), the memory of the server, the statuses, and by shape the longest wait and how the memory grew.
Waits are counted three times: in seconds by the probe, and within the server as the processor time
that passed between two turns of its event loop (a task that sleeps a millisecond), which does not
count what else the machine does: that of all threads ("held"), and that of the loop itself ("own").
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as MultiprocessingConnection
from multiprocessing.synchronize import Event
from pathlib import Path

from hostile_requests import INGEST, READ, Shapes
from serve import Connection, prepared

PROBE_INTERVAL = 0.1
SERVE = """
import asyncio, sys, time
from plait.server.http.worker_health import WorkerHealth
from plait.server.server import serve
from plait.settings import load_settings

watch = WorkerHealth.watch

async def beat(path):
    with open(path, "a", buffering=1) as file:
        before, own_before = time.process_time(), time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now, own = time.process_time(), time.thread_time()
            if now - before > 0.02:
                print(time.perf_counter(), now - before, own - own_before, file=file)
            before, own_before = now, own

async def watched(self):
    task = asyncio.create_task(beat(sys.argv[2]))
    await watch(self)

WorkerHealth.watch = watched
settings = load_settings(sys.argv[1], port=0, workers=1, log_level="warning")
sys.exit(serve(settings, on_ready=lambda url: print("ready:", url, flush=True)))
"""
SETTLE = 10.0
"""Seconds after the last request in which memory may be given back."""


def http(path: str, body: bytes, key: str) -> bytes:
    """The bytes of a request; the path may begin with a method and end with " lines" (NDJSON)."""
    method, path = path.split(" ") if path.startswith("PUT ") else ("POST", path)
    media = "application/x-ndjson" if path.endswith(" lines") else "application/json"
    path = path.removesuffix(" lines")
    return (
        f"{method} {path} HTTP/1.1\r\nhost: plait\r\nx-api-key: {key}\r\n"
        f"content-type: {media}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


class Probe:
    """Asks for recommendations at a fixed rate and notes what each took since it was due.

    It asks from a process of its own: making a hostile request holds the interpreter's lock for up
    to a second.
    """

    def __init__(self, address: tuple[str, int], users: list[str]) -> None:
        self.waits: list[tuple[float, float]] = []
        self.errors = 0
        context = multiprocessing.get_context("spawn")
        self._results, results = context.Pipe(duplex=False)
        self._is_over = context.Event()
        arguments = (address, users, self._is_over, results)
        self._process = context.Process(target=ask_at_a_fixed_rate, args=arguments)

    def start(self) -> Probe:
        """Begin to ask."""
        self._process.start()
        self._results.recv()
        return self

    def stop(self) -> Probe:
        """Stop asking."""
        self._is_over.set()
        self.waits, self.errors = self._results.recv()
        self._process.join()
        return self

    def worst(self, start: float = 0.0, end: float = float("inf")) -> float:
        """The longest wait in milliseconds of the requests that overlap a period."""
        waits = [wait for due, wait in self.waits if due < end and due + wait > start]
        return 1000 * max(waits, default=0.0)

    def line(self) -> str:
        """What the waits were."""
        waits = sorted(wait for _, wait in self.waits)
        points = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        values = "  ".join(
            f"{name} {1000 * waits[min(len(waits) - 1, int(len(waits) * share))]:.1f} ms"
            for name, share in points.items()
        )
        return f"{len(waits)} requests  {values}  errors {self.errors}"


def ask_at_a_fixed_rate(
    address: tuple[str, int], users: list[str], is_over: Event, results: MultiprocessingConnection
) -> None:
    """Ask until `is_over`; send when the first question goes, then the waits and errors.

    A wait is when its question was due (`time.perf_counter`, which processes share) and seconds. A
    question that would be late by a whole interval is left out.
    """
    choose = random.Random(0)
    connection = Connection(address)
    waits: list[tuple[float, float]] = []
    errors = 0
    due = time.perf_counter()
    results.send(due)
    while not is_over.is_set():
        missed = max(0, int((time.perf_counter() - due) / PROBE_INTERVAL))
        due += PROBE_INTERVAL * max(1, missed)
        time.sleep(max(0.0, due - time.perf_counter()))
        body = json.dumps({"user": choose.choice(users)}).encode()
        try:
            status = connection.send(http("/v1/recommend", body, READ))
        except OSError:
            status, connection = 0, Connection(address)
        waits.append((due, time.perf_counter() - due))
        errors += status != 200
    connection.socket.close()
    results.send((waits, errors))


@contextmanager
def server(home: Path, beats: Path) -> Iterator[tuple[int, tuple[str, int]]]:
    """A server of one worker: its process and its address."""
    keys = {"PLAIT_READ_KEYS": READ, "PLAIT_INGEST_KEYS": INGEST, "PLAIT_KEY": "key-of-the-owner"}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home), str(beats)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **keys},
    )
    try:
        url = next(line for line in process.stdout or () if line.startswith("ready:")).split()[1]
        host, _, port = url.removeprefix("http://").rpartition(":")
        yield process.pid, (host, int(port))
    finally:
        process.terminate()
        process.wait(60)


def memory(pid: int) -> float:
    """The resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def send(address: tuple[str, int], request: bytes) -> int:
    """The status of an answer, on a connection of its own; 0 where it is cut."""
    try:
        connection = Connection(address)
        connection.socket.settimeout(120)
        with connection.socket:
            return connection.send(request)
    except (TimeoutError, ConnectionError):
        return 0


def attack(
    address: tuple[str, int], pid: int, shapes: Shapes, names: list[str], count: int
) -> tuple[dict[str, collections.Counter[int]], list[tuple[str, float, float, float]], float]:
    """Send requests of every shape in turn: statuses by shape, when each was sent and by how many
    MB the memory grew, peak memory."""
    statuses: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    spans, peak, resident = [], 0.0, memory(pid)
    for number in range(count):
        name = names[number % len(names)]
        make: Callable[[], tuple[str, bytes, str]] = getattr(shapes, name)
        request = http(*make())
        start = time.perf_counter()
        statuses[name][send(address, request)] += 1
        before, resident = resident, memory(pid)
        spans.append((name, start, time.perf_counter(), resident - before))
        peak = max(peak, resident)
    return statuses, spans, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one shape")
    parser.add_argument("--home", type=Path, help="a home to use or fill; default: a scratch one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch) / "home"
        users = prepared(home)
        import plait

        with plait.open(home) as shop:
            items = [item.id for page in [shop.list(k=1000), shop.list(k=1000, sort="id")]
                     for item in page.items]  # fmt: skip
        shapes = Shapes(options.seed, users, sorted(set(items)))
        names = [options.only] if options.only else shapes.names()
        beats = Path(scratch) / "beats"
        with server(home, beats) as (pid, address):
            Probe(address, users).start().stop()
            quiet = Probe(address, users).start()
            time.sleep(10)
            quiet.stop()
            before = memory(pid)
            probe = Probe(address, users).start()
            statuses, spans, peak = attack(address, pid, shapes, names, options.requests)
            probe.stop()
            time.sleep(SETTLE)
            after = memory(pid)
        held = [tuple(map(float, line.split())) for line in beats.read_text().splitlines()]
    print(f"probe alone    {quiet.line()}")
    alone = 1000 * max((gap for end, gap, _ in held if end < spans[0][1]), default=0.0)
    print(f"loop held      {alone:.0f} ms at most with the probe alone")
    print(f"probe beside   {probe.line()}")
    print(f"memory         {before:.0f} MB before, at most {peak:.0f}, {after:.0f} afterwards")
    total: collections.Counter[int] = sum(statuses.values(), collections.Counter())
    print(f"statuses       {dict(sorted(total.items()))} of {options.requests} requests")
    heads = f"{'held':>11} {'own':>9} {'probe':>11} {'answer':>9} {'memory':>9}"
    print(f"{'shape':28} {heads}  statuses")
    for name in names:
        times = [(start, end) for shape, start, end, _ in spans if shape == name]
        worst = max((probe.worst(*span) for span in times), default=0.0)
        longest = 1000 * max((end - start for start, end in times), default=0.0)
        gaps = [row[1:] for row in held if any(a < row[0] < b + 0.5 for a, b in times)]
        loop, own = (1000 * max(column) for column in zip(*gaps, (0.0, 0.0), strict=True))
        growth = sum(grown for shape, _, _, grown in spans if shape == name)
        counts = dict(sorted(statuses[name].items()))
        waits = f"{loop:8.0f} ms {own:6.0f} ms {worst:8.0f} ms {longest:6.0f} ms {growth:6.0f} MB"
        print(f"{name:28} {waits}  {counts}")


if __name__ == "__main__":
    main()
