"""What bodies of a read or ingest key cost everybody else: hostile requests beside a probe.

    python benchmarks/hostile.py [--requests 10000] [--seed 0] [--only NAME] [--home DIR]

One worker serves Online Retail from a process of its own. One connection sends hostile requests,
one after another, of every shape below, each made anew from a seed. Beside it a probe asks
`/v1/recommend`. Reported are the waits of the probe (first without anything beside it), the memory
of the server, the statuses, and by shape the longest wait. Waits are counted twice: in seconds by
the probe, and within the server as the processor time that passed between two turns of its event
loop (a task that sleeps a millisecond), which does not count what else the machine does.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import string
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serve import Connection, prepared

READ, INGEST = "key-that-only-reads", "key-that-only-writes"
MEGABYTE = 1 << 20
PROBE_INTERVAL = 0.1
PROBES = 1
SERVE = """
import asyncio, sys, time
from plait.server.http.worker_health import WorkerHealth
from plait.server.server import serve
from plait.settings import load_settings

watch = WorkerHealth.watch

async def beat(path):
    with open(path, "a", buffering=1) as file:
        before = time.process_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.process_time()
            if now - before > 0.02:
                print(time.perf_counter(), now - before, file=file)
            before = now

async def watched(self):
    task = asyncio.create_task(beat(sys.argv[2]))
    await watch(self)

