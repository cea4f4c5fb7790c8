"""Measures the chance of a click: whatever a row scores becomes a chance on held-out outcomes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from plait.data.types import BoolArray, Dataset
from plait.evaluation.pointwise.calibration import Calibration, item_rates
from plait.evaluation.pointwise.inference import Predictions, StageCosts, scored
from plait.evaluation.pointwise.results import all_guesses, paired, result_of, sizes, summed_up
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.inference import state_view_of
from plait.evaluation.results.data_warnings import FEW, DataWarning, few_users
from plait.evaluation.results.per_query import PerQueryMetrics
from plait.evaluation.results.report import FUSED, Report, Result
from plait.evaluation.slices import click_slices
from plait.metrics.pointwise import (
    BootstrapConfig,
    calibration,
    click_metrics,
    click_slice,
    log_losses,
    user_auc,
)
from plait.metrics.ties import Doubles
from plait.pipeline.recipe import Recipe
from plait.splitting.labelled_examples import Examples, click_examples, evidence
from plait.splitting.splits import time_split
from plait.training.recipe_fit import Progress, fit_recipe
from plait.utils.peak_memory import PeakMemory

__all__ = ["evaluate_clicks"]


@dataclass(frozen=True, slots=True, eq=False)
class _ClickTask:
    """`clear` is the data set without misses; `learn` lies in the window before the test."""

    clear: Dataset
    recipe: Recipe
    learn: Examples
    test: Examples
    cuts: tuple[int, int]
    protocol: Protocol
    seeds: tuple[int, ...]
    progress: Progress


def evaluate_clicks(
    dataset: Dataset,
    named: Mapping[str, Recipe],
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> tuple[Report, dict[str, list[str]]]:
    """The report of a resolved clicks protocol, and by recipe the names of its rows."""
    mine: dict[str, list[Predictions]] = {}
    first: _ClickTask | None = None
    for name, recipe in named.items():
        task = _task(dataset, recipe, protocol, seeds, progress)
        first = first or task
        mine[name] = _recipe_guesses(task, name)
    assert first is not None
    shared = _baselines(dataset, first)
    every = all_guesses(mine, shared)
    detail = _detail(every, first.test)
    slices = click_slices(dataset, first.test, first.cuts[1])
    report = Report(
        protocol,
        [_result(one, first, slices) for one in every],
        paired=paired(mine, shared, detail, protocol, partial(_best, detail)),
        flags=[*few_users(first.test.users), *_few_outcomes(first.test)],
        data=_data(dataset, first, every, slices),
        detail=detail,
    )
    return report, {name: [one.model for one in guesses] for name, guesses in mine.items()}


def _task(
    dataset: Dataset,
    recipe: Recipe,
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
) -> _ClickTask:
    cuts = (protocol.cut(dataset, 2), protocol.cut(dataset))
    wanted: dict[str, Any] = {"goal": protocol.goal, "negative": protocol.negative}
    quiet = replace(
        recipe, event_weights={**recipe.event_weights, **dict.fromkeys(protocol.negative, 0.0)}
    )
    test = click_examples(dataset, cuts[1], **wanted, kinds=quiet.event_weights)
    learn = click_examples(dataset, cuts[0], cuts[1], **wanted, kinds=quiet.event_weights)
    clear = evidence(dataset, **wanted)
    return _ClickTask(clear, quiet, learn, test, cuts, protocol, seeds, progress)


def _recipe_guesses(task: _ClickTask, name: str) -> list[Predictions]:
    """`fused` first, then every strand; one list of chances for each seed."""
    by_seed = [_seed_guesses(task, name, seed) for seed in task.seeds]
    found = []
    for parts in zip(*by_seed, strict=True):
        one = parts[0]
        one.values = [part.values[0] for part in parts]
        one.fit_seconds = float(np.mean([part.fit_seconds for part in parts]))
        one.evaluate_seconds = float(np.mean([part.evaluate_seconds for part in parts]))
        found.append(one)
    return found


def _seed_guesses(task: _ClickTask, name: str, seed: int) -> list[Predictions]:
    """Fusion and calibration are learned in the window before the test, strands fitted again."""
    cost, protocol = StageCosts(), task.protocol

    def told(what: str, done: int, total: int) -> None:
        task.progress(f"{name}: {what}", done, total)

    with PeakMemory() as peak:
        began = time.perf_counter()
        learn = time_split(
            task.clear,
            *task.cuts,
            "keep",
            goal=protocol.goal,
            kinds=task.recipe.event_weights,
            most=10_000,
            seed=protocol.seed,
        )
        learn = replace(learn, train=task.learn.train, asked=task.learn.asked)
        early = fit_recipe(
            task.recipe,
            task.learn.train,
            learn,
            refit=False,
            seed=seed,
            live=state_view_of,
            progress=told,
        )
        lessons = scored(early, task.learn, told, StageCosts())
        outcomes = task.learn.outcomes > 0
        curves = {row: Calibration.of(one, outcomes) for row, one in lessons.items()}
        fitted = fit_recipe(
            early,
            task.test.train,
            None,
            refit=True,
            seed=seed,
            watch=cost.watch(peak),
            progress=told,
        )
        fitting = time.perf_counter() - began
        scores = scored(fitted, task.test, told, cost)
        cost.whole = peak.peak
    return [_guess(row, one, curves[row], cost, fitting) for row, one in scores.items()]


def _guess(
    row: str, scores: Doubles, curve: Calibration, cost: StageCosts, fitting: float
) -> Predictions:
    return Predictions(
        row,
        [curve.chances(scores)],
        False,
        fitting if row == FUSED else cost.fit.get(row, 0.0),
        cost.ask.get(row, 0.0),
        cost.whole if row == FUSED else cost.memory.get(row, cost.whole),
        float(np.isfinite(scores).mean()),
    )


def _baselines(dataset: Dataset, task: _ClickTask) -> list[Predictions]:
    """The rate of all, and the rate of each item, in everything before the test."""
    began = time.perf_counter()
    first = int(dataset.interactions.times.min()) - 1
    protocol = task.protocol
    past = click_examples(
        dataset, first, task.cuts[1], goal=protocol.goal, negative=protocol.negative
    )
    base = float(past.outcomes.mean())
    rates = item_rates(past.numbers.values, past.outcomes, dataset.n_items, base)
    spent = time.perf_counter() - began
    return [
        Predictions("base-rate", [np.full(len(task.test), base)], True, spent),
        Predictions("item-rate", [rates[task.test.numbers.values]], True, spent),
    ]


def _result(one: Predictions, task: _ClickTask, slices: Mapping[str, BoolArray]) -> Result:
    """Metrics of all examples, and in slices; over several seeds the mean of the metrics."""
    chance = BootstrapConfig(task.protocol.resamples, task.protocol.seed)
    clicked, users = task.test.outcomes > 0, task.test.users.astype(np.int64)
    each = [click_metrics(values, clicked, users, chance) for values in one.values]
    metrics, spread = summed_up(each)
    for name, mask in slices.items():
        own = [click_slice(seed[mask], clicked[mask], users[mask], chance) for seed in one.values]
        metrics |= {f"{metric}|{name}": part for metric, part in summed_up(own)[0].items()}
    return result_of(one, metrics, spread)


def _detail(rows: list[Predictions], examples: Examples) -> PerQueryMetrics:
    """By user the AUC and the mean log loss, each with what it weighs."""
    clicked, users = examples.outcomes > 0, examples.users.astype(np.int64)
    who, clusters, counts = np.unique(users, return_inverse=True, return_counts=True)
    values, weights = {}, np.zeros(len(who))
    for one in rows:
        each = [user_auc(seed, clicked, users) for seed in one.values]
        losses = [np.bincount(clusters, log_losses(seed, clicked)) / counts for seed in one.values]
        weights = each[0][1]
        values[one.model] = {
            "gauc": np.mean([own for own, _ in each], axis=0).astype(np.float32),
            "log_loss": np.mean(losses, axis=0).astype(np.float32),
        }
    weighed = {"gauc": weights.astype(np.float32), "log_loss": counts.astype(np.float32)}
    return PerQueryMetrics(who, who, values, weighed)


def _few_outcomes(test: Examples) -> list[DataWarning]:
    """Whether there are so few clicks, or misses, that they can hardly be told apart."""
    clicked = int((test.outcomes > 0).sum())
    rarer = min(clicked, len(test) - clicked)
    text = f"there are {clicked:,} clicks and {len(test) - clicked:,} misses: few to tell apart"
    return [DataWarning("few-outcomes", float(rarer), True, text)] if rarer < FEW else []


def _best(detail: PerQueryMetrics, metric: str, rows: Sequence[str]) -> str:
    """The row with the largest GAUC or the smallest loss."""
    reached = detail.means([(one, metric) for one in rows], resamples=0, seed=0)[0]
    worth = -reached if metric == "log_loss" else reached
    return rows[int(np.where(np.isnan(worth), -np.inf, worth).argmax())]


def _data(
    dataset: Dataset, task: _ClickTask, rows: list[Predictions], slices: Mapping[str, BoolArray]
) -> dict[str, Any]:
    """Sizes of what was there (what answers showed is no interaction), clicks, reliability."""
    clicked = task.test.outcomes > 0
    there = task.clear if task.protocol.of_answers else dataset
    return {
        **sizes(there, task.test, task.learn),
        "clicks": int(clicked.sum()),
        "slices": {name: int(mask.sum()) for name, mask in slices.items()},
        "reliability": {
            one.model: [
                [round(mean, 6), round(rate, 6), count]
                for mean, rate, count in calibration(one.values[0], clicked)
            ]
            for one in rows
        },
    }
