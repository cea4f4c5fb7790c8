"""Fits recipes and predicts an outcome for every example: a user, an item and a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from plait.data.array_types import Float32Array, Float64Array, Int32Array
from plait.data.ragged import Ragged
from plait.data.types import Dataset, QueryBatch
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.rank_queries import final_scores, state_view_of, without_explanations
from plait.evaluation.results.report import FUSED
from plait.evaluation.stage_costs import StageCosts
from plait.pipeline.batch_inference import batch_size, in_batches, n_active_threads
from plait.pipeline.pipeline import Pipeline
from plait.splitting.labelled_examples import Examples
from plait.splitting.splits import Split
from plait.training.item_eligibility import with_limits
from plait.training.pipeline_fit import Progress, fit_recipe

__all__ = [
    "Finish",
    "Learn",
    "PointwiseTask",
    "Predict",
    "Predictions",
    "fit_and_predict",
    "predict_examples",
    "score_examples",
]

_CONTEXT_ITEMS = 100
"""Number of common items that are scored beside those of a query where scores are fused."""

Predict = Callable[[Pipeline, Examples, StageCosts, Progress], dict[str, Float64Array]]
"""Raw predictions of a fitted pipeline by row, float64 [N], NaN for unknown ones."""

Finish = Callable[[Mapping[str, Float64Array], Examples], dict[str, Float64Array]]
"""Final predictions from raw ones, by row, `fused` first."""

Learn = Callable[[Mapping[str, Float64Array] | None, Examples], Finish]
"""Learns `Finish` from raw predictions of the validation examples, None if there are none."""


@dataclass(slots=True)
class Predictions:
    """A row that predicts.

    Attributes:
        model: Name of the row.
        values: float64 [N] for each seed.
        baseline: Whether it is a baseline.
        fit_seconds: Seconds to fit.
        evaluate_seconds: Seconds to predict.
        peak_mb: Peak memory in MB.
        known: Share of the examples for which the model has a prediction of its own.
    """

    model: str
    values: list[Float64Array]
    baseline: bool = False
    fit_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    peak_mb: float = 0.0
    known: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PointwiseTask:
    """The evaluation of one recipe by predictions.

    Attributes:
        pipeline: The pipeline to fit.
        test: Examples of the test with their training data.
        learn: Examples of the validation, which lie in that training data.
        protocol: A resolved protocol.
        seeds: Seeds of the fits.
        progress: Called with a description, the finished and the total number of steps.
        learns: Whether something is learned from the validation examples.
        learn_split: Queries that the recipe's own fusion learns from, if it has one.
    """

    pipeline: Pipeline
    test: Examples
    learn: Examples
    protocol: Protocol
    seeds: tuple[int, ...]
    progress: Progress
    learns: bool = True
    learn_split: Split | None = None


def fit_and_predict(
    task: PointwiseTask, name: str, predict: Predict, learn: Learn
) -> list[Predictions]:
    """Fit a recipe with every seed and predict the test examples.

    For each seed the models are fitted on the training data of the validation examples, the
    combination of their predictions is learned on these, and the models are fitted again on all
    training data.

    Args:
        task: The recipe with its examples.
        name: Name of the recipe, for progress.
        predict: Computes raw predictions.
        learn: Learns how raw predictions become final ones.

    Returns:
        `fused` first, then every model; one list of values for each seed, and mean costs.
    """
    by_seed = [_fit_and_predict_once(task, name, seed, predict, learn) for seed in task.seeds]
    return [
        replace(
            seeds[0],
            values=[values for seed in seeds for values in seed.values],
            fit_seconds=float(np.mean([seed.fit_seconds for seed in seeds])),
            evaluate_seconds=float(np.mean([seed.evaluate_seconds for seed in seeds])),
            peak_mb=max(seed.peak_mb for seed in seeds),
        )
        for seeds in zip(*by_seed, strict=True)
    ]


def _fit_and_predict_once(
    task: PointwiseTask, name: str, seed: int, predict: Predict, learn: Learn
) -> list[Predictions]:
    """The predictions of one seed."""
    costs = StageCosts()

    def progress(what: str, done: int, total: int) -> None:
        task.progress(f"{name}: {what}", done, total)

    fit = partial(fit_recipe, seed=seed, live=state_view_of, progress=progress)
    with costs.peak:
        began = time.perf_counter()
        pipeline, lessons = task.pipeline, None
        if task.learns:
            early = fit(
                pipeline, task.learn.train, task.learn_split, refit=task.learn_split is None
            )
            lessons = predict(early, task.learn, StageCosts(), progress)
            if task.learn_split is not None:
                pipeline = early  # with the learned fusion
        finish = learn(lessons, task.learn)
        fitted = fit(pipeline, task.test.train, None, refit=True, watch=costs.on_stage_fitted)
        costs.total_fit_seconds = time.perf_counter() - began
        raw = predict(fitted, task.test, costs, progress)
        known = {row: float(np.isfinite(values).mean()) for row, values in raw.items()}
        return [
            Predictions(
                row,
                [values],
                fit_seconds=costs.fit_seconds_of(row),
                evaluate_seconds=costs.query_seconds.get(row, 0.0),
                peak_mb=costs.peak_mb_of(row),
                known=known.get(row, max(known.values())),
            )
            for row, values in finish(raw, task.test).items()
        ]


def predict_examples(
    pipeline: Pipeline,
    examples: Examples,
    predict: Callable[[QueryBatch, Int32Array], Float32Array],
    progress: Progress,
    context_items: Int32Array | None = None,
) -> Float64Array:
    """Predict every example in batches of queries.

    Args:
        pipeline: A fitted pipeline, for the live state.
        examples: N examples.
        predict: Called with the queries and item numbers int32 [B, K]; returns [B, K, ...].
        progress: Called with "ask", the number of finished queries, and their total.
        context_items: Item numbers that every query scores as well; they are not examples.

    Returns:
        float64 [N, ...].
    """
    live = state_view_of(pipeline, examples.query_time_data)
    queries = replace(examples.queries, live=live, candidates=examples.item_numbers)
    size = batch_size(examples.train.n_items)
    predictions: list[Float32Array] = []

    def predict_batch(_start: int, batch: QueryBatch) -> Float32Array:
        own = batch.candidates
        assert own is not None
        candidates = own if context_items is None else _append_missing(own, context_items)
        values = predict(replace(batch, candidates=candidates), candidates.to_padded())
        return values[np.arange(values.shape[1]) < own.lengths[:, None]]

    for start, values in in_batches(queries, predict_batch, size=size):
        predictions.append(values)
        progress("ask", min(start + size, len(queries)), len(queries))
    return np.concatenate(predictions).astype(np.float64)


def score_examples(
    pipeline: Pipeline, examples: Examples, costs: StageCosts, progress: Progress
) -> dict[str, Float64Array]:
    """Score every example by the models and by the whole pipeline.

    Fusion compares the candidates of a query with each other. So that the score of an example
    depends little on what else was shown, every query also scores the same common items.

    Args:
        pipeline: A fitted pipeline.
        examples: N examples.
        costs: Seconds to score are added here.
        progress: Called with "ask", the number of finished queries, and their total.

    Returns:
        float64 [N] by row, `fused` first; NaN for an unknown score.
    """
    pipeline = without_explanations(pipeline)
    names = [model.name for model in pipeline.models]
    n_threads = n_active_threads(len(examples.queries), batch_size(examples.train.n_items))

    def watch(stage: str, seconds: float) -> None:
        model, _, action = stage.rpartition(".")
        if action == "score":
            costs.add_query_seconds(model, seconds / n_threads)

    def score(queries: QueryBatch, _item_numbers: Int32Array) -> Float32Array:
        limited = with_limits(pipeline, queries)
        items = pipeline.rerank(limited, pipeline.retrieve_and_score(limited, watch), watch)
        own_scores = [items.column(f"{name}.score") for name in names]
        return np.stack([final_scores(items, pipeline), *own_scores], axis=-1)

    with costs.measure_queries(FUSED):
        common = _common_items(examples.train)
        scores = predict_examples(pipeline, examples, score, progress, common)
    return dict(zip((FUSED, *names), scores.T, strict=True))


def _append_missing(candidates: Ragged, item_numbers: Int32Array) -> Ragged:
    """Each row followed by those of `item_numbers` that it does not hold."""
    rows = np.repeat(np.arange(len(candidates)), len(item_numbers))
    values = np.tile(item_numbers, len(candidates))
    largest = max(int(candidates.values.max(initial=0)), int(item_numbers.max(initial=0)))
    width = largest + 2  # item numbers from -1 on
    missing = ~np.isin(rows * width + values, candidates.rows * width + candidates.values)
    all_rows = np.concatenate([candidates.rows, rows[missing]])
    all_values = np.concatenate([candidates.values, values[missing]])
    order = np.argsort(all_rows, kind="stable")
    lengths = np.bincount(all_rows, minlength=len(candidates))
    return Ragged.from_lengths(all_values[order], lengths)


def _common_items(train: Dataset) -> Int32Array:
    """`_CONTEXT_ITEMS` items with an event, sampled by their counts and `tiebreak`."""
    counts = np.bincount(train.interactions.items, minlength=train.n_items)
    items = np.flatnonzero(counts)
    # The smallest of exponential draws, each with its rate: a sample without replacement
    # (Efraimidis & Spirakis, 2006).
    uniform = (train.catalogue.tiebreak[items] + 1.0) / (2.0**64 + 1.0)
    order = np.argsort(-np.log(uniform) / counts[items], kind="stable")
    return items[order[:_CONTEXT_ITEMS]].astype(np.int32)
