"""Measures what lists of many users as a frame cost beside the bare stage.

    python benchmarks/recommend_frames.py [--users 100000] [--items 2000] [--runs 5]

The bare stage retrieves and scores prepared batches, by as many threads as `recommend`. Both take
turns. Times are those of the processor, over all threads, so that other work on the machine hardly
counts; the ratio of every turn is printed with the median.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np

import plait
from plait import models
from plait.data.query_batch import QueryBatch
from plait.experiments.models.fit_data import queries_for
from plait.experiments.models.fitted_model import FittedModel
from plait.pipeline.batch_inference import batch_size, in_batches

EVENTS_PER_USER = 20


def synthetic_data(n_users: int, n_items: int) -> plait.Dataset:
    """Users with items drawn by a falling popularity, around a centre of their own."""
    generator = np.random.default_rng(0)
    users = np.repeat(np.arange(n_users), EVENTS_PER_USER)
    centres = np.repeat(generator.integers(0, n_items, n_users), EVENTS_PER_USER)
    items = (centres + generator.geometric(0.02, len(users))) % n_items
    return plait.Dataset.from_arrays(
        [f"u{user}" for user in users.tolist()], [f"i{item}" for item in items.tolist()]
    )


def bare_stage(fitted: FittedModel[Any], queries: QueryBatch) -> int:
    """The items that the stage retrieves and scores."""
    stage: Any = fitted.stage

    def best(_start: int, batch: QueryBatch) -> int:
        candidates = stage.retrieve(batch, batch.k)
        return int(np.isfinite(stage.score(batch, candidates.item_numbers)).sum())

    size = batch_size(fitted.dataset.n_items)
    return sum(count for _, count in in_batches(queries, best, size=size))


def main() -> None:
    """Fit the models and print the times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("-k", type=int, default=10)
    options = parser.parse_args()
    data = synthetic_data(options.users, options.items)
    users = data.user_ids
    print(f"{len(users):,} users, {data.n_items:,} items, k = {options.k}")
    for model in (models.EASE(), models.ItemKNN(), models.IALS(factors=64, iterations=3)):
        fitted = model.fit(data)
        queries = queries_for(data, data.users.numbers(users), fitted.event_weights)
        mask = data.catalogue.alive[None]
        ratios = []
        for run in range(options.runs + 1):
            fresh = replace(queries, blocked=queries.seen, mask=mask, k=options.k, cache={})
            began = time.process_time()
            count = bare_stage(fitted, fresh)
            middle = time.process_time()
            frame = fitted.recommend(users, k=options.k)
            ended = time.process_time()
            assert len(frame) == count, (len(frame), count)
            if run:  # the first one warms up
                ratios.append((ended - middle) / (middle - began))
        times = f"bare {middle - began:.2f} s, frame {ended - middle:.2f} s"
        listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{model!r}: {times} (last run); ratios {listed}; median {np.median(ratios):.2f}")


if __name__ == "__main__":
    main()
