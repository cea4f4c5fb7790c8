"""Scores the lists or ratings of a library with Plait's evaluator, the same for all.

The evaluator removes seen items and repetitions from every list; the others keep their order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from export import sealed

from plait.data.array_types import BoolArray, Float64Array, Int32Array
from plait.data.ragged import Ragged
from plait.metrics.bootstrap import intervals
from plait.metrics.pointwise import BootstrapConfig, rating_metrics
from plait.metrics.ranking import user_metrics
from plait.metrics.ties import tie_groups

KS = (5, 10)
SHOWN = ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "mrr@10")
COPIED = (
    "model",
    "versions",
    "python",
    "threads",
    "seed",
    "settings",
    "trials",
    "minutes",
    "cut",
    "seconds",
    "phases",
    "peak_mb",
)


def result_of(library: str, run: Path, world: Path) -> dict[str, Any]:
    """The test metrics of the best validation, and the curve over all validations.

    Raises ValueError for a run on another world.
    """
    record = json.loads((run / "run.json").read_text("utf-8"))
    about = json.loads((world / "world.json").read_text("utf-8"))
    if record["world"]["hash"] != about["hash"]:
        raise ValueError(
            f"{run} was run on the world {record['world']['hash']}, not {about['hash']}"
        )
    common = {"library": library, "world": about, **{name: record[name] for name in COPIED}}
    with np.load(sealed(world), allow_pickle=False) as arrays:
        targets = arrays["targets"]
    with np.load(world / "queries.npz", allow_pickle=False) as arrays:
        queries = {name: arrays[name] for name in arrays.files}
    if about["task"] == "ratings":
        predicted = np.load(run / "ratings.npy").astype(np.float64)
        users = queries["test_user"].astype(np.int64)
        intervals_by_name = rating_metrics(
            predicted, targets.astype(np.float64), users, BootstrapConfig()
        )
        metrics = {name: interval._asdict() for name, interval in intervals_by_name.items()}
        chosen = sum(look["train_seconds"] for look in record["looks"])
        return {**common, "fit_seconds": record["phases"]["train"] - chosen, "metrics": metrics}
    seen = Ragged(queries["test_values"], queries["test_offsets"])
    curve = [
        {**look, "test": _means(run / look["file"], targets, seen)} for look in record["looks"]
    ]
    best = record["looks"][record["best"]]
    table = list_metrics(np.load(run / best["file"]), targets, seen)
    spans = intervals(np.stack([table[name] for name in SHOWN], axis=1))
    by_epochs = record["trials"] == 1 and len(curve) > 1
    return {
        **common,
        "fit_seconds": best["seconds"] if by_epochs else best["train_seconds"],
        "recommend_seconds": best["recommend_seconds"],
        "metrics": {name: interval._asdict() for name, interval in zip(SHOWN, spans, strict=True)},
        "curve": curve,
    }


def list_metrics(
    lists: Int32Array, targets: npt.NDArray[np.int32], seen: Ragged
) -> dict[str, Float64Array]:
    """Every metric of B lists int32 [B, K], best first (-1 pads), one target each; float64 [B]."""
    relevant = Ragged.from_lengths(targets, np.ones(len(targets), np.int64))
    valid = (lists >= 0) & ~seen.isin(lists) & ~_repeated(lists)
    scores = np.broadcast_to(-np.arange(lists.shape[1], dtype=np.float32), lists.shape)
    groups = tie_groups(scores, valid, max(KS))
    return user_metrics(groups, groups.hits(relevant.isin(lists)), relevant.lengths, KS)


def _repeated(lists: Int32Array) -> BoolArray:
    """Where an item stands that stood further up in the same list, bool [B, K]."""
    order = np.argsort(lists, axis=1, kind="stable")
    ordered = np.take_along_axis(lists, order, axis=1)
    again = np.zeros(lists.shape, np.bool_)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    repeated = np.zeros(lists.shape, np.bool_)
    np.put_along_axis(repeated, order, again, axis=1)
    return repeated


def _means(path: Path, targets: npt.NDArray[np.int32], seen: Ragged) -> dict[str, float]:
    metrics = list_metrics(np.load(path), targets, seen)
    return {name: float(metrics[name].mean()) for name in ("recall@10", "ndcg@10")}
