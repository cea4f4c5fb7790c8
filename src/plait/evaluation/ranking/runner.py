"""Measures lists: fits every recipe for every window and seed, asks, and puts it all together."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.aggregation import EvalSet, joined_grounds, joined_rows, mean_rows
from plait.evaluation.ranking.baselines import baselines
from plait.evaluation.ranking.exposure import add_whole, gauge_of, group_data, groups_of, profile_of
from plait.evaluation.ranking.folds import Fold, plans
from plait.evaluation.ranking.inference import answered, state_view_of
from plait.evaluation.ranking.per_user import ItemStatistics, ModelResult, Scorer
from plait.evaluation.ranking.summary import detail_of, differences, results
from plait.evaluation.results.data_warnings import DataWarning, flags, sparse_tail_note
from plait.evaluation.results.report import FUSED, Difference, Report
from plait.evaluation.slices import group_slices, target_slices, user_slices
from plait.pipeline.recipe import Recipe
from plait.training.recipe_fit import Progress, fit_recipe
from plait.utils.peak_memory import PeakMemory

__all__ = ["evaluate_rankings"]


@dataclass(frozen=True, slots=True, eq=False)
class _RankingTask:
    """One evaluation: what all recipes have in common."""

    dataset: Dataset
    protocol: Protocol
    group: str
    seeds: tuple[int, ...]
    progress: Progress


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """One window of a task, ready to be asked."""

    plan: Fold
    gauge: ItemStatistics
    ground: EvalSet


def evaluate_rankings(
    dataset: Dataset,
    named: Mapping[str, Recipe],
    protocol: Protocol,
    group: str,
    seeds: tuple[int, ...],
    progress: Progress,
) -> tuple[Report, dict[str, list[str]]]:
    """The report of a resolved protocol that ranks, and by recipe the names of its rows."""
    task = _RankingTask(dataset, protocol, group, seeds, progress)
    mine: dict[str, list[ModelResult]] = {}
    first: list[_Field] = []
    for name, recipe in named.items():
        fields = _fields(task, recipe)
        first = first or fields
        mine[name] = _recipe_rows(task, name, recipe, fields)
    shared = _baseline_rows(task, first)
    if len(named) > 1:
        for name, rows in mine.items():
            for row in rows:
                row.model = f"{name}/{row.model}"
    ground = joined_grounds([one.ground for one in first])
    rows = [*itertools.chain(*mine.values()), *shared]
    report = Report(
        protocol,
        results(rows, ground, protocol),
        paired=_paired(mine, shared, ground, protocol),
        flags=_flags(task, first, [rows[0] for rows in mine.values()]),
        data=_data(task, first),
        detail=detail_of(rows, ground),
    )
    return report, {name: [row.model for row in rows] for name, rows in mine.items()}


def _fields(task: _RankingTask, recipe: Recipe) -> list[_Field]:
    found = []
    for place, plan in enumerate(plans(task.dataset, task.protocol, recipe.event_weights)):
        _check(plan, task)
        gauge = gauge_of(plan.test, task.protocol.goal)
        found.append(_Field(plan, gauge, _ground(task, plan, place, gauge)))
    return found


def _ground(task: _RankingTask, plan: Fold, place: int, gauge: ItemStatistics) -> EvalSet:
    test = plan.test
    slices = user_slices(test, known=task.protocol.name != "held-out-users")
    slices |= group_slices(task.dataset, test.users, task.group)
    if plan.window:
        slices[f"window:{plan.window}"] = np.ones(len(test), np.bool_)
    return EvalSet(
        test.users,
        np.full(len(test), place, np.int64),
        test.targets.rows,
        slices,
        target_slices(test),
        profile_of(test, gauge),
    )


def _check(plan: Fold, task: _RankingTask) -> None:
    """ProtocolError where nobody is there to ask, saying why."""
    if len(plan.test):
        return
    goal, name = list(task.protocol.goal), task.protocol.name
    late, hint = "", "bring more events"
    reason = f"no user has three events of {goal}"
    if name == "time":
        when = f"in the window from {plan.window} on" if plan.window else "in the last days"
        reason = f"nobody does anything of {goal} {when}"
        late = sparse_tail_note(task.dataset.interactions.times, task.protocol.cut(task.dataset))
    if plan.test.excluded:
        reason = f"whoever could be asked had seen all of the {plan.test.excluded} targets before"
        hint = "say --seen keep, or bring more events"
    raise ProtocolError(
        f"there is nobody to ask: {reason}",
        hint=late or hint,
        field="protocol",
    )


def _recipe_rows(
    task: _RankingTask, name: str, recipe: Recipe, fields: Sequence[_Field]
) -> list[ModelResult]:
    """One recipe over all windows and seeds; `fused` first."""
    deep = replace(recipe, candidates_per_model=max(recipe.candidates_per_model, *task.protocol.k))
    by_seed = []
    for seed in task.seeds:
        said = f"{name} seed {seed}" if len(task.seeds) > 1 else name
        windows = [_window_rows(task, said, deep, one, seed) for one in fields]
        by_seed.append([joined_rows(parts) for parts in zip(*windows, strict=True)])
    profile = joined_grounds([one.ground for one in fields]).profile
    return [mean_rows(parts, profile) for parts in zip(*by_seed, strict=True)]


def _window_rows(
    task: _RankingTask, name: str, recipe: Recipe, field: _Field, seed: int
) -> list[ModelResult]:
    """Fit one recipe by one seed and ask it one test; `fused` first."""
    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}
    plan = field.plan
    where = f"{name} {plan.window}".strip()

    def told(what: str, done: int, total: int) -> None:
        task.progress(f"{where}: {what}", done, total)

    with PeakMemory() as peak:

        def watch(stage: str, spent: float) -> None:
            seconds[stage], memory[stage] = spent, peak.peak_since_last()

        began = time.perf_counter()
        pipeline = fit_recipe(
            recipe,
            plan.test.train,
            plan.learn,
            refit=plan.refit,
            seed=seed,
            live=state_view_of,
            watch=watch,
            progress=told,
        )
        fitting = time.perf_counter() - began
        scorer = Scorer(plan.test, task.protocol.k, field.gauge)
        rows = answered(pipeline, plan.test, scorer, max(task.protocol.k), seed, told)
        for row in rows:
            row.fit_seconds = fitting if row.model == FUSED else seconds.get(row.model, 0.0)
            row.peak_mb = peak.peak if row.model == FUSED else memory.get(row.model, peak.peak)
    _add_whole(task, field, rows)
    return rows


def _baseline_rows(task: _RankingTask, fields: Sequence[_Field]) -> list[ModelResult]:
    windows = []
    for field in fields:
        scorer = Scorer(field.plan.test, task.protocol.k, field.gauge)
        with PeakMemory() as peak:
            rows, _ = baselines(task.protocol, field.plan.learn, field.plan.test, scorer)
            for row in rows:
                row.peak_mb = peak.peak
        _add_whole(task, field, rows)
        windows.append(rows)
    return [joined_rows(parts) for parts in zip(*windows, strict=True)]


def _add_whole(task: _RankingTask, field: _Field, rows: Sequence[ModelResult]) -> None:
    candidates = field.plan.test.asked.catalogue.alive
    add_whole(rows, candidates, groups_of(field.plan.test.asked, task.group))


def _paired(
    mine: Mapping[str, list[ModelResult]],
    shared: list[ModelResult],
    ground: EvalSet,
    protocol: Protocol,
) -> list[Difference]:
    """Each fusion against the best other row, and against the fusion of the first recipe."""
    found: list[Difference] = []
    first = next(iter(mine.values()))[0]
    for rows in mine.values():
        found += differences(rows[0], [*rows[1:], *shared], ground, protocol)
        if rows[0] is not first:
            found += differences(rows[0], [first], ground, protocol)
    return found


def _flags(
    task: _RankingTask, fields: Sequence[_Field], fused: Sequence[ModelResult]
) -> list[DataWarning]:
    """Those of all windows together; ties of the recipe with most."""
    targets = sum(len(one.plan.test.targets.values) for one in fields)
    tied = max(float(one.tied.sum()) for one in fused) / max(targets, 1)
    return flags(task.dataset, [one.plan for one in fields], task.protocol.name, tied)


def _sizes(ground: EvalSet) -> dict[str, int]:
    """How many queries a slice of users has, how many targets one of targets."""
    return {
        name: int(mask.sum())
        for name, mask in {**ground.user_slices, **ground.target_slices}.items()
    }


def _data(task: _RankingTask, fields: Sequence[_Field]) -> dict[str, Any]:
    """Counts of what was fitted on and asked; of the last window, where there are several."""
    last = fields[-1].plan
    likeness = fields[-1].gauge.likeness
    train, asked = last.test.train, last.test.asked
    tests = [one.plan.test for one in fields]
    return {
        "users": len(np.unique(task.dataset.interactions.users)),
        "items": int(asked.catalogue.alive.sum()),
        "interactions": len(task.dataset.interactions),
        "train": len(train.interactions),
        "queries": sum(len(one) for one in tests),
        "targets": sum(len(one.targets.values) for one in tests),
        "excluded": sum(one.excluded for one in tests),
        "learned_from": len(last.learn),
        "diversity_by": likeness.by if likeness else "",
        "slices": _sizes(joined_grounds([one.ground for one in fields])),
        **group_data(train, task.group, groups_of(asked, task.group)),
    }
