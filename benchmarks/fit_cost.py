"""Seconds and memory of fitting a recipe on a made-up shop, stage by stage.

    python benchmarks/fit_cost.py [--items 20000] [--users 60000] [--events 300000]
        [--recipe default] [--set models.linear.method=dense]

Items have titles, categories and prices by topic, users buy mostly within one topic, popularity
follows Zipf's law. The fit is the one that `plait fit` makes, in a process of its own: held-out
fit, learned fusion, second fit, bundle. Processor time is given too, as other load does not blur
it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from serve import machine

import plait
from plait.pipeline.recipe import recipe_from

TOPICS = 200
WORDS_OF_TOPIC = 12
FLAT = 50
"""The popularity of the item of rank r is as 1 / (r + FLAT)."""

YEAR = 365 * 86_400
START = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())


def made_up_shop(n_items: int, n_users: int, n_events: int) -> dict[str, pl.DataFrame]:
    """The events and the catalogue of a shop, as `Workspace.ingest` takes them."""
    random = np.random.default_rng(7)
    topics = random.integers(TOPICS, size=n_items)
    words = topics[:, None] * WORDS_OF_TOPIC + random.integers(WORDS_OF_TOPIC, size=(n_items, 3))
    ids = np.array([f"i{number}" for number in range(n_items)])
    items = pl.DataFrame(
        {
            "item": ids,
            "title": [" ".join(f"word{word}" for word in row) for row in words],
            "category": [f"topic{topic}" for topic in topics],
            "price": random.lognormal(3, 1, n_items).round(2),
        }
    )
    share = np.cumsum(random.lognormal(0, 1, n_users))
    users = np.searchsorted(share, random.random(n_events) * share[-1])
    favourites = random.integers(TOPICS, size=n_users)[users]
    ranks = (FLAT * ((1 + n_items / FLAT) ** random.random(n_events) - 1)).astype(np.int64)
    chosen = random.permutation(n_items)[ranks % n_items]
    by_topic = np.argsort(topics, kind="stable")
    starts = np.searchsorted(topics[by_topic], np.arange(TOPICS + 1))
    sizes = np.diff(starts)[favourites]
    is_favourite = (random.random(n_events) < 0.7) & (sizes > 0)
    within = starts[favourites] + (sizes * random.random(n_events) ** 2).astype(np.int64)
    chosen[is_favourite] = by_topic[within[is_favourite]]
    events = pl.DataFrame(
        {
            "user": [f"u{user}" for user in users],
            "item": ids[chosen],
            "time": np.sort(START + random.integers(0, YEAR, n_events)),
            "event": ["purchase"] * n_events,
        }
    )
    return {"events": events, "items": items}


def cost(recipe: dict[str, Any], sizes: tuple[int, int, int]) -> dict[str, Any]:
    """Fit a recipe; seconds, processor seconds, seconds by stage, and gigabytes."""

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2

    with tempfile.TemporaryDirectory() as home, plait.open(home) as workspace:
        workspace.ingest(**made_up_shop(*sizes))
        before, began, busy = peak(), time.perf_counter(), time.process_time()
        workspace.fit(recipe_from(recipe))
        figures = {
            "seconds": time.perf_counter() - began,
            "processor": time.process_time() - busy,
            "gigabytes": peak(),
            "gigabytes_before": before,
        }
        return {**figures, "stages": workspace.info()["bundle"]["fit_seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=60_000)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    options = parser.parse_args()
    recipe: dict[str, Any] = {"name": "measured", "extends": options.recipe}
    for entry in options.set:
        path, _, value = entry.partition("=")
        table = recipe
        *outer, last = path.split(".")
        for key in outer:
            table = table.setdefault(key, {})
        table[last] = json.loads(value) if value[:1] in "[{0123456789tf-" else value
    sizes = options.items, options.users, options.events
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
        figures = child.submit(cost, recipe, sizes).result()
    print(machine())
    print(
        f"{options.recipe}, {options.items:,} items, {options.events:,} events of "
        f"{options.users:,} users: {figures['seconds']:.0f} s, {figures['processor']:.0f} s of "
        f"processors, at most {figures['gigabytes']:.1f} GB, {figures['gigabytes_before']:.1f} GB "
        "before the fit"
    )
    print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in figures["stages"].items()))


if __name__ == "__main__":
    main()
