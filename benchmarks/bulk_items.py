"""How fast items are described over HTTP, and how soon answers know of the last one.

    python benchmarks/bulk_items.py [--items 20000] [--rows 1000] [--known 3000] [--json]

A server runs over a fitted shop with `--known` described items. A client posts `--items` new ones
as NDJSON in bodies of `--rows` rows, one body after another, then changes the price of all and
deletes a tenth. After the last body the search and the recommendation of the last item are asked
until they have it. `upsert_items_cpu_s` is items by seconds of the server's processor, all stages
included: what one free core would do, whatever else runs on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from serve import KEY, machine, server

import plait

COLOURS = ("red", "green", "blue", "white", "black", "brown", "yellow", "grey")
NOUNS = ("lamp", "mug", "desk", "chair", "vase", "clock", "shelf", "towel", "basket", "candle")
PATIENCE = 30.0


def described(number: int, prefix: str) -> dict[str, Any]:
    """A product as a shop exports it: a title, a sentence, a category, tags, a price, a picture."""
    colour, noun = COLOURS[number % 8], NOUNS[number // 8 % 10]
    return {
        "title": f"{colour.title()} {noun} model {number}",
        "description": f"A {colour} {noun} for the house, number {number} of the series, made in "
        f"workshop {number % 97} of wood and metal.",
        "category": f"{noun}s",
        "tags": [colour, noun, f"series {number % 50}"],
        "price": round(3 + number % 90 * 1.1, 2),
        "picture": f"https://shop.example/{prefix}/{number}.jpg",
    }


def fill(home: Path, n_known: int) -> None:
    """A fitted shop with three purchases by each of a thousand users."""
    with plait.open(home) as shop:
        rows = [{"id": f"k{n}", "fields": described(n, "k")} for n in range(n_known)]
        for first in range(0, n_known, 5000):
            shop.post_items(rows[first : first + 5000])
        now = time.time()
        events = [
            {
                "user": f"u{user}",
                "item": f"k{(user * 7 + step * 80) % n_known}",
                "kind": "purchase",
                "time": now - 86_400 * (10 - step),
            }
            for user in range(1000)
            for step in range(3)
        ]
        shop.post(events)
        shop.fit("default")


def posted(client: httpx.Client, rows: list[dict[str, Any]], size: int) -> float:
    """Seconds in which all rows were stored; SystemExit if one was not."""
    start = time.perf_counter()
    for first in range(0, len(rows), size):
        body = b"\n".join(json.dumps(row).encode() for row in rows[first : first + size])
        answer = client.post(
            "/v1/items", content=body, headers={"content-type": "application/x-ndjson"}
        )
        answer.raise_for_status()
        refused = [row for row in answer.json()["rows"] if row["status"] != "stored"]
        if refused:
            raise SystemExit(f"not stored: {refused[0]}")
    return time.perf_counter() - start


def seconds_until(client: httpx.Client, path: str, body: dict[str, Any], item: str) -> float:
    """Seconds until an answer has an item."""
    start = time.perf_counter()
    while time.perf_counter() - start < PATIENCE:
        time.sleep(0.02)
        answer = client.post(path, json=body)
        answer.raise_for_status()
        if item in [entry["id"] for entry in answer.json()["items"]]:
            return time.perf_counter() - start
    raise SystemExit(f"{path} did not have {item} within {PATIENCE:.0f} s")


def cpu_seconds(client: httpx.Client) -> float:
    """Seconds of processor time that the server's process has used (Linux)."""
    worker = client.post("/v1/recommend", json={"k": 1}).json()["worker"]
    fields = Path(f"/proc/{worker.partition('-')[0]}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(client: httpx.Client, n_items: int, size: int) -> dict[str, float]:
    """Items a second for each operation, and the seconds until answers know the last item."""
    fresh = [{"id": f"n{n}", "fields": described(n, "n")} for n in range(n_items)]
    last = fresh[-1]["id"]
    fresh[-1]["fields"]["title"] = "Zephyrine astrolabe"
    fresh[-1]["fields"]["category"] = "astrolabes"
    cpu_start = cpu_seconds(client)
    figures = {"upsert_items_s": n_items / posted(client, fresh, size)}
    figures["search_s"] = seconds_until(
        client, "/v1/search", {"text": "zephyrine astrolabe", "k": 5}, last
    )
    figures["upsert_items_cpu_s"] = n_items / (cpu_seconds(client) - cpu_start)
    asked = {"filter": 'category == "astrolabes"', "history": ["k1"], "k": 5}
    figures["recommend_s"] = seconds_until(client, "/v1/recommend", asked, last)
    prices = [{"id": row["id"], "op": "merge", "fields": {"price": 1.5}} for row in fresh]
    figures["merge_items_s"] = n_items / posted(client, prices, size)
    deleted = [{"id": row["id"], "op": "delete"} for row in fresh[: n_items // 10]]
    figures["delete_items_s"] = len(deleted) / posted(client, deleted, size)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--known", type=int, default=3_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        fill(Path(home), options.known)
        with (
            server(Path(home), 1) as (url, _),
            httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=60) as client,
        ):
            figures = measured(client, options.items, options.rows)
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        print(machine())
        for name, value in figures.items():
            print(f"{name:16} {value:10,.2f}")


if __name__ == "__main__":
    main()
