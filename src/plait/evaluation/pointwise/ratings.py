"""Evaluates rating prediction: models that predict, their blend, and baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int64Array
from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.evaluation.pointwise.fit_predict import (
    Finish,
    PointwiseTask,
    Predictions,
    fit_and_predict,
    predict_examples,
)
from plait.evaluation.pointwise.rating_baselines import Biases, rating_baselines
from plait.evaluation.pointwise.summary import (
    all_predictions,
    data_sizes,
    mean_metrics,
    paired_differences,
    to_result,
)
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import OVERLAP, DataWarning, few_users
from plait.evaluation.results.per_query_metrics import PerQueryMetrics
from plait.evaluation.results.report import FUSED, Report, Result
from plait.evaluation.slices import age_slices, band_slices, first_event_times
from plait.evaluation.stage_costs import StageCosts
from plait.metrics.bootstrap import Interval
from plait.metrics.pointwise import BootstrapConfig, rating_metrics
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import RatingPredictor
from plait.pipeline.stage_calls import predict_ratings
from plait.splitting.labelled_examples import Examples, rated_events, rating_examples
from plait.training.pipeline_fit import Progress

__all__ = ["evaluate_ratings", "rating_pipeline"]

BANDS = ((0, 0, "0"), (1, 4, "1-4"), (5, 19, "5-19"), (20, 99, "20-99"), (100, 1 << 40, "100+"))
"""Bands of the number of ratings in train, of the same user and of the same item."""

RIDGE = 1.0
"""Strength of the prior of equal weights in the blend, as a number of ratings."""


def evaluate_ratings(
    dataset: Dataset,
    test: Dataset | None,
    named: Mapping[str, Recipe],
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> tuple[Report, dict[str, list[str]]]:
    """Evaluate recipes by the ratings they predict.

    Args:
        dataset: The data set.
        test: Separate test ratings, None to split `dataset`.
        named: Recipes by name.
        protocol: A resolved ratings protocol.
        seeds: Seeds of the fits.
        progress: Called with a description, the finished and the total number of steps.

    Returns:
        The report, and the names of its rows by recipe.

    Raises:
        ProtocolError: If a recipe has no model that predicts ratings.
    """
    tasks = {
        name: _make_task(dataset, test, recipe, protocol, seeds, progress)
        for name, recipe in named.items()
    }
    by_recipe = {name: _predict_recipe(task, name) for name, task in tasks.items()}
    first = next(iter(tasks.values()))
    timed = all(data.clock == "time" for data in (dataset, test) if data is not None)
    slices = _slices(first.test, protocol.goal, timed=timed)
    low, high = _rating_range(first)
    baseline_rows = _predict_baselines(first)
    rows = all_predictions(by_recipe, baseline_rows)
    detail = _per_query_errors(rows, first.test)
    report = Report(
        protocol,
        [_to_result(row, first, slices) for row in rows],
        paired=paired_differences(by_recipe, baseline_rows, detail, protocol),
        flags=[*few_users(first.test.user_keys), *_overlap(first.test), *_unknowing(rows)],
        data={
            **data_sizes(dataset, first.test, first.learn),
            "scale": [low, high],
            "slices": {name: int(mask.sum()) for name, mask in slices.items()},
        },
        detail=detail,
    )
    return report, {name: [row.model for row in rows] for name, rows in by_recipe.items()}


def rating_pipeline(recipe: Recipe) -> Pipeline:
    """Select the models of a recipe that predict ratings.

    Args:
        recipe: The recipe.

    Returns:
        A pipeline of these models without steps.

    Raises:
        ProtocolError: If there is no such model.
    """
    pipeline = Pipeline.build(recipe)
    models = tuple(
        model
        for model in pipeline.models
        if isinstance(model, RatingPredictor) and model.can_predict_ratings
    )
    if not models:
        raise ProtocolError(
            f"no model of the recipe {recipe.name!r} predicts ratings",
            hint='name a recipe with [models.ratings], or [models.factors] method = "mf"',
            field="recipe",
        )
    return replace(pipeline, models=models, steps=())


def _make_task(
    dataset: Dataset,
    test: Dataset | None,
    recipe: Recipe,
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> PointwiseTask:
    split = partial(
        rating_examples,
        test_size=protocol.test_share,
        draw=protocol.draw,
        target_events=protocol.goal,
        event_weights=recipe.event_weights,
        seed=protocol.seed,
    )
    pipeline = rating_pipeline(recipe)
    examples = split(dataset, test=test)
    learn, learns = split(examples.train), len(pipeline.models) > 1
    return PointwiseTask(pipeline, examples, learn, protocol, seeds, progress, learns)


def _predict_recipe(task: PointwiseTask, name: str) -> list[Predictions]:
    """The blend first, called `fused`, then every model, all within the range of ratings."""
    goal, rating_range = task.protocol.goal, _rating_range(task)

    def learn(raw: Mapping[str, Float64Array] | None, examples: Examples) -> Finish:
        blend = None
        if raw is not None:
            filled = _fill_unknown(raw, examples, goal)
            blend = _fit_blend(np.stack(list(filled.values()), axis=1), examples.outcomes)

        def finish(raw: Mapping[str, Float64Array], examples: Examples) -> dict[str, Float64Array]:
            filled = _fill_unknown(raw, examples, goal)
            fused = next(iter(filled.values()))
            if blend is not None:
                fused = blend[0] + np.stack(list(filled.values())).T @ blend[1]
            predictions = {FUSED: fused, **filled}
            return {row: np.clip(values, *rating_range) for row, values in predictions.items()}

        return finish

    return fit_and_predict(task, name, _predict_models, learn)


def _predict_models(
    pipeline: Pipeline, examples: Examples, costs: StageCosts, progress: Progress
) -> dict[str, Float64Array]:
    """The ratings that every model predicts, float64 [N], NaN for unknown ones."""
    predictions = {}
    for model in pipeline.models:
        assert isinstance(model, RatingPredictor)
        with costs.measure_queries(FUSED), costs.measure_queries(model.name):
            predict = partial(predict_ratings, model)
            predictions[model.name] = predict_examples(pipeline, examples, predict, progress)
    return predictions


def _fill_unknown(
    raw: Mapping[str, Float64Array], examples: Examples, goal: tuple[str, ...]
) -> dict[str, Float64Array]:
    """Predictions with the biases of users and items in place of NaN."""
    biases = Biases.of(examples.train, goal).predict(examples.users, examples.item_numbers.values)
    return {row: np.where(np.isfinite(values), values, biases) for row, values in raw.items()}


def _fit_blend(predictions: Float64Array, actual: Float64Array) -> tuple[float, Float64Array]:
    """A constant and a weight for each column: ridge regression towards equal weights."""
    n_models = predictions.shape[1]
    means, mean = predictions.mean(axis=0), float(actual.mean())
    prior = np.full(n_models, 1 / n_models)
    centred = predictions - means
    gram = centred.T @ centred + RIDGE * np.eye(n_models)
    weights = prior + np.linalg.solve(gram, centred.T @ (actual - mean - centred @ prior))
    return mean - float(means @ weights), weights


def _predict_baselines(task: PointwiseTask) -> list[Predictions]:
    began = time.perf_counter()
    predictions = rating_baselines(task.test, task.protocol.goal)
    seconds = (time.perf_counter() - began) / len(predictions)
    return [
        Predictions(name, [np.clip(values, *_rating_range(task))], True, seconds)
        for name, values in predictions.items()
    ]


def _rating_range(task: PointwiseTask) -> tuple[float, float]:
    """The smallest and the largest rating in train, which bound all predictions."""
    train = task.test.train
    ratings = train.interactions.values[rated_events(train, task.protocol.goal)]
    return float(ratings.min()), float(ratings.max())


def _to_result(row: Predictions, task: PointwiseTask, slices: Mapping[str, BoolArray]) -> Result:
    """Metrics of all ratings and in slices; over several seeds the mean of the metrics."""
    examples, bootstrap = task.test, BootstrapConfig(task.protocol.resamples, task.protocol.seed)
    owners = examples.user_keys
    metrics: dict[str, Interval] = {}
    spread: dict[str, float] = {}
    for name, mask in {"": np.ones(len(examples), np.bool_), **slices}.items():
        actual = examples.outcomes[mask]
        by_seed = [
            rating_metrics(values[mask], actual, owners[mask], bootstrap) for values in row.values
        ]
        means, deviations = mean_metrics(by_seed)
        suffix = f"|{name}" if name else ""
        metrics.update({metric + suffix: value for metric, value in means.items()})
        spread = spread or deviations
    return to_result(row, metrics, spread)


def _slices(examples: Examples, goal: tuple[str, ...], *, timed: bool) -> dict[str, BoolArray]:
    """Bool [N] by name: ratings of the user and of the item in train, and the item's age."""
    train, items = examples.train, examples.item_numbers.values
    rated = train.interactions.take(rated_events(train, goal))
    by_user = np.append(np.bincount(rated.users, minlength=train.n_users), 0)  # the last is for -1
    by_item = np.append(np.bincount(rated.items, minlength=train.n_items), 0)
    slices = band_slices("history", by_user[examples.users], BANDS)
    slices |= band_slices("popularity", by_item[items], BANDS)
    if timed:
        first = first_event_times(train.interactions, train.n_items)
        slices |= age_slices(first, items, examples.queries.times[examples.item_numbers.rows])
    slices["new-users"], slices["new-items"] = slices["history:0"], slices["popularity:0"]
    return {name: mask for name, mask in slices.items() if mask.any()}


