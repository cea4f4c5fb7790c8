"""Plait itself: one strand, or a recipe's file, through the public Python API.

It is told interactions alone, as the peers are. `--ladder 1,2,4,8` fits anew with so many epochs
each: the seconds of such a fit, everything included, are those of its accuracy.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from export import bare_recipe, interactions

import plait
from plait.evaluation.results.report import Report
from plait.pipeline.recipe import Recipe, load_recipe

SHOWN = ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "mrr@10", "rmse", "mae", "r2")


def recipe_of(model: str, settings: Mapping[str, Any], epochs: int | None) -> Recipe:
    """The strand `model` alone, or the recipe that a file holds."""
    if model.endswith(".toml"):
        return load_recipe(Path(model))
    found = dict(settings)
    if epochs is not None:
        found["training"] = {**found.get("training", {}), "epochs": epochs}
    return bare_recipe({model: found})


def rungs_of(given: argparse.Namespace) -> list[int | None]:
    """Epochs of each fit; None: as many as the settings say."""
    return [int(one) for one in given.ladder.split(",")] if given.ladder else [None]


def asked(shop: plait.Shop, given: argparse.Namespace, about: Mapping[str, Any]) -> list[Report]:
    """A report for each rung."""
    reports = []
    for epochs in rungs_of(given):
        recipe = recipe_of(given.model, json.loads(given.settings), epochs)
        if about["task"] == "ratings":
            options: dict[str, Any] = {"test_events": rating_frame(given.data / "u1.test")}
            reports.append(shop.evaluate("ratings", [recipe], seed=given.seed, **options))
            continue
        found = shop.evaluate("leave-one-out", [recipe], k=(5, 10), seed=given.seed)
        if replace(found.protocol, seed=0).hash != about["protocol"]["hash"]:
            raise SystemExit("this is not the protocol that the peers were given")
        reports.append(found)
    return reports


def rating_frame(path: Path) -> pl.DataFrame:
    """Ratings as MovieLens 100K has them."""
    names = ("user", "item", "value", "timestamp")
    frame = pl.read_csv(path, separator="\t", has_header=False, new_columns=names)
    return frame.with_columns(kind=pl.lit("rating"))


def written(given: argparse.Namespace, about: Mapping[str, Any], reports: list[Report]) -> None:
    """The same file that the scores of a peer are in."""
    row = "fused" if given.model.endswith(".toml") else given.model
    rows = [one.result(row) for one in reports]
    metric = "rmse" if about["task"] == "ratings" else "recall@10"
    curve = [
        {
            "seconds": one.fit_seconds,
            "epoch": epochs,
            "test": {metric: one.metrics[metric].value},
        }
        for epochs, one in zip(rungs_of(given), rows, strict=True)
    ]
    last = rows[-1]
    found = {
        "peer": "plait",
        "model": given.model,
        "world": about,
        "versions": {"plait": plait.__version__},
        "seed": given.seed,
        "settings": json.loads(given.settings),
        "trials": 1,
        "minutes": given.minutes,
        "cut": False,
        "threads": given.threads,
        "seconds": sum(one.fit_seconds for one in rows),
        "fit_seconds": last.fit_seconds,
        "recommend_seconds": last.evaluate_seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "metrics": {name: last.metrics[name]._asdict() for name in SHOWN if name in last.metrics},
        "curve": curve if given.ladder else [],
    }
    (given.out / "result.json").write_text(json.dumps(found, indent=1), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--world", "--out", "--data"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--ladder", default="")
    parser.add_argument("--threads", default="")
    for name in ("--seed", "--sample-users"):
        parser.add_argument(name, type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60)
    given = parser.parse_args()
    about = json.loads((given.world / "world.json").read_text("utf-8"))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as home, plait.open(home) as shop:
        if about["task"] == "ratings":
            events = rating_frame(given.data / "u1.base")
        else:
            events = interactions(given.data, given.sample_users)
        shop.ingest(events=events)
        reports = asked(shop, given, about)
    written(given, about, reports)
    print(f"{time.perf_counter() - began:.1f} s in all")


if __name__ == "__main__":
    main()
