"""Seconds of single models on Amazon Beauty: an epoch, a fit, ten recommendations for everybody.

    python benchmarks/models.py FOLDER

FOLDER holds `interactions.parquet` and `items.parquet`. The seconds of an epoch are those of three
epochs less those of one. iALS by hand is the library implicit, asked for the same in the same run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

import plait
from plait.core.ragged import Ragged
from plait.core.types import Dataset, History, Queries
from plait.data.dataset import snapshot
from plait.data.log import Log
from plait.learn.training import Training
from plait.models.factors import Factors, FactorsConfig
from plait.models.linear import Linear, LinearConfig
from plait.models.profile import interaction_matrix
from plait.models.sequence import Sequence, SequenceConfig
from serve import machine


def loaded(folder: Path) -> Dataset:
    with tempfile.TemporaryDirectory() as home:
        with plait.open(home) as shop:
            shop.ingest(events=folder / "interactions.parquet", items=folder / "items.parquet")
        with Log.open(Path(home)) as log:
            return snapshot(log).weighted({})


def everybody(dataset: Dataset) -> Queries:
    """Every user's whole history, what is seen ruled out."""
    found = dataset.interactions
    counts = np.bincount(found.users, minlength=dataset.n_users)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    history = History(offsets, found.items, found.times, found.weights)
    return replace(Queries.of_histories(history), blocked=Ragged(found.items, offsets))


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def epoch(dataset: Dataset, describe: bool) -> float:
    def fit(epochs: int) -> Sequence:
        training = Training(epochs=epochs, learning_rate=2e-3, average=0.99, patience=0)
        config = SequenceConfig(describe=describe, training=training)
        return Sequence(config, name="sequence").fit(dataset)

    fit(1)
    return (seconds(lambda: fit(3))[0] - seconds(lambda: fit(1))[0]) / 2


def recommended(dataset: Dataset) -> float:
    """Users a second: reading the histories, all scores, the ten best that were not seen."""
    config = SequenceConfig(training=Training(epochs=1))
    stage = Sequence(config, name="sequence").fit(dataset)
    queries = everybody(dataset)

    def ask() -> None:
        for _, piece in queries.batches(4096):
            stage.retrieve(piece, 10)

    ask()
    return len(queries) / min(seconds(ask)[0] for _ in range(3))


def factorised(dataset: Dataset) -> tuple[float, float]:
    """Seconds of iALS through the stage, and by hand; the faster of two each, in turns."""
    stage = Factors(FactorsConfig(method="ials"), name="factors")

    def by_hand() -> None:
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=256, regularization=10.0, alpha=20.0, iterations=12, random_state=0
            )
            model.fit(interaction_matrix(dataset), show_progress=False)

    through, hand = [], []
    for _ in range(2):
        through.append(seconds(lambda: stage.fit(dataset))[0])
        hand.append(seconds(by_hand)[0])
    return min(through), min(hand)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    dataset = loaded(parser.parse_args().folder)
    print(machine())
    print(f"sequence, an epoch by ids alone: {epoch(dataset, describe=False):.1f} s")
    print(f"sequence, an epoch with words: {epoch(dataset, describe=True):.1f} s")
    print(f"sequence, top 10 for all: {recommended(dataset):,.0f} users/s")
    ease = Linear(LinearConfig(order=False), name="linear")
    print(f"EASE, {dataset.n_items:,} items: {seconds(lambda: ease.fit(dataset))[0]:.1f} s")
    through, hand = factorised(dataset)
    print(f"iALS: {through:.2f} s, by hand {hand:.2f} s, ratio {through / hand:.3f}")


if __name__ == "__main__":
    main()
