"""hit@10 of `similar` on the last item of each user, with the item before it as the anchor.

    python benchmarks/similar_anchors.py [--data FOLDER] [--only online-retail,beauty]
        [--recipe default] [--users 0] [--json]

Each recipe is fitted once on all but the last events and measured twice: as it is, and as before
rare anchors and pairs of few users were discounted (`item_query_pair_shrinkage` and
`rare_item_users` 0).
Anchors are grouped by the number of users who chose them in the training data. FOLDER holds
`amazon-beauty`, `ml-latest-small` and `movietweetings` (docs/datasets.md); Online Retail is
embedded. Differences are paired; intervals are 95 % of a bootstrap over users.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import plait
from plait import datasets
from plait.data.ragged import Ragged
from plait.data.types import Dataset, History, QueryBatch
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.features.interactions import interaction_matrix
from plait.metrics.bootstrap import intervals
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe, load_recipe

ROOT = Path(__file__).resolve().parent.parent
BATCH = 256
GROUPS = {"all": (0, np.inf), "1-4 users": (0, 5), "5-19 users": (5, 20), "20+ users": (20, np.inf)}


def sources(data: Path | None) -> dict[str, Mapping[str, Any]]:
    """What to ingest, by data set."""
    known: dict[str, Mapping[str, Any]] = {"online-retail": datasets.load("online-retail")}
    if data is None:
        return known
    beauty, ml, tweets = (
        data / name for name in ("amazon-beauty", "ml-latest-small", "movietweetings")
    )
    mapping = ROOT / "docs" / "mappings" / "movietweetings.toml"
    return {
        **known,
        "beauty": {"events": beauty / "interactions.parquet", "items": beauty / "items.parquet"},
        "ml": {"events": ml / "ratings.csv", "items": ml / "movies.csv"},
        "movietweetings": {
            "events": tweets / "ratings.parquet",
            "items": tweets / "movies.parquet",
            "map": mapping,
        },
    }


def loaded(source: Mapping[str, Any]) -> Dataset:
    """The snapshot of a home with the data."""
    with tempfile.TemporaryDirectory() as home:
        with plait.open(home) as workspace:
            workspace.ingest(**source)
        with EventLog.open(Path(home)) as log:
            return snapshot(log)


def anchors(dataset: Dataset, n_users: int) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """The training data, and the last two items of users with three events or more."""
    events = dataset.interactions
    counts = np.bincount(events.users, minlength=dataset.n_users)
    last = np.cumsum(counts)[counts >= 3] - 1
    is_train = np.ones(len(events), np.bool_)
    is_train[last] = False
    last = last[events.items[last] != events.items[last - 1]]
    if n_users and n_users < len(last):
        last = np.sort(np.random.default_rng(0).permutation(last)[:n_users])
    return dataset.keep(is_train), events.items[last - 1], events.items[last]


def hits(pipeline: Pipeline, items: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Whether each target is among the ten items that are most similar to its anchor."""
    rows = []
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        queries = replace(
            QueryBatch.of_histories(History.empty(len(batch)), k=10),
            items=Ragged.from_rows([[item] for item in batch.tolist()]),
            keep_seen=np.ones(len(batch), np.bool_),
        )
        answer = pipeline.run(queries)
        order = answer.column("order")
        is_target = answer.item_numbers == targets[start : start + BATCH, None]
        rows.append((is_target & (order >= 0) & (order < 10)).any(axis=1))
    return np.concatenate(rows)


def without_discounts(recipe: Recipe) -> Recipe:
    """The recipe in which a pair of one user counts in full, and a rare anchor as any other."""
    models = {
        name: {**settings, "item_query_pair_shrinkage": settings.get("pair_shrinkage", 0.0)}
        if settings.get("stage", name) == "neighbours"
        else settings
        for name, settings in recipe.models.items()
    }
    fuse = {**recipe.steps["fuse"], "rare_item_users": 0.0}
    return replace(recipe, models=models, steps={**recipe.steps, "fuse": fuse})


def measured(dataset: Dataset, recipe: Recipe, n_users: int) -> list[dict[str, Any]]:
    """By group of anchors hit@10 before and after, and the difference."""
    train, items, targets = anchors(dataset, n_users)
    n_choosers = np.asarray(interaction_matrix(train).sum(axis=0)).ravel()[items]
    after, before = (
        hits(Pipeline.build(version).fit(train).without("explain"), items, targets)
        for version in (recipe, without_discounts(recipe))
    )
    rows = []
    for group, (least, below) in GROUPS.items():
        mask = (n_choosers >= least) & (n_choosers < below)
        values = np.stack([before[mask], after[mask]], axis=1).astype(np.float64)
        values = np.column_stack([values, values[:, 1] - values[:, 0]])
        columns = zip(("before", "after", "difference"), intervals(values), strict=True)
        rows.append(
            {"anchors": group, "n": int(mask.sum()), **{k: v.to_dict() for k, v in columns}}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--users", type=int, default=0, help="so many, drawn at random; 0: all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else []
    for name, source in sources(options.data).items():
        if chosen and name not in chosen:
            continue
        rows = measured(loaded(source), load_recipe(options.recipe), options.users)
        if options.json:
            print(json.dumps({name: rows}), flush=True)
            continue
        for row in rows:
            before, after, difference = (row[key] for key in ("before", "after", "difference"))
            print(
                f"{name:15} {row['anchors']:11} {row['n']:6}  {before['value']:.4f} -> "
                f"{after['value']:.4f}  {difference['value']:+.4f} "
                f"[{difference['low']:+.4f} {difference['high']:+.4f}]",
                flush=True,
            )


if __name__ == "__main__":
    main()
