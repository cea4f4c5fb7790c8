"""A mixed load at a fixed rate for a long time: latency by route, and whether memory keeps growing.

    python benchmarks/soak.py [--rate 80] [--minutes 30] [--workers 1] [--out FILE] [--json]

An open loop as in serve.py, on Online Retail with the default recipe: request number i is due at
i / rate seconds, and its latency counts from then. `MIX` says what is sent; users are erased a few
seconds after their only events. Resident memory (RSS) of all workers is read every two seconds. Its
slope is that of the line through the means of ten equal spans behind the first five minutes (or the
first third of a shorter run); the error is the standard error of that fit, so that what two
neighbouring readings have in common does not count twice. The log grows meanwhile: `events_stored`
says by how much.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from serve import Connection, http, machine, prepared, server

import plait

MIX = {
    "recommend": 30,
    "search": 15,
    "similar": 15,
    "events": 15,
    "next": 8,
    "list": 6,
    "item put": 5,
    "rank": 4,
    "erase": 2,
}
"""Shares of the requests in percent."""

WORDS = ("heart", "lantern", "mug", "christmas", "bag", "vintage", "clock", "red", "tea", "candle")
SETTLING_SECONDS = 300.0
READING_SECONDS = 2.0
SPANS = 10
THREADS = 48


class Mix:
    """Makes requests; safe among threads.

    Args:
        users: Ids of users.
        items: Ids of items with their fields.
        seed: Of the choices.
    """

    def __init__(self, users: list[str], items: dict[str, dict[str, Any]], seed: int) -> None:
        self._rng, self._lock = random.Random(seed), threading.Lock()
        self._users, self._items, self._ids = users, items, list(items)
        self._guests, self._count = deque[str](), 0
        self._name = uuid.uuid4().hex[:8]  # an id that was erased once is refused for good
        self.request_ids = deque[str](maxlen=1000)

    def make(self) -> tuple[str, bytes]:
        """The name of a route and a request to it."""
        with self._lock:
            (name,) = self._rng.choices(list(MIX), weights=list(MIX.values()))
            if name == "next" and not self.request_ids:
                name = "recommend"
            if name == "erase" and len(self._guests) < 100:
                name = "events"
            return name, http(*self._request(name))

    def _request(self, name: str) -> tuple[str, str, Any]:
        choose = self._rng.choice
        item = choose(self._ids)
        if name == "events":
            return "POST", "/v1/events", {"events": [self._event() for _ in range(3)]}
        if name == "item put":
            changed = {**self._items[item], "price": round(self._rng.uniform(1, 50), 2)}
            return "PUT", f"/v1/items/{item}", changed
        if name == "erase":
            return "DELETE", f"/v1/users/{self._guests.popleft()}", None
        return "POST", f"/v1/{name}", self._query(name, item)

    def _query(self, name: str, item: str) -> dict[str, Any]:
        choose = self._rng.choice
        return {
            "recommend": lambda: {"user": choose(self._users), "k": 10},
            "search": lambda: {"text": f"{choose(WORDS)} {choose(WORDS)}", "k": 10},
            "similar": lambda: {"item": item, "k": 10},
            "rank": lambda: {"user": choose(self._users), "items": self._rng.sample(self._ids, 50)},
            "list": lambda: {"sort": choose(("popularity", "id", "title")), "k": 24},
            "next": lambda: {"request_id": choose(self.request_ids), "k": 10},
        }[name]()

    def _event(self) -> dict[str, Any]:
        """A click of a user, or of a guest who is to be erased later."""
        self._count += 1
        event = {
            "kind": self._rng.choice(("view", "purchase")),
            "item": self._rng.choice(self._ids),
        }
        if self._rng.random() < 0.2:
            self._guests.append(f"guest-{self._name}-{self._count}")
            return {**event, "user": self._guests[-1]}
        return {**event, "user": self._rng.choice(self._users)}


class Load:
    """Sends requests at their times from waiting threads.

    Args:
        address: Host and port.
        mix: What is sent.
        rate: Requests a second.
        seconds: How long.
    """

    def __init__(self, address: tuple[str, int], mix: Mix, rate: float, seconds: float) -> None:
        self._address, self._mix, self._rate = address, mix, rate
        self._numbers = iter(range(int(rate * seconds)))
        self._begun = time.perf_counter() + 0.5
        self.latencies: dict[str, list[float]] = {name: [] for name in MIX}
        self.failures: dict[str, int] = dict.fromkeys(MIX, 0)
        self.statuses: set[int] = set()
        self.workers: set[int] = set()
        self._threads = [threading.Thread(target=self._run) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    @property
    def is_running(self) -> bool:
        """Whether requests are still due."""
        return any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        connection = Connection(self._address)
        for number in self._numbers:
            name, request = self._mix.make()
            due = self._begun + number / self._rate
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                status, body = connection.exchange(request)
            except OSError:
                status, body, connection = 0, b"", Connection(self._address)
            self._note(name, status, body, time.perf_counter() - due)
        connection.socket.close()

    def _note(self, name: str, status: int, body: bytes, seconds: float) -> None:
        # A chain may have no more items, or lead through a response of a user who was erased.
        if status != 200 and not (name == "next" and status == 404):
            self.failures[name] += 1
            self.statuses.add(status)
            return
        self.latencies[name].append(seconds)
        if name == "recommend":
            answer = json.loads(body)
            self._mix.request_ids.append(answer["request_id"])
            self.workers.add(int(answer["worker"].partition("-")[0]))


def resident_megabytes(pids: set[int]) -> float:
    """The resident memory of processes (Linux)."""
    kilobytes = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def slope(readings: list[tuple[float, float]], after: float) -> tuple[float, float]:
    """Megabytes an hour and their standard error, from means of equal spans."""
    times, sizes = np.array([pair for pair in readings if pair[0] >= after]).T
    edges = np.linspace(times[0], times[-1], SPANS + 1)[1:-1]
    parts = np.searchsorted(edges, times, side="right")
    x = np.array([times[parts == part].mean() for part in range(SPANS)]) / 3600
    y = np.array([sizes[parts == part].mean() for part in range(SPANS)])
    centred = x - x.mean()
    steepness = (centred * y).sum() / (centred**2).sum()
    residuals = y - y.mean() - steepness * centred
    error = np.sqrt((residuals**2).sum() / (SPANS - 2) / (centred**2).sum())
    return float(steepness), float(error)


def soak(home: Path, rate: float, seconds: float, workers: int) -> dict[str, Any]:
    """Run the load; the figures."""
    users = prepared(home)
    with plait.open(home) as shop:
        items = {row.id: row.fields for row in shop.list(k=1000, fields=["*"]).items}
        version = shop.info()["version"]
    with server(home, workers) as (_, address):
        warm_up = Load(address, Mix(users, items, seed=1), rate, 10)
        while warm_up.is_running:
            time.sleep(0.1)
        gc.disable()
        load, start = Load(address, Mix(users, items, seed=2), rate, seconds), time.perf_counter()
        readings = []
        while load.is_running:
            time.sleep(READING_SECONDS)
            pids = load.workers | warm_up.workers
            readings.append((time.perf_counter() - start, resident_megabytes(pids)))
        gc.enable()
    with plait.open(home) as shop:
        stored = shop.info()["version"] - version
    steepness, error = slope(readings, min(SETTLING_SECONDS, seconds / 3))
    return {
        "machine": machine(),
        "rate": rate,
        "minutes": seconds / 60,
        "workers": workers,
        "requests": sum(map(len, load.latencies.values())) + sum(load.failures.values()),
        "failures": sum(load.failures.values()),
        "failure_statuses": sorted(load.statuses),
        "events_stored": stored,
        "routes": {
            name: _points(load.latencies[name]) | {"failures": load.failures[name]} for name in MIX
        },
        "all": _points([entry for row in load.latencies.values() for entry in row]),
        "rss_mb": [(round(at, 1), round(size, 1)) for at, size in readings],
        "slope_mb_an_hour": steepness,
        "slope_error": error,
    }


def _points(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {"answers": 0}
    points = {"p50_ms": 50, "p99_ms": 99, "max_ms": 100}
    return {"answers": len(seconds)} | {
        name: round(1000 * float(np.percentile(seconds, point)), 2)
        for name, point in points.items()
    }


def report(figures: dict[str, Any]) -> None:
    """Print a table in Markdown."""
    print(
        f"{figures['machine']}\n{figures['rate']:g} requests/s for {figures['minutes']:g} min, "
        f"{figures['workers']} worker(s), {figures['requests']:,} requests, "
        f"{figures['failures']} failures {figures['failure_statuses']}\n"
    )
    print("| route | answers | p50, ms | p99, ms | max, ms |")
    print("|---|---|---|---|---|")
    for name, row in [*figures["routes"].items(), ("all", figures["all"])]:
        if row["answers"]:
            cells = (row["answers"], row["p50_ms"], row["p99_ms"], row["max_ms"])
            print(f"| {name} | {' | '.join(map(str, cells))} |")
    sizes = [size for _, size in figures["rss_mb"]]
    print(
        f"\nRSS {sizes[0]:.0f} MB at first, {max(sizes):.0f} at most, {sizes[-1]:.0f} at last; "
        f"slope {figures['slope_mb_an_hour']:+.1f} ± {figures['slope_error']:.1f} MB an hour; "
        f"{figures['events_stored']:,} events stored"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=80)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--home", type=Path, help="a home to use or fill; default: a scratch one")
    parser.add_argument("--out", type=Path, help="a file for the figures, as JSON")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-soak-") as scratch:
        home = options.home or Path(scratch) / "home"
        figures = soak(home, options.rate, 60 * options.minutes, options.workers)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")
    if options.json:
        print(json.dumps(figures))
    else:
        report(figures)


if __name__ == "__main__":
    main()
