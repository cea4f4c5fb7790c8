"""Measures predicted ratings: strands that predict, their blend, and what they must beat."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from plait.data.types import Dataset, Int32Array, Int64Array
from plait.errors import ProtocolError
from plait.evaluation.pointwise.inference import Predictions, StageCosts, asked_each, metered
from plait.evaluation.pointwise.rating_baselines import Biases, rating_baselines
from plait.evaluation.pointwise.results import all_guesses, paired, result_of, sizes, summed_up
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import OVERLAP, DataWarning, few_users
from plait.evaluation.results.per_query import PerQueryMetrics
from plait.evaluation.results.report import FUSED, Report, Result
from plait.evaluation.slices import age_slices, births
from plait.metrics.bootstrap import Interval
from plait.metrics.pointwise import BootstrapConfig, rating_metrics
from plait.metrics.ties import Doubles
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import RatingPredictor
from plait.splitting.labelled_examples import Examples, rated_events, rating_examples
from plait.training.recipe_fit import Progress, fit_recipe
from plait.utils.peak_memory import PeakMemory

__all__ = ["evaluate_ratings", "predicting"]

BANDS = ((0, 0, "0"), (1, 4, "1-4"), (5, 19, "5-19"), (20, 99, "20-99"), (100, 1 << 40, "100+"))
"""Ratings that train holds of the same user, and of the same item."""

RIDGE = 1.0
"""How strongly the blend is pulled to equal weights, as by so many ratings."""


@dataclass(frozen=True, slots=True, eq=False)
class _RatingTask:
    """`timed`: whether times say how old an item was when its rating is asked for."""

    test: Examples
    learn: Examples
    protocol: Protocol
    seeds: tuple[int, ...]
    progress: Progress
    timed: bool

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest rating that was fitted on: no prediction leaves them."""
        return _limits(self.test.train, self.protocol.goal)


