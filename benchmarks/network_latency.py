"""Milliseconds of a whole request whose history has many events, answered by `sequence` alone.

    python benchmarks/network_latency.py [--events 200] [--items 3400] [--set num_layers=1]

The home is filled with drawn histories and trained for one epoch: what a request takes depends on
the network, not on what it learned. `--set` is that of `networks.py`.
"""

from __future__ import annotations

import argparse
import time
import tomllib

import numpy as np
import polars as pl
from serve import machine

import plait

USERS, WARM_UP, REQUESTS = 60, 20, 200


def drawn_events(n_events: int, n_items: int) -> pl.DataFrame:
    """Events of users with about as many events as the history of a request."""
    items = np.random.default_rng(0).integers(0, n_items, (USERS, n_events + 10))
    users, steps = np.indices(items.shape)
    columns = {"user_id": users, "item_id": items, "position": steps}
    return pl.DataFrame({name: values.ravel() for name, values in columns.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--items", type=int, default=3400)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    settings = tomllib.loads("\n".join(options.settings))
    recipe = {
        "models": {"sequence": {"training": {"epochs": 1}, **settings}},
        "steps": {"fuse": {}, "rules": {}, "policy": {}},
    }
    events = drawn_events(options.events, options.items)
    known = events["item_id"].unique(maintain_order=True).to_list()
    with plait.open(None, recipe=recipe) as workspace:
        workspace.ingest(events=events)
        workspace.fit()
        milliseconds = []
        for number in range(WARM_UP + REQUESTS):
            history = [str(known[(number + step) % len(known)]) for step in range(options.events)]
            start = time.perf_counter()
            workspace.recommend(history=history, k=10)
            milliseconds.append(1000 * (time.perf_counter() - start))
    p50, p90, p99 = np.percentile(milliseconds[WARM_UP:], (50, 90, 99))
    print(machine(), settings)
    print(f"history of {options.events}: p50 {p50:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    main()
