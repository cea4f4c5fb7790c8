"""Measures lists by the metric code of one library, in an environment that has the library.

    VENV/bin/python benchmarks/libraries/metrics.py rectools WORLD.json VALUES.json

WORLD.json holds `lists` and `targets` (by user, item numbers), `train` (pairs), `n_items` and `ks`.
VALUES.json gets, by "metric@k", the value of every user in the order of the users (one value where
a metric belongs to all lists together), under the name that `plait.score` has for the definition.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Values = dict[str, list[float]]
"""The value of every user, by metric and cut-off."""


def rectools(world: dict[str, Any]) -> Values:
    import pandas as pd
    from rectools import Columns, metrics

    rows = [
        (user, item, rank)
        for user, items in enumerate(world["lists"])
        for rank, item in enumerate(items, 1)
    ]
    reco = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Rank])
    pairs = [(user, item) for user, items in enumerate(world["targets"]) for item in items]
    test = pd.DataFrame(pairs, columns=[Columns.User, Columns.Item])
    train = pd.DataFrame(world["train"], columns=[Columns.User, Columns.Item])
    catalogue = list(range(world["n_items"]))
    users = range(len(world["lists"]))
    values: Values = {}
    for k in world["ks"]:
        by_test = {
            "precision": metrics.Precision(k),
            "recall": metrics.Recall(k),
            "f1@rectools": metrics.F1Beta(k),
            "hit_rate": metrics.HitRate(k),
            "mrr": metrics.MRR(k),
            "map@rectools": metrics.MAP(k),
            "ndcg": metrics.NDCG(k, divide_by_achievable=True),
            "ndcg@rectools": metrics.NDCG(k),
        }
        by_name = {name: metric.calc_per_user(reco, test) for name, metric in by_test.items()}
        by_name["novelty@rectools"] = metrics.MeanInvUserFreq(k).calc_per_user(reco, train)
        by_name["popularity"] = metrics.AvgRecPopularity(k).calc_per_user(reco, train)
        by_name["serendipity"] = metrics.Serendipity(k).calc_per_user(reco, test, train, catalogue)
        values |= {
            f"{name}@{k}": column.reindex(users).tolist() for name, column in by_name.items()
        }
        coverage = metrics.CatalogCoverage(k, normalize=True).calc(reco, catalogue)
        values[f"coverage@{k}"] = [float(coverage)]
    return values


def recbole(world: dict[str, Any]) -> Values:
    for name, kind in (("float", float), ("int", int), ("bool", bool)):
        if name not in np.__dict__:  # removed in numpy 1.24, and still used there
            setattr(np, name, kind)
    from recbole.evaluator import metrics

    depth, n_items = max(world["ks"]), world["n_items"]
    config = {"topk": world["ks"], "metric_decimal_place": 15}
    lists = np.array([items[:depth] for items in world["lists"]])
    targets = [set(items) for items in world["targets"]]
    hits = np.array(
        [[item in own for item in row] for row, own in zip(lists.tolist(), targets, strict=True)]
    )
    lengths = np.array([len(own) for own in targets])
    counts = np.bincount([item for _, item in world["train"]], minlength=n_items)
    by_count = {item: int(count) for item, count in enumerate(counts) if count}
    popularity = metrics.AveragePopularity(config)
    by_name = {
        "precision": metrics.Precision(config).metric_info(hits),
        "recall": metrics.Recall(config).metric_info(hits, lengths),
        "hit_rate": metrics.Hit(config).metric_info(hits),
        "mrr": metrics.MRR(config).metric_info(hits),
        "map": metrics.MAP(config).metric_info(hits, lengths),
        "ndcg": metrics.NDCG(config).metric_info(hits, lengths),
        "popularity": popularity.metric_info(popularity.get_pop(lists, by_count)),
    }
    coverage, gini = metrics.ItemCoverage(config), metrics.GiniIndex(config)
    values: Values = {}
    for k in world["ks"]:
        values |= {f"{name}@{k}": table[:, k - 1].tolist() for name, table in by_name.items()}
        values[f"coverage@{k}"] = [float(coverage.get_coverage(lists[:, :k], n_items))]
        values[f"gini@{k}"] = [float(gini.get_gini(lists[:, :k], n_items))]
    return values


def lenskit(world: dict[str, Any]) -> Values:
    from lenskit.data import ItemList
    from lenskit.metrics import NDCG, RBP, Hit, Precision, Recall, RecipRank
    from lenskit.metrics.ranking import AveragePrecision

    lists = [ItemList(item_ids=items, ordered=True) for items in world["lists"]]
    targets = [ItemList(item_ids=items) for items in world["targets"]]
    values: Values = {}
    for k in world["ks"]:
        metrics = {
            "precision@lenskit": Precision(k),
            "recall@lenskit": Recall(k),
            "hit_rate": Hit(k),
            "mrr": RecipRank(k),
            "map@lenskit": AveragePrecision(k),
            "ndcg@lenskit": NDCG(k),
            "rbp@lenskit": RBP(k),
            "rbp": RBP(k, patience=0.8),
        }
        for name, metric in metrics.items():
            pairs = zip(lists, targets, strict=True)
            values[f"{name}@{k}"] = [float(metric.measure_list(*pair)) for pair in pairs]
    return values


LIBRARIES = {"rectools": rectools, "recbole": recbole, "lenskit": lenskit}


def main(library: str, world: str, out: str) -> None:
    values = LIBRARIES[library](json.loads(Path(world).read_text("utf-8")))
    record = {"version": version(library), "values": values}
    Path(out).write_text(json.dumps(record), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
