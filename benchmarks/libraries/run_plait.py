"""Runs Plait itself: one model, or the file of a recipe, through the public Python API.

It gets interactions alone, as the libraries do. `--ladder 1,2,4,8` fits with each number of epochs
and reports the seconds of the whole fit beside its accuracy.
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
from plait.workspace import Workspace

SHOWN = ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "mrr@10", "rmse", "mae", "r2")


def recipe_of(model: str, settings: Mapping[str, Any], epochs: int | None) -> Recipe:
    """The model `model` alone, or the recipe that a file holds."""
    if model.endswith(".toml"):
        return load_recipe(Path(model))
    merged = dict(settings)
    if epochs is not None:
        merged["training"] = {**merged.get("training", {}), "epochs": epochs}
    return bare_recipe({model: merged})


def rungs_of(options: argparse.Namespace) -> list[int | None]:
    """Epochs of each fit; None: as many as the settings say."""
    return [int(text) for text in options.ladder.split(",")] if options.ladder else [None]


def evaluated(
    workspace: Workspace, arguments: argparse.Namespace, about: Mapping[str, Any]
) -> list[Report]:
    """A report for each rung."""
    reports = []
    for epochs in rungs_of(arguments):
        recipe = recipe_of(arguments.model, json.loads(arguments.settings), epochs)
        if about["task"] == "ratings":
            options: dict[str, Any] = {"test_events": rating_frame(arguments.data / "u1.test")}
            reports.append(workspace.evaluate("ratings", [recipe], seed=arguments.seed, **options))
            continue
        report = workspace.evaluate("leave-one-out", [recipe], k=(5, 10), seed=arguments.seed)
        if replace(report.protocol, seed=0).hash != about["protocol"]["hash"]:
            raise SystemExit("this is not the protocol that the libraries were given")
        reports.append(report)
    return reports


def rating_frame(path: Path) -> pl.DataFrame:
    """Ratings as MovieLens 100K has them."""
    names = ("user", "item", "value", "timestamp")
    frame = pl.read_csv(path, separator="\t", has_header=False, new_columns=names)
    return frame.with_columns(kind=pl.lit("rating"))


def written(options: argparse.Namespace, about: Mapping[str, Any], reports: list[Report]) -> None:
    """The same file that the scores of a library are in."""
    row = "fused" if options.model.endswith(".toml") else options.model
    results = [result.result(row) for result in reports]
    metric = "rmse" if about["task"] == "ratings" else "recall@10"
    curve = [
        {
            "seconds": result.fit_seconds,
            "epoch": epochs,
            "test": {metric: result.metrics[metric].value},
        }
        for epochs, result in zip(rungs_of(options), results, strict=True)
    ]
    last = results[-1]
    record = {
        "library": "plait",
        "model": options.model,
        "world": about,
        "versions": {"plait": plait.__version__},
        "seed": options.seed,
        "settings": json.loads(options.settings),
        "trials": 1,
        "minutes": options.minutes,
        "cut": False,
        "threads": options.threads,
        "seconds": sum(result.fit_seconds for result in results),
        "fit_seconds": last.fit_seconds,
        "recommend_seconds": last.evaluate_seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "metrics": {name: last.metrics[name]._asdict() for name in SHOWN if name in last.metrics},
        "curve": curve if options.ladder else [],
    }
    (options.out / "result.json").write_text(json.dumps(record, indent=1), "utf-8")


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
    options = parser.parse_args()
    about = json.loads((options.world / "world.json").read_text("utf-8"))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as home, plait.open(home) as workspace:
        if about["task"] == "ratings":
            events = rating_frame(options.data / "u1.base")
        else:
            events = interactions(options.data, options.sample_users)
        workspace.ingest(events=events)
        reports = evaluated(workspace, options, about)
    written(options, about, reports)
    print(f"{time.perf_counter() - began:.1f} s in all")


if __name__ == "__main__":
    main()
