"""Seconds of single models on Amazon Beauty: an epoch, a fit, ten recommendations for everybody.

    python benchmarks/models.py FOLDER
    python benchmarks/models.py --sparse [--items 100000] [--users 700000] [--events 10000000]

FOLDER holds `interactions.parquet` and `items.parquet`. The seconds of an epoch are those of three
epochs less those of one. iALS by hand is the library implicit, asked for the same in the same run.
With `--sparse` instead `neighbours` and the sparse method of `linear` on a made-up shop of that
size, each in a process of its own: the seconds of a fit, processor time, which other load does not
blur, and peak memory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from serve import machine
from threadpoolctl import threadpool_limits

import plait
from plait.data.ragged import Ragged
from plait.data.types import Dataset, History, Interactions, QueryBatch
from plait.eventlog import EventLog
from plait.eventlog.dataset_builder import from_arrays
from plait.eventlog.snapshot import snapshot
from plait.features.interactions import interaction_matrix
from plait.models.factorization.matrix_factorization import Factors, FactorsConfig
from plait.models.item_item.linear import Linear, LinearConfig
from plait.models.item_item.neighbours import Neighbours
from plait.models.sequential.sequential_recommender import Sequence, SequenceConfig
from plait.training.config import TrainingConfig

ROUNDS = 9
"""How often a ratio of two times is taken: one pair of runs says more about the machine."""

TOPICS = 200
FLAT = 50
"""The popularity of the item of rank r is as 1 / (r + FLAT)."""


def loaded(folder: Path) -> Dataset:
    with tempfile.TemporaryDirectory() as home:
        with plait.open(home) as workspace:
            workspace.ingest(events=folder / "interactions.parquet", items=folder / "items.parquet")
        with EventLog.open(Path(home)) as log:
            return snapshot(log).weighted({})


def everybody(dataset: Dataset) -> QueryBatch:
    """Every user's whole history, what is seen ruled out."""
    interactions = dataset.interactions
    counts = np.bincount(interactions.users, minlength=dataset.n_users)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    history = History(offsets, interactions.items, interactions.times, interactions.weights)
    return replace(QueryBatch.of_histories(history), blocked=Ragged(interactions.items, offsets))


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def epoch(dataset: Dataset, use_item_features: bool) -> float:
    def fit(epochs: int) -> Sequence:
        training = TrainingConfig(epochs=epochs, learning_rate=2e-3, ema_decay=0.99, patience=0)
        config = SequenceConfig(use_item_features=use_item_features, training=training)
        return Sequence(config, name="sequence").fit(dataset)

    fit(1)
    return (seconds(lambda: fit(3))[0] - seconds(lambda: fit(1))[0]) / 2


def recommended(dataset: Dataset) -> float:
    """Users a second: reading the histories, all scores, the ten best that were not seen."""
    config = SequenceConfig(training=TrainingConfig(epochs=1))
    stage = Sequence(config, name="sequence").fit(dataset)
    queries = everybody(dataset)

    def ask() -> None:
        for _, piece in queries.batches(4096):
            stage.retrieve(piece, 10)

    ask()
    return len(queries) / min(seconds(ask)[0] for _ in range(3))


def factorised(dataset: Dataset) -> tuple[float, float, float]:
    """Seconds of iALS through the stage, and by hand, in turns; medians, and that of the ratios."""
    stage = Factors(FactorsConfig(method="ials"), name="factors")

    def by_hand() -> None:
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=256, regularization=10.0, alpha=20.0, iterations=12, random_state=0
            )
            model.fit(interaction_matrix(dataset), show_progress=False)

    through, hand = [], []
    for _ in range(ROUNDS):
        through.append(seconds(lambda: stage.fit(dataset))[0])
        hand.append(seconds(by_hand)[0])
    ratios = [
        stage_seconds / library_seconds
        for stage_seconds, library_seconds in zip(through, hand, strict=True)
    ]
    return median(through), median(hand), median(ratios)


def crowd(items: int, users: int, events: int) -> Dataset:
    """A made-up shop: histories of log-normal length, items by Zipf's law, most of one topic.

    Every fourth event or so is of the same moment as the one before.
    """
    chance = np.random.default_rng(7)
    share = np.cumsum(chance.lognormal(0, 1, users))
    user_numbers = np.sort(np.searchsorted(share, chance.random(events) * share[-1])).astype(
        np.int32
    )
    rank = (FLAT * ((1 + items / FLAT) ** chance.random(events) - 1)).astype(np.int64)
    topic = chance.integers(TOPICS, size=users)[user_numbers]
    rank = np.where(chance.random(events) < 0.7, rank - rank % TOPICS + topic, rank) % items
    ones = np.ones(events, np.float32)
    interactions = Interactions(
        user_numbers,
        chance.permutation(items).astype(np.int32)[rank],
        np.zeros(events, np.int16),
        np.cumsum(chance.integers(0, 4, events)) * 1_000_000,
        ones,
        ones,
        np.arange(events),
    )
    known = from_arrays(np.arange(max(users, items)) % users, np.arange(max(users, items)) % items)
    return replace(known, interactions=interactions)


def fitted_sparsely(stage: Any, items: int, users: int, events: int) -> tuple[float, ...]:
    """Seconds of a fit, those of processors, and gigabytes: before it, and the most ever held."""

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2

    dataset = crowd(items, users, events)
    before = peak()
    busy = time.process_time()
    spent, _ = seconds(lambda: stage.fit(dataset))
    return spent, time.process_time() - busy, before, peak()


def report_sparse(items: int, users: int, events: int) -> None:
    for stage in (
        Neighbours(name="neighbours"),
        Linear(LinearConfig(method="sparse"), name="linear"),
    ):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
            figures = child.submit(fitted_sparsely, stage, items, users, events).result()
        say_sparse(stage.name, items, users, events, *figures)


def say_sparse(
    name: str,
    items: int,
    users: int,
    events: int,
    spent: float,
    busy: float,
    before: float,
    peak: float,
) -> None:
    print(
        f"{name}, {items:,} items, {events:,} events of {users:,} users: {spent:.0f} s, "
        f"{busy:.0f} s of processors, at most {peak:.1f} GB, {before:.1f} GB of them before the fit"
    )


def report(folder: Path) -> None:
    dataset = loaded(folder)
    print(f"sequence, an epoch by ids alone: {epoch(dataset, use_item_features=False):.1f} s")
    print(f"sequence, an epoch with words: {epoch(dataset, use_item_features=True):.1f} s")
    print(f"sequence, top 10 for all: {recommended(dataset):,.0f} users/s")
    ease = Linear(LinearConfig(order_aware=False), name="linear")
    print(f"EASE, {dataset.n_items:,} items: {seconds(lambda: ease.fit(dataset))[0]:.1f} s")
    through, hand, ratio = factorised(dataset)
    print(f"iALS: {through:.2f} s, by hand {hand:.2f} s, median ratio of {ROUNDS}: {ratio:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", type=Path, nargs="?")
    what.add_argument("--sparse", action="store_true")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=700_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    options = parser.parse_args()
    print(machine(), flush=True)
    if options.sparse:
        report_sparse(options.items, options.users, options.events)
    else:
        report(options.folder)


if __name__ == "__main__":
    main()
