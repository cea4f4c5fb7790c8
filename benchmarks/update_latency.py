"""How soon a running server knows: a click in the answer, a new item found and recommended.

    python benchmarks/live.py [--workers 2] [--rounds 30] [--home DIR]

Every time counts from before the write was sent until an answer that reflects it has arrived. A
click is reflected when the clicked item has left the user's answer. One connection is kept to each
worker; the answers name theirs.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from serve import KEY, machine, prepared, server

Ask = Callable[[str, str, dict], dict]
PATIENCE = 10.0


def connection(host: str, port: int) -> Ask:
    """Asks over one kept connection, which one worker serves."""
    http_connection = http.client.HTTPConnection(host, port, timeout=30)

    def ask(method: str, path: str, body: dict) -> dict:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        http_connection.request(method, path, json.dumps(body), headers)
        answer = http_connection.getresponse()
        content = json.loads(answer.read())
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {content}")
        return content

    return ask


def one_for_each(host: str, port: int, workers: int, user: str) -> dict[str, Ask]:
    """A connection to every worker, by the worker's name."""
    askers: dict[str, Ask] = {}
    for _ in range(500):
        ask = connection(host, port)
        askers.setdefault(str(ask("POST", "/v1/recommend", {"user": user, "k": 1})["worker"]), ask)
        if len(askers) == workers:
            return askers
    raise SystemExit(f"only {len(askers)} of {workers} workers ever answered")


def until(ask: Ask, path: str, body: dict, reflected: Callable[[list[str]], bool]) -> float:
    """The moment at which an answer of this worker reflects the write."""
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        answer = ask("POST", path, body)
        if reflected([item["id"] for item in answer["items"]]):
            return time.perf_counter()
    raise SystemExit(f"{path} did not reflect the write within {PATIENCE:.0f} s")


def clicks(asks: list[Ask], users: list[str]) -> tuple[list[float], list[float]]:
    """Seconds from a click to the changed answer: in the worker that took it, and in the others."""
    same, others = [], []
    for turn, user in enumerate(users):
        writer = asks[turn % len(asks)]
        question = {"user": user, "k": 10}
        first = writer("POST", "/v1/recommend", question)["items"][0]["id"]
        click = {"id": uuid.uuid4().hex, "kind": "view", "user": user, "item": first}
        start = time.perf_counter()
        writer("POST", "/v1/events", {"events": [click]})
        for ask in (writer, *(other for other in asks if other is not writer)):
            end = until(ask, "/v1/recommend", question, lambda ids, gone=first: gone not in ids)
            (same if ask is writer else others).append(end - start)
    return same, others


def items(asks: list[Ask], rounds: int) -> dict[str, list[float]]:
    """Seconds from PUT until a new item is found, similar and recommended, in every worker."""
    latencies: dict[str, list[float]] = {"search": [], "similar": [], "recommend": []}
    for turn in range(rounds):
        writer = asks[turn % len(asks)]
        new, word = f"new-{uuid.uuid4().hex[:8]}", f"zq{uuid.uuid4().hex[:8]}"
        start = time.perf_counter()
        title = f"WHITE HANGING HEART T-LIGHT HOLDER {word}"
        writer("PUT", f"/v1/items/{new}", {"title": title})
        for ask in asks:
            for name, path, body in (
                ("search", "/v1/search", {"text": word, "k": 5}),
                ("similar", "/v1/similar", {"item": "85123A", "k": 50}),
                ("recommend", "/v1/recommend", {"history": ["85123A"], "k": 100}),
            ):
                latencies[name].append(
                    until(ask, path, body, lambda ids, item_id=new: item_id in ids) - start
                )
    return latencies


def line(name: str, seconds: list[float]) -> str:
    ranked = sorted(1000 * latency for latency in seconds)
    p99 = ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))]
    middle = statistics.median(ranked)
    return f"{name:28} median {middle:7.1f} ms  p99 {p99:7.1f} ms  max {ranked[-1]:7.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        users = prepared(home)
        _, (host, port) = stack.enter_context(server(home, options.workers))
        asks = list(one_for_each(host, port, options.workers, users[0]).values())
        print(machine())
        same, others = clicks(asks, users[: options.rounds])
        print(line("click, same worker", same))
        if others:
            print(line("click, every other worker", others))
        # They are much alike: with many more, one answer could not hold them all.
        for name, seconds in items(asks, min(options.rounds, 30)).items():
            print(line(f"new item, {name}, all workers", seconds))


if __name__ == "__main__":
    main()
