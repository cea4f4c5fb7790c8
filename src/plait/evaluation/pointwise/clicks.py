"""Evaluates the probability of a click: scores are calibrated on validation outcomes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array
from plait.data.types import Dataset
from plait.evaluation.pointwise.fit_predict import (
    Finish,
    PointwiseTask,
    Predictions,
    fit_and_predict,
    score_examples,
)
from plait.evaluation.pointwise.platt_scaling import PRIOR, Calibration
from plait.evaluation.pointwise.summary import (
    all_predictions,
    data_sizes,
    mean_metrics,
    paired_differences,
    to_result,
)
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import FEW, DataWarning, few_users
from plait.evaluation.results.per_query_metrics import PerQueryMetrics
from plait.evaluation.results.report import Report, Result
from plait.evaluation.slices import click_slices
from plait.metrics.pointwise import (
    BootstrapConfig,
    calibration,
    click_metrics,
    click_slice,
    log_losses,
    user_auc,
)
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.splitting.labelled_examples import Examples, click_examples, positive_interactions
from plait.splitting.splits import time_split
from plait.training.pipeline_fit import Progress

__all__ = ["evaluate_clicks", "item_rates"]

MAX_QUERIES = 10_000
"""Number of queries that a fusion learns from at most."""


def evaluate_clicks(
    dataset: Dataset,
    named: Mapping[str, Recipe],
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> tuple[Report, dict[str, list[str]]]:
    """Evaluate recipes by the click probabilities they predict.

    Args:
        dataset: The data set with clicks and misses.
        named: Recipes by name.
        protocol: A resolved clicks protocol.
        seeds: Seeds of the fits.
        progress: Called with a description, the finished and the total number of steps.

    Returns:
        The report, and the names of its rows by recipe.

    Raises:
        ProtocolError: If a window has no examples.
    """
    positives = positive_interactions(
        dataset, target_events=protocol.goal, negative_events=protocol.negative
    )
    tasks = {
        name: _make_task(dataset, positives, recipe, protocol, seeds, progress)
        for name, recipe in named.items()
    }
    by_recipe = {
        name: fit_and_predict(task, name, score_examples, _learn_calibrations)
        for name, task in tasks.items()
    }
    first = next(iter(tasks.values()))
    baseline_rows = _predict_baselines(dataset, first)
    rows = all_predictions(by_recipe, baseline_rows)
    detail = _per_user_metrics(rows, first.test)
    slices = click_slices(dataset, first.test, protocol.cut(dataset))
    report = Report(
        protocol,
        [_to_result(row, first, slices) for row in rows],
        paired=paired_differences(by_recipe, baseline_rows, detail, protocol),
        flags=[*few_users(first.test.users), *_few_outcomes(first.test)],
        data=_describe_data(positives if protocol.of_answers else dataset, first, rows, slices),
        detail=detail,
    )
    return report, {name: [row.model for row in rows] for name, rows in by_recipe.items()}


def _make_task(
    dataset: Dataset,
    positives: Dataset,
    recipe: Recipe,
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> PointwiseTask:
    """Examples of the test window and of the one before it; negatives carry no weight."""
    cuts = (protocol.cut(dataset, 2), protocol.cut(dataset))
    weights = {**recipe.event_weights, **dict.fromkeys(protocol.negative, 0.0)}
    examples = partial(
        click_examples,
        dataset,
        target_events=protocol.goal,
        negative_events=protocol.negative,
        event_weights=weights,
    )
    test, learn = examples(cuts[1]), examples(cuts[0], cuts[1])
    split = time_split(
        positives,
        *cuts,
        "keep",
        target_events=protocol.goal,
        event_weights=weights,
        max_queries=MAX_QUERIES,
        seed=protocol.seed,
    )
    return PointwiseTask(
        Pipeline.build(replace(recipe, event_weights=weights)),
        test,
        learn,
        protocol,
        seeds,
        progress,
        learn_split=replace(split, train=learn.train, query_time_data=learn.query_time_data),
    )


def _learn_calibrations(raw: Mapping[str, Float64Array] | None, examples: Examples) -> Finish:
    """A calibration for every row, learned from the outcomes of the validation examples."""
    assert raw is not None
    clicked = examples.outcomes > 0
    curves = {row: Calibration.fit(scores, clicked) for row, scores in raw.items()}

    def finish(raw: Mapping[str, Float64Array], _examples: Examples) -> dict[str, Float64Array]:
        return {row: curves[row].probabilities(scores) for row, scores in raw.items()}

    return finish


def _predict_baselines(dataset: Dataset, task: PointwiseTask) -> list[Predictions]:
    """The overall rate and the rate of each item in everything before the test."""
    began = time.perf_counter()
    protocol, test = task.protocol, task.test
    before_all = int(dataset.interactions.times.min()) - 1
    past = click_examples(
        dataset,
        before_all,
        protocol.cut(dataset),
        target_events=protocol.goal,
        negative_events=protocol.negative,
    )
    base = float(past.outcomes.mean())
    rates = item_rates(past.item_numbers.values, past.outcomes, dataset.n_items, base)
    seconds = time.perf_counter() - began
    return [
        Predictions("base-rate", [np.full(len(test), base)], True, seconds),
        Predictions("item-rate", [rates[test.item_numbers.values]], True, seconds),
    ]


def _to_result(row: Predictions, task: PointwiseTask, slices: Mapping[str, BoolArray]) -> Result:
    """Metrics of all examples and in slices; over several seeds the mean of the metrics."""
    bootstrap = BootstrapConfig(task.protocol.resamples, task.protocol.seed)
    clicked, users = task.test.outcomes > 0, task.test.users.astype(np.int64)
    by_seed = [click_metrics(values, clicked, users, bootstrap) for values in row.values]
    metrics, spread = mean_metrics(by_seed)
    for name, mask in slices.items():
        by_seed = [
            click_slice(values[mask], clicked[mask], users[mask], bootstrap)
            for values in row.values
        ]
        means, _ = mean_metrics(by_seed)
        metrics |= {f"{metric}|{name}": value for metric, value in means.items()}
    return to_result(row, metrics, spread)


def _per_user_metrics(rows: Sequence[Predictions], examples: Examples) -> PerQueryMetrics:
    """AUC and mean log loss of every user, with their weights."""
    clicked = examples.outcomes > 0
    example_users = examples.users.astype(np.int64)
    users, clusters, counts = np.unique(example_users, return_inverse=True, return_counts=True)
    values, auc_weights = {}, np.zeros(len(users))
    for row in rows:
        aucs = [user_auc(seed, clicked, example_users) for seed in row.values]
        losses = [np.bincount(clusters, log_losses(seed, clicked)) / counts for seed in row.values]
        auc_weights = aucs[0][1]
        values[row.model] = {
            "gauc": np.mean([auc for auc, _ in aucs], axis=0).astype(np.float32),
            "log_loss": np.mean(losses, axis=0).astype(np.float32),
        }
    weights = {"gauc": auc_weights.astype(np.float32), "log_loss": counts.astype(np.float32)}
    return PerQueryMetrics(users, users, values, weights)


def _few_outcomes(test: Examples) -> list[DataWarning]:
    """A warning if there are too few clicks, or too few misses."""
    clicks = int((test.outcomes > 0).sum())
    rarer = min(clicks, len(test) - clicks)
    text = f"there are only {clicks:,} clicks and {len(test) - clicks:,} misses"
    return [DataWarning("few-outcomes", float(rarer), True, text)] if rarer < FEW else []


def _describe_data(
    dataset: Dataset,
    task: PointwiseTask,
    rows: Sequence[Predictions],
    slices: Mapping[str, BoolArray],
) -> dict[str, Any]:
    """Sizes of the data, number of clicks, and the reliability of every row."""
    clicked = task.test.outcomes > 0
    return {
        **data_sizes(dataset, task.test, task.learn),
        "clicks": int(clicked.sum()),
        "slices": {name: int(mask.sum()) for name, mask in slices.items()},
        "reliability": {
            row.model: [
                [round(mean, 6), round(rate, 6), count]
                for mean, rate, count in calibration(row.values[0], clicked)
            ]
            for row in rows
        },
    }


def item_rates(items: Int32Array, clicked: Float64Array, n_items: int, base: float) -> Float64Array:
    """Compute the click rate of every item, shrunk to the overall rate.

    Args:
        items: int32 [N], item number of each impression.
        clicked: float64 [N], 1 for a click, else 0.
        n_items: Number of items.
        base: The overall click rate.

    Returns:
        float64 [n_items].
    """
    shown = np.bincount(items, minlength=n_items)
    rates: Float64Array = (np.bincount(items, clicked, n_items) + PRIOR * base) / (shown + PRIOR)
    return rates