WorkerHealth.watch = watched
settings = load_settings(sys.argv[1], port=0, workers=1, log_level="warning")
sys.exit(serve(settings, on_ready=lambda url: print("ready:", url, flush=True)))
"""
SETTLE = 10.0
"""Seconds after the last request in which memory may be given back."""

QUERY_ROUTES = ("recommend", "search", "similar", "rank", "list", "next", "recommend/batch")
QUERY_FIELDS = (
    *("user", "context", "history", "at_least", "session", "fields", "language", "k", "filter"),
    *("exclude", "seen", "boosts", "pins", "group_by", "text", "item", "items", "event_types"),
    *("users", "sort", "order", "cursor", "counts", "all", "request_id"),
)


class Shapes:
    """Makes hostile requests: each public method is a shape and returns a path, a body, a key.

    Args:
        seed: The seed of everything that is chosen.
        users: Known users.
        items: Known items.
    """

    def __init__(self, seed: int, users: list[str], items: list[str]) -> None:
        self.choose = random.Random(seed)
        self.users, self.items = users, items

    def names(self) -> list[str]:
        """The names of all shapes."""
        return [name for name in vars(Shapes) if name[0] != "_" and name != "names"]

    def _size(self, most: int) -> int:
        """A size between 1 and `most`, as often of one magnitude as of another."""
        return int(most ** self.choose.random()) or 1

    def _query(self, **fields: Any) -> tuple[str, bytes, str]:
        route = self.choose.choice(QUERY_ROUTES)
        required = {
            "search": {"text": "lamp"},
            "similar": {"item": self.choose.choice(self.items)},
            "rank": {"items": self.items[:50]},
            "next": {"request_id": "0" * 32},
            "recommend/batch": {"users": self.users[:20]},
        }.get(route, {})
        return f"/v1/{route}", json.dumps({**required, **fields}).encode(), READ

    def _raw_query(self, raw: bytes) -> tuple[str, bytes, str]:
        return f"/v1/{self.choose.choice(QUERY_ROUTES)}", raw, READ

    def _list_of(self, element: bytes, most: int) -> bytes:
        return b"[" + b",".join([element] * self._size(most // (len(element) + 1))) + b"]"

    def _element(self) -> bytes:
        return self.choose.choice([b"{}", b"1", b"null", b'"a"', b"[]", b'{"a":1}', b"1e9"])

    def long_lists(self):
        field = self.choose.choice(("items", "history", "exclude", "users", "pins", "boosts"))
        return self._raw_query(
            b'{"%b":%b}' % (field.encode(), self._list_of(self._element(), 17 * MEGABYTE))
        )

    def lists_in_every_field(self):
        body = [
            b'"%b":%b' % (field.encode(), self._list_of(self._element(), MEGABYTE // 30))
            for field in QUERY_FIELDS
        ]
        return self._raw_query(b"{" + b",".join(body) + b"}")

    def unknown_fields(self):
        count = self._size(100_000)
        return self._raw_query(json.dumps({f"f{n}": n for n in range(count)}).encode())

    def unknown_fields_of_controls(self):
        count = self._size(80_000)
        table = {f"f{n}": n for n in range(count)}
        field = self.choose.choice(("boosts", "pins", "seen", "context"))
        return self._query(**{field: [table] if field in ("boosts", "pins") else table})

    def deep(self):
        depth = self._size(500_000)
        opening, closing = self.choose.choice(((b"[", b"]"), (b'{"a":', b"}")))
        inner = opening * depth + b"1" + closing * depth
        field = self.choose.choice(QUERY_FIELDS).encode()
        return self._raw_query(self.choose.choice((inner, b'{"%b":%b}' % (field, inner))))

    def wrong_types(self):
        values = ([], {}, "x", -1, 2**63, 10**400, 1e308, None, True, [[]], [{}], {"a": {"b": []}})
        fields = self.choose.sample(QUERY_FIELDS, 4)
        return self._query(**{name: self.choose.choice(values) for name in fields})

    def giant_numbers(self):
        digits = b"9" * self._size(MEGABYTE // 2)
        field = self.choose.choice((b"k", b"at_least", b"user", b"text", b"item"))
        return self._raw_query(b'{"%b":%b}' % (field, digits))

    def long_texts(self):
        letter = self.choose.choice(("a", "灯", '"', "\\", "\0", " ", "a b ", "😀"))
        field = self.choose.choice(
            ("user", "text", "item", "filter", "session", "language", "cursor", "sort", "group_by")
        )
        return self._query(**{field: letter * self._size(MEGABYTE // 8)})

    def words(self):
        words = ["".join(self.choose.choices(string.ascii_lowercase, k=3)) for _ in range(500)]
        return "/v1/search", json.dumps({"text": " ".join(words)[:2000], "k": 1000}).encode(), READ

    def filters(self):
        part = self.choose.choice(
            ('title contains "a"', "price > 1", 'title == "x"', "price in [1,2,3]", "not price > 1")
        )
        joint = self.choose.choice((" or ", " and "))
        text = joint.join([part] * self._size(10_000 // (len(part) + len(joint))))
        if self.choose.random() < 0.3:
            depth = self._size(5_000)
            text = "(" * depth + part + ")" * depth
        return self._query(filter=text)

    def boosts_and_pins(self):
        return self._query(
            boosts=[{"filter": f"price > {n}", "factor": 2} for n in range(20)],
            pins=self.choose.sample(self.items, 100),
            seen={"cooldown": [{"filter": f"price > {n}", "days": 3} for n in range(20)]},
            k=1000,
        )

    def everything_at_most(self):
        return self._query(
            user=self.choose.choice(self.users),
            history=self.choose.sample(self.items, 1000),
            exclude=[f"unknown-{n}" for n in range(10_000)],
            context={"page": "x" * 16_000},
            fields=["*"],
            k=1000,
        )

    def whole_lists(self):
        items = self.choose.sample(self.items, 1000)
        route = self.choose.choice(("rank", "similar"))
        return f"/v1/{route}", json.dumps({"items": items}).encode(), READ

    def many_users(self):
        users = self.choose.choices(self.users, k=self._size(1000))
        return "/v1/recommend/batch", json.dumps({"users": users, "k": 10}).encode(), READ

    def versions_to_come(self):
        return self._query(at_least=10 ** self.choose.randrange(6, 19))

    def counted_lists(self):
        counts = ["title", "category", "price", "title"] * 5
        return "/v1/list", json.dumps({"counts": counts, "k": 1000, "fields": ["*"]}).encode(), READ

    def no_json(self):
        size = self._size(MEGABYTE)
        raw = self.choose.choice((b"\0", b"[", b'{"', b"\xff", b"\\", b'"', b" ", b"1,")) * size
        path = self.choose.choice(("/v1/events", "/v1/items", "/v1/recommend", "/v1/list"))
        return path, raw, READ if path in ("/v1/recommend", "/v1/list") else INGEST

    def rows_without_content(self):
        name = self.choose.choice((b"events", b"items"))
        rows = self._list_of(self._element(), 16 * MEGABYTE)
        return f"/v1/{name.decode()}", b'{"%b":%b}' % (name, rows), INGEST

    def rows_of_unknown_fields(self):
        width = self._size(20_000)
        row = {"kind": "view", "user": "u", "item": "i", **{f"f{n}": n for n in range(width)}}
        rows = [row] * min(self._size(10_000), 800_000 // width or 1)
        return "/v1/events", json.dumps({"events": rows}).encode(), INGEST

    def deep_rows(self):
        depth = self._size(100_000)
        value = b"[" * depth + b"]" * depth
        name = self.choose.choice((b"events", b"items"))
        row = b'{"kind":"view","user":"u","item":"i","id":"i","fields":{"a":%b}}' % value
        return f"/v1/{name.decode()}", b'{"%b":[%b]}' % (name, row), INGEST

    def lines(self):
        element = self.choose.choice((b"{}", b"1", b"", b"x", b'{"kind":1}', b"[[[]]]"))
        size = self._size(16 * MEGABYTE // (len(element) + 1))
        return "/v1/events lines", (element + b"\n") * size, INGEST

    def long_lines(self):
        value = b'{"kind":"view","user":"u","item":"%b"}' % (b"i" * self._size(8 * MEGABYTE))
        return "/v1/events lines", value, INGEST

    def wide_items(self):
        field = self.choose.choice((b"{}", b"1", b"null", b"[[1]]"))
        raw = b'{"a":%b}' % self._list_of(field, 16 * MEGABYTE)
        return "PUT /v1/items/hostile", raw, INGEST

    def items_of_many_fields(self):
        fields = {f"field-{self.choose.randrange(900)}": "x" for _ in range(self._size(1000))}
        return "PUT /v1/items/hostile", json.dumps(fields).encode(), INGEST

    def long_items(self):
        letter = self.choose.choice(("a", "a ", "灯", "<b>", '"', "\\"))
        text = letter * self._size(1_000_000 // len(letter))
        field = self.choose.choice(("title", "category", "description"))
        return "PUT /v1/items/hostile", json.dumps({field: text}).encode(), INGEST


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
    """Asks for recommendations at a fixed rate and notes what each took since it was due."""

    def __init__(self, address: tuple[str, int], users: list[str]) -> None:
        self.waits: list[tuple[float, float]] = []
        self.errors = 0
        self._address, self._users = address, users
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(PROBES)]

    def start(self) -> Probe:
        """Begin to ask."""
        self._begin = time.perf_counter()
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> Probe:
        """Stop asking."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()
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

    def _run(self, first: int) -> None:
        choose = random.Random(first)
        connection = Connection(self._address)
        number = first
        while not self._is_over.is_set():
            due = self._begin + number * PROBE_INTERVAL
            while due < time.perf_counter() - PROBE_INTERVAL * len(
                self._threads
            ):  # skip what is late
                number += len(self._threads)
                due = self._begin + number * PROBE_INTERVAL
            number += len(self._threads)
            time.sleep(max(0.0, due - time.perf_counter()))
            body = json.dumps({"user": choose.choice(self._users)}).encode()
            try:
                status = connection.send(http("/v1/recommend", body, READ))
            except OSError:
                status, connection = 0, Connection(self._address)
            self.waits.append((due, time.perf_counter() - due))
            self.errors += status != 200
        connection.socket.close()


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
) -> tuple[dict[str, collections.Counter[int]], list[tuple[str, float, float]], float]:
    """Send requests of every shape in turn: statuses by shape, when each was sent, peak memory."""
    statuses: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    spans, peak = [], 0.0
    for number in range(count):
        name = names[number % len(names)]
        make: Callable[[], tuple[str, bytes, str]] = getattr(shapes, name)
        request = http(*make())
        start = time.perf_counter()
        statuses[name][send(address, request)] += 1
        spans.append((name, start, time.perf_counter()))
        peak = max(peak, memory(pid))
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
    alone = 1000 * max((gap for end, gap in held if end < spans[0][1]), default=0.0)
    print(f"loop held      {alone:.0f} ms at most with the probe alone")
    print(f"probe beside   {probe.line()}")
    print(f"memory         {before:.0f} MB before, at most {peak:.0f}, {after:.0f} afterwards")
    total: collections.Counter[int] = sum(statuses.values(), collections.Counter())
    print(f"statuses       {dict(sorted(total.items()))} of {options.requests} requests")
    print(f"{'shape':28} {'loop held':>11} {'probe':>11} {'answer':>9}  statuses")
    for name in names:
        own = [(start, end) for shape, start, end in spans if shape == name]
        worst = max((probe.worst(*span) for span in own), default=0.0)
        longest = 1000 * max((end - start for start, end in own), default=0.0)
        loop = 1000 * max(
            (gap for end, gap in held if any(a < end < b + 0.5 for a, b in own)), default=0.0
        )
        counts = dict(sorted(statuses[name].items()))
        print(f"{name:28} {loop:8.0f} ms {worst:8.0f} ms {longest:6.0f} ms  {counts}")


if __name__ == "__main__":
    main()
