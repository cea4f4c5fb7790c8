"""What reports on predictions have in common: rows by recipe, their results, what is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from plait.data.types import Dataset
from plait.evaluation.pointwise.inference import Predictions
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.per_query import PerQueryMetrics
from plait.evaluation.results.report import Difference, Result
from plait.metrics.bootstrap import Interval
from plait.splitting.labelled_examples import Examples

__all__ = ["Best", "all_guesses", "paired", "result_of", "sizes", "summed_up"]

Best = Callable[[str, Sequence[str]], str]
"""Says which of some rows is best by a metric."""


def all_guesses(
    mine: Mapping[str, list[Predictions]], shared: list[Predictions]
) -> list[Predictions]:
    """Every row, that of several recipes named RECIPE/ROW."""
    if len(mine) > 1:
        for name, guesses in mine.items():
            for one in guesses:
                one.model = f"{name}/{one.model}"
    return [*(one for guesses in mine.values() for one in guesses), *shared]


def summed_up(seeds: Sequence[Mapping[str, Interval]]) -> tuple[dict[str, Interval], Any]:
    """By metric the mean over the seeds, and, of several, their standard deviation."""
    metrics: dict[str, Interval] = {}
    spread: dict[str, float] = {}
    for metric in seeds[0]:
        found = np.array([seed[metric] for seed in seeds])
        metrics[metric] = Interval(*found.mean(axis=0).tolist())
        if len(seeds) > 1:
            spread[metric] = float(found[:, 0].std(ddof=1))
    return metrics, spread


def result_of(
    one: Predictions, metrics: Mapping[str, Interval], spread: Mapping[str, float]
) -> Result:
    """A row of the table, with the share of the examples that its model knew."""
    known = Interval(one.known, one.known, one.known)
    costs = (one.fit_seconds, one.evaluate_seconds, one.peak_mb)
    return Result(one.model, one.baseline, *costs, {**metrics, "known": known}, dict(spread))


def paired(
    mine: Mapping[str, list[Predictions]],
    shared: Sequence[Predictions],
    detail: PerQueryMetrics,
    protocol: Protocol,
    best: Best,
) -> list[Difference]:
    """Each recipe's first row against the best other row, and against the first recipe's."""
    found = []
    first = next(iter(mine.values()))[0].model
    for rows in mine.values():
        own = rows[0].model
        others = [one.model for one in (*rows[1:], *shared)]
        for metric in detail.metrics:
            wanted = (best(metric, others), *(() if own == first else (first,)))
            for other in dict.fromkeys(wanted):
                gap = detail.difference(
                    metric, own, other, resamples=protocol.resamples, seed=protocol.seed
                )
                found.append(Difference(metric, own, other, gap, users=detail.count(metric)))
    return [one for one in found if one.known]


def sizes(dataset: Dataset, test: Examples, learn: Examples) -> dict[str, int]:
    """How much was there, was fitted on, was learned from and is asked."""
    return {
        "users": len(np.unique(dataset.interactions.users)),
        "items": int(test.asked.catalogue.alive.sum()),
        "interactions": len(dataset.interactions),
        "train": len(test.train.interactions),
        "queries": len(test.queries),
        "targets": len(test),
        "excluded": 0,
        "learned_from": len(learn),
    }