def _per_query_errors(rows: Sequence[Predictions], examples: Examples) -> PerQueryMetrics:
    """Squared and absolute errors of every rating."""
    values = {}
    for row in rows:
        errors = np.stack(row.values) - examples.outcomes
        values[row.model] = {
            "rmse": (errors**2).mean(axis=0).astype(np.float32),
            "mae": np.abs(errors).mean(axis=0).astype(np.float32),
        }
    return PerQueryMetrics(_example_keys(examples), examples.user_keys, values)


def _example_keys(examples: Examples) -> Int64Array:
    """int64 [N]: the distinct rank of each rating by user, item, time and value."""
    times = examples.queries.times[examples.item_numbers.rows]
    order = np.lexsort((examples.outcomes, times, examples.item_keys, examples.user_keys))
    keys = np.empty(len(order), np.int64)
    keys[order] = np.arange(len(order))
    return keys


def _overlap(test: Examples) -> list[DataWarning]:
    """The share of the training events that are later than the median test rating."""
    if test.train.clock != "time":
        return []
    share = float((test.train.interactions.times > np.median(test.queries.times)).mean())
    text = (
        f"{share:.0%} of the training events are later than the median test rating: "
        "--draw last predicts later ratings from earlier ones"
    )
    return [DataWarning("future", share, share > OVERLAP, text)]


def _unknowing(rows: Sequence[Predictions]) -> list[DataWarning]:
    """A warning if a row consists of nothing but the biases that replace unknown ratings."""
    names = [row.model for row in rows if not row.known]
    if not names:
        return []
    text = f"{', '.join(names)} predicted none of the ratings: user-item-bias was used instead"
    return [DataWarning("knows-nothing", len(names) / len(rows), True, text)]
