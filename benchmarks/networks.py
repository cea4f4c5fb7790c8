"""Recall@10 and NDCG@10 of `sequence` or `unified` alone on several data sets.

    python benchmarks/networks.py DATA [--only ml-1m,beauty] [--stage unified]
        [--set num_layers=1] [--seed 0]

Leave-one-out, seen items removed, all items ranked, no second fit. DATA holds `ml-1m`,
`amazon-beauty`, `deskdrop` and `diginetica`. MovieLens 1M has positions and no times, without the
films that fewer than five users rated, and is read without titles; of Diginetica the last 40,000
sessions are taken, each as a user. `--set` names settings in TOML, in place of what the data
suggest.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from serve import machine

import plait

SESSIONS = 40_000


def movielens(data: Path) -> Mapping[str, Any]:
    ratings = pl.read_parquet(data / "ml-1m" / "interactions.parquet")
    ratings = ratings.filter(pl.col("position") >= 0)
    return {"events": ratings.select("user_id", pl.col("movie_id").alias("item_id"), "position")}


def beauty(data: Path) -> Mapping[str, Any]:
    folder = data / "amazon-beauty"
    return {"events": folder / "interactions.parquet", "items": folder / "items.parquet"}


def deskdrop(data: Path) -> Mapping[str, Any]:
    columns = ["timestamp", "event_type", "item_id", "user_id"]
    return {"events": pl.read_csv(data / "deskdrop" / "interactions.csv", columns=columns)}


def diginetica(data: Path) -> Mapping[str, Any]:
    sessions = pl.read_parquet(data / "diginetica" / "train_sessions.parquet").tail(SESSIONS)
    position = pl.int_ranges(0, pl.col("session").list.len())
    events = sessions.with_row_index("user_id").with_columns(position=position)
    return {"events": events.explode("session", "position").rename({"session": "item_id"})}


SOURCES: dict[str, Callable[[Path], Mapping[str, Any]]] = {
    "ml-1m": movielens,
    "beauty": beauty,
    "deskdrop": deskdrop,
    "diginetica": diginetica,
}


def measured(source: Mapping[str, Any], stage: str, settings: Mapping[str, Any], seed: int) -> str:
    recipe = {"models": {stage: dict(settings)}}
    with plait.open(None) as workspace:
        workspace.ingest(**source)
        start, cpu = time.perf_counter(), time.process_time()
        report = workspace.evaluate("leave-one-out", [recipe], k=(10,), seed=seed)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    metrics = report.result(stage).metrics
    values = [metrics[name] for name in ("recall@10", "ndcg@10")]
    columns = [f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]" for value in values]
    return " | ".join([*columns, f"{cpu:.0f}", f"{seconds:.0f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(SOURCES))
    parser.add_argument("--stage", choices=("sequence", "unified"), default="sequence")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings = tomllib.loads("\n".join(options.settings))
    print(machine(), options.stage, settings)
    print("| data | Recall@10 | NDCG@10 | processor seconds | seconds |\n|---|---|---|---|---|")
    for name in options.only.split(","):
        row = measured(SOURCES[name](options.data), options.stage, settings, options.seed)
        print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