def evaluate_ratings(
    dataset: Dataset,
    test: Dataset | None,
    named: Mapping[str, Recipe],
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> tuple[Report, dict[str, list[str]]]:
    """The report of a resolved ratings protocol, and by recipe the names of its rows."""
    mine: dict[str, list[Predictions]] = {}
    first: _RatingTask | None = None
    for name, recipe in named.items():
        task = _task(dataset, test, recipe, protocol, seeds, progress)
        first = first or task
        mine[name] = _recipe_guesses(task, name, recipe)
    assert first is not None
    shared = _baselines(first)
    every = all_guesses(mine, shared)
    detail = _detail(every, first.test)
    report = Report(
        protocol,
        [_result(one, first) for one in every],
        paired=paired(mine, shared, detail, protocol, partial(_best, detail)),
        flags=[*_flags(first.test), *_unknowing(every)],
        data=_data(dataset, first),
        detail=detail,
    )
    return report, {name: [one.model for one in guesses] for name, guesses in mine.items()}


def _task(
    dataset: Dataset,
    test: Dataset | None,
    recipe: Recipe,
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> _RatingTask:
    of = partial(
        rating_examples,
        share=protocol.test_share,
        draw=protocol.draw,
        goal=protocol.goal,
        kinds=recipe.event_weights,
        seed=protocol.seed,
    )
    asked = of(dataset, test=test)
    timed = all(one.clock == "time" for one in (dataset, test) if one is not None)
    return _RatingTask(asked, of(asked.train), protocol, seeds, progress, timed)


def _recipe_guesses(task: _RatingTask, name: str, recipe: Recipe) -> list[Predictions]:
    """The blend first, called `fused`, then every strand that predicts; one value list a seed."""
    pipeline = predicting(recipe)
    found: dict[str, Predictions] = {}
    for seed in task.seeds:
        for one in _seed_guesses(task, name, pipeline, seed):
            if one.model not in found:
                found[one.model] = one
                continue
            known = found[one.model]
            known.values += one.values
            known.fit_seconds += one.fit_seconds
            known.evaluate_seconds += one.evaluate_seconds
            known.peak_mb = max(known.peak_mb, one.peak_mb)
    for one in found.values():
        one.fit_seconds /= len(task.seeds)
        one.evaluate_seconds /= len(task.seeds)
    return list(found.values())


def predicting(recipe: Recipe) -> Pipeline:
    """The strands of a recipe that predict, without steps; ProtocolError if there are none."""
    pipeline = Pipeline.build(recipe)
    able = (one for one in pipeline.models if isinstance(one, RatingPredictor))
    strands = tuple(one for one in able if one.can_predict_ratings)
    if not strands:
        raise ProtocolError(
            f"no strand of the recipe {recipe.name!r} predicts ratings",
            hint='name a recipe with [strands.ratings], or [strands.factors] method = "mf"',
            field="recipe",
        )
    return replace(pipeline, models=strands, steps=())


def _seed_guesses(task: _RatingTask, name: str, pipeline: Pipeline, seed: int) -> list[Predictions]:
    """Learn the blend on ratings no strand has seen, fit again on all, predict."""
    cost, goal = StageCosts(), task.protocol.goal

    def told(what: str, done: int, total: int) -> None:
        task.progress(f"{name}: {what}", done, total)

    with PeakMemory() as peak:
        began = time.perf_counter()
        blend = None
        if len(pipeline.models) > 1:
            early = fit_recipe(
                pipeline, task.learn.train, None, refit=True, seed=seed, progress=told
            )
            raw, _ = _predictions(early, task.learn, goal, StageCosts(), told)
            blend = _blend(raw, task.learn.outcomes)
        fitted = fit_recipe(
            pipeline,
            task.test.train,
            None,
            refit=True,
            seed=seed,
            watch=cost.watch(peak),
            progress=told,
        )
        fitting = time.perf_counter() - began
        raw, known = _predictions(fitted, task.test, goal, cost, told)
    names = list(raw)
    mixed = raw[names[0]] if blend is None else blend[0] + np.stack(list(raw.values())).T @ blend[1]
    asking = sum(cost.ask.values())
    whole = Predictions(FUSED, [mixed], False, fitting, asking, peak.peak, max(known.values()))
    rows = [
        Predictions(
            one,
            [raw[one]],
            False,
            cost.fit.get(one, 0.0),
            cost.ask[one],
            cost.memory.get(one, peak.peak),
            known[one],
        )
        for one in names
    ]
    for one in (whole, *rows):
        one.values = [np.clip(values, *task.limits) for values in one.values]
    return [whole, *rows]


def _predictions(
    pipeline: Pipeline,
    examples: Examples,
    goal: tuple[str, ...],
    cost: StageCosts,
    progress: Progress,
) -> tuple[dict[str, Doubles], dict[str, float]]:
    """By strand what it predicts, float64 [N], and the share it knows; biases stand in for NaN."""
    instead = Biases.of(examples.train, goal).predict(examples.users, examples.numbers.values)
    found: dict[str, Doubles] = {}
    known: dict[str, float] = {}
    for strand in pipeline.models:
        assert isinstance(strand, RatingPredictor)
        with metered(cost, strand.name):
            said = asked_each(pipeline, examples, strand.predict, progress)
        there = np.isfinite(said)
        known[strand.name] = float(there.mean())
        found[strand.name] = np.where(there, said, instead)
    return found, known


def _blend(raw: Mapping[str, Doubles], actual: Doubles) -> tuple[float, Doubles]:
    """A constant and a weight for each strand: ridge regression, pulled to equal weights."""
    table = np.stack(list(raw.values()), axis=1)
    middle, mean = table.mean(axis=0), float(actual.mean())
    start = np.full(table.shape[1], 1 / table.shape[1])
    centred = table - middle
    square = centred.T @ centred + RIDGE * np.eye(table.shape[1])
    weights = start + np.linalg.solve(square, centred.T @ (actual - mean - centred @ start))
    return mean - float(middle @ weights), weights


def _baselines(task: _RatingTask) -> list[Predictions]:
    began = time.perf_counter()
    rows = rating_baselines(task.test, task.protocol.goal)
    spent = time.perf_counter() - began
    return [
        Predictions(name, [np.clip(values, *task.limits)], True, spent / len(rows))
        for name, values in rows.items()
    ]


def _limits(train: Dataset, goal: tuple[str, ...]) -> tuple[float, float]:
    values = train.interactions.values[rated_events(train, goal)]
    return float(values.min()), float(values.max())


def _result(one: Predictions, task: _RatingTask) -> Result:
    """Metrics of all ratings and in slices; over several seeds the mean of the metrics."""
    examples, chance = task.test, BootstrapConfig(task.protocol.resamples, task.protocol.seed)
    owners = examples.owners
    everything = {"": np.ones(len(examples), np.bool_), **_slices(task)}
    metrics: dict[str, Interval] = {}
    spread: dict[str, float] = {}
    for name, mask in everything.items():
        actual = examples.outcomes[mask]
        each = [rating_metrics(seed[mask], actual, owners[mask], chance) for seed in one.values]
        found, apart = summed_up(each)
        suffix = f"|{name}" if name else ""
        metrics.update({metric + suffix: value for metric, value in found.items()})
        spread = spread or apart
    return result_of(one, metrics, spread)


def _slices(task: _RatingTask) -> dict[str, Any]:
    """Bool [N] by name: how much train knows of the user and of the item, and how old that was."""
    examples, train = task.test, task.test.train
    rated = train.interactions.take(rated_events(train, task.protocol.goal))
    found = {}
    for what, mine, theirs, size in (
        ("history", examples.users, rated.users, train.n_users),
        ("popularity", examples.numbers.values, rated.items, train.n_items),
    ):
        often = _often(mine, theirs, size)
        for low, high, name in BANDS:
            found[f"{what}:{name}"] = (often >= low) & (often <= high)
    if task.timed:
        first = births(train.interactions, train.n_items)
        asked = examples.queries.times[examples.numbers.rows]
        found |= age_slices(first, examples.numbers.values, asked)
    found["new-users"], found["new-items"] = found["history:0"], found["popularity:0"]
    return {name: mask for name, mask in found.items() if mask.any()}


def _often(mine: Int32Array, theirs: Int32Array, size: int) -> Int32Array:
    counts = np.append(np.bincount(theirs, minlength=size), 0)  # the last answers for -1
    found: Int32Array = counts[mine].astype(np.int32)
    return found


def _detail(rows: list[Predictions], examples: Examples) -> PerQueryMetrics:
    """Squared and absolute errors, rating by rating."""
    values = {}
    for one in rows:
        error = np.stack(one.values) - examples.outcomes
        values[one.model] = {
            "rmse": (error**2).mean(axis=0).astype(np.float32),
            "mae": np.abs(error).mean(axis=0).astype(np.float32),
        }
    return PerQueryMetrics(_keys(examples), examples.owners, values)


def _keys(examples: Examples) -> Int64Array:
    """int64 [N]: the place of each rating by user, item, time and value; no two have the same."""
    times = examples.queries.times[examples.numbers.rows]
    order = np.lexsort((examples.outcomes, times, examples.things, examples.owners))
    keys = np.empty(len(order), np.int64)
    keys[order] = np.arange(len(order))
    return keys


def _flags(test: Examples) -> list[DataWarning]:
    """What the history of a random draw knows of what came later, and who is asked."""
    found = few_users(test.owners)
    if test.train.clock != "time":
        return found
    middle = np.median(test.queries.times)
    share = float((test.train.interactions.times > middle).mean())
    text = f"{share:.0%} of the training events lie behind the median rating of the test: "
    return [*found, DataWarning("future", share, share > OVERLAP, text + "--draw last foretells")]


def _unknowing(rows: Sequence[Predictions]) -> list[DataWarning]:
    """Rows that are nothing but the biases that stand in for them."""
    mute = [one.model for one in rows if not one.known]
    share = len(mute) / max(len(rows), 1)
    text = f"{', '.join(mute)} knew no rating that was asked for: user-item-bias answered instead"
    return [DataWarning("knows-nothing", share, bool(mute), text)] if mute else []


def _best(detail: PerQueryMetrics, metric: str, rows: Sequence[str]) -> str:
    """The row with the smallest error."""
    return min(rows, key=lambda one: float(detail.values[one][metric].mean()))


def _data(dataset: Dataset, task: _RatingTask) -> dict[str, Any]:
    low, high = task.limits
    return {
        **sizes(dataset, task.test, task.learn),
        "scale": [low, high],
        "slices": {name: int(mask.sum()) for name, mask in _slices(task).items()},
    }
