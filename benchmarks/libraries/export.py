"""Writes a world: the same interactions, queries and candidates for every library.

A folder with `world.json`, `train.npz` and `queries.npz`, all that a library may see, and beside it
`FOLDER.targets.npz`, which `score.py` alone reads. Numbers of users and items are dense from 0.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import plait
from plait.data.types import Dataset
from plait.evaluation.protocol import Protocol
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.pipeline.recipe import Recipe
from plait.splitting.splits import Split, leave_one_out

Arrays = Mapping[str, npt.NDArray[Any]]

VALIDATED = 0.1
"""Which share of the ratings to train on chooses settings."""


def interactions(folder: Path, sample: int) -> pl.DataFrame:
    """`interactions.parquet` of a data set, of at most `sample` users (0: all), drawn by seed 0."""
    frame = pl.read_parquet(folder / "interactions.parquet")
    users = frame["user_id"].unique().sort()
    if not sample or len(users) <= sample:
        return frame
    drawn = np.random.default_rng(0).permutation(len(users))[:sample]
    return frame.filter(pl.col("user_id").is_in(users.gather(np.sort(drawn)).implode()))


def ranking_world(data: Path, folder: Path, sample: int = 0) -> Path:
    """Leave-one-out without refit: seen items removed, every item a candidate."""
    dataset = _dataset(interactions(data, sample))
    protocol = Protocol("leave-one-out").resolved(dataset, bare_recipe({"popular": {}}))
    test = leave_one_out(dataset, "test", protocol.seen, target_events=protocol.goal)
    learn = leave_one_out(dataset, "validation", protocol.seen, target_events=protocol.goal)
    # The log numbers items as they come, so that the next item often has the next number.
    number = np.random.default_rng(0).permutation(dataset.n_items).astype(np.int32)
    events = test.train.interactions
    train = {"user": events.users, "item": number[events.items], "time": events.times}
    queries = {
        **_queries("validation", learn, number),
        "validation_target": number[learn.targets.values],
        **_queries("test", test, number),
    }
    about = {
        "task": "ranking",
        "data": data.name,
        "sample_users": sample,
        "protocol": {**protocol.to_dict(), "hash": protocol.hash},
        "users": dataset.n_users,
        "items": dataset.n_items,
        "queries": len(test),
    }
    alive = test.query_time_data.catalogue.alive
    if not alive.all():
        raise SystemExit(
            "some items of this data set are no candidates; libraries cannot know that"
        )
    return _write(folder, about, train, queries, {"targets": number[test.targets.values]})


def rating_world(data: Path, folder: Path, fold: str = "u1") -> Path:
    """The ratings of FOLD.base to train on, those of FOLD.test to predict."""
    names = ("user", "item", "rating", "time")
    base, test = (
        pl.read_csv(data / f"{fold}.{half}", separator="\t", has_header=False, new_columns=names)
        for half in ("base", "test")
    )
    numbers = {
        name: pl.concat([base[name], test[name]]).unique().sort() for name in ("user", "item")
    }
    chosen = np.random.default_rng(0).random(len(base)) < VALIDATED
    train = {**_pairs(base, numbers), "rating": base["rating"].to_numpy().astype(np.float32)}
    train |= {"time": base["time"].to_numpy(), "validation": chosen}
    queries = {f"validation_{name}": train[name][chosen] for name in ("user", "item", "rating")}
    queries |= {f"test_{name}": values for name, values in _pairs(test, numbers).items()}
    about = {
        "task": "ratings",
        "data": f"{data.name} {fold}",
        "users": len(numbers["user"]),
        "items": len(numbers["item"]),
        "queries": len(test),
    }
    targets = {"targets": test["rating"].to_numpy().astype(np.float32)}
    return _write(folder, about, train, queries, targets)


def bare_recipe(models: Mapping[str, Mapping[str, Any]]) -> Recipe:
    """A recipe of models without steps; every event type has the weight 1."""
    return Recipe.of({"name": "bare", "models": models})


def _dataset(frame: pl.DataFrame) -> Dataset:
    with tempfile.TemporaryDirectory() as home:
        with plait.open(home) as workspace:
            workspace.ingest(events=frame)
        log = EventLog.open(Path(home))
        try:
            return snapshot(log)
        finally:
            log.close()


def _queries(name: str, split: Split, number: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[Any]]:
    seen = split.queries.seen
    return {
        f"{name}_user": split.users,
        f"{name}_values": number[seen.values],
        f"{name}_offsets": seen.offsets,
    }


def _pairs(frame: pl.DataFrame, numbers: Mapping[str, pl.Series]) -> dict[str, npt.NDArray[Any]]:
    return {
        name: np.searchsorted(known.to_numpy(), frame[name].to_numpy()).astype(np.int32)
        for name, known in numbers.items()
    }


def _write(
    folder: Path, about: Mapping[str, Any], train: Arrays, queries: Arrays, targets: Arrays
) -> Path:
    """Everything, with a hash of all arrays: runs compare only if theirs are equal."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    for part in (train, queries, targets):
        for name in sorted(part):
            digest.update(name.encode() + np.ascontiguousarray(part[name]).tobytes())
    np.savez(folder / "train.npz", **train)
    np.savez(folder / "queries.npz", **queries)
    np.savez(sealed(folder), **targets)
    record = {**about, "interactions": len(train["user"]), "hash": digest.hexdigest()[:12]}
    (folder / "world.json").write_text(json.dumps(record, indent=1), "utf-8")
    return folder


def sealed(folder: Path) -> Path:
    """Where the targets of the test are."""
    return folder.with_name(f"{folder.name}.targets.npz")
