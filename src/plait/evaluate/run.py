"""Evaluates recipes: fits in memory beside everything live, asks, counts, compares."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from plait.core.recipe import Recipe
from plait.core.types import Dataset
from plait.errors import InputError, ProtocolError
from plait.evaluate.answering import FUSED, answered, live_of
from plait.evaluate.baselines import baselines
from plait.evaluate.flags import flags, stragglers
from plait.evaluate.history import record, times_looked
from plait.evaluate.memory import PeakMemory
from plait.evaluate.plan import Plan, plan
from plait.evaluate.protocol import Protocol
from plait.evaluate.report import Difference, Report, differences, results
from plait.evaluate.rows import Row, Scorer
from plait.evaluate.slices import item_slices, user_slices
from plait.learn.fitting import Progress, fit_recipe
from plait.measure.asks import goal_events
from plait.measure.exposure import surprise

__all__ = ["evaluate"]


def _silent(_what: str, _done: int, _total: int) -> None:
    """Shows nothing."""


def evaluate(
    dataset: Dataset,
    recipes: Sequence[Recipe],
    protocol: Protocol,
    *,
    progress: Progress = _silent,
    history: Path | None = None,
) -> Report:
    """Fit, ask and count `recipes` by `protocol`; nothing live is read or written.

    Rows: `fused`, every strand by its name, and baselines; `RECIPE/ROW` where there are several
    recipes (baselines are shared). `progress` hears ("RECIPE: fit", done, total). `history` is the
    file that remembers every evaluation. Raises ProtocolError where the data leave nobody to ask.
    """
    named = _named(recipes)
    settled = protocol.resolved(dataset, recipes[0])
    mine: dict[str, list[Row]] = {}
    plans: dict[str, Plan] = {}
    for name, recipe in named.items():
        plans[name] = _checked(plan(dataset, settled, recipe.kinds), settled, dataset)
        mine[name] = _recipe_rows(_deep(recipe, settled), plans[name], settled, name, progress)
    first = next(iter(plans.values()))
    shared = _baseline_rows(first, settled)
    if len(named) > 1:
        _prefix(mine)
    rows = [*itertools.chain(*mine.values()), *shared]
    found = _report(dataset, settled, first, rows)
    found = replace(found, paired=_paired(mine, shared, settled))
    found = replace(found, flags=flags(dataset, first.learn, first.test, settled.name, rows[0]))
    return found if history is None else _remembered(history, found, named, mine)


def _named(recipes: Sequence[Recipe]) -> dict[str, Recipe]:
    """Recipes by name, a second one of the same name as NAME#2."""
    if not recipes:
        raise InputError("no recipe to evaluate", hint="--recipe default", field="recipe")
    named: dict[str, Recipe] = {}
    for recipe in recipes:
        name, copy = recipe.name, 1
        while name in named:
            copy += 1
            name = f"{recipe.name}#{copy}"
        named[name] = recipe
    return named


def _deep(recipe: Recipe, protocol: Protocol) -> Recipe:
    """Strands bring at least as many candidates as the longest list holds."""
    return replace(recipe, retrieve=max(recipe.retrieve, *protocol.k))


def _checked(found: Plan, protocol: Protocol, dataset: Dataset) -> Plan:
    if len(found.test):
        return found
    left = f"; {found.test.excluded} targets were seen before" if found.test.excluded else ""
    late = ""
    if protocol.name == "time":
        reason = f"nobody does anything of {list(protocol.goal)} in the last days"
        late = stragglers(dataset.interactions.times, protocol.cut(dataset))
    else:
        reason = f"no user has three events of {list(protocol.goal)}"
    raise ProtocolError(
        f"there is nobody to ask: {reason}{left}",
        hint=late or "bring more events, or say --seen keep",
        field="protocol",
    )


def _recipe_rows(
    recipe: Recipe, splits: Plan, protocol: Protocol, name: str, progress: Progress
) -> list[Row]:
    """Fit one recipe and ask it the test; `fused` first."""
    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}

    def told(what: str, done: int, total: int) -> None:
        progress(f"{name}: {what}", done, total)

    with PeakMemory() as peak:

        def watch(stage: str, spent: float) -> None:
            seconds[stage], memory[stage] = spent, peak.lap()

        began = time.perf_counter()
        pipeline = fit_recipe(
            recipe,
            splits.test.train,
            splits.learn,
            refit=splits.refit,
            seed=protocol.seed,
            live=live_of,
            watch=watch,
            progress=told,
        )
        fitting = time.perf_counter() - began
        scorer = _scorer(splits, protocol)
        rows = answered(pipeline, splits.test, scorer, max(protocol.k), protocol.seed, told)
        for row in rows:
            row.fit_seconds = fitting if row.model == FUSED else seconds.get(row.model, 0.0)
            row.peak_mb = peak.whole if row.model == FUSED else memory.get(row.model, peak.whole)
    return rows


def _scorer(splits: Plan, protocol: Protocol) -> Scorer:
    train = splits.test.train
    taken = train.interactions.take(goal_events(train, protocol.goal)).items
    parts = item_slices(splits.test)
    return Scorer(splits.test, protocol.k, parts, surprise(taken, train.n_items))


def _baseline_rows(splits: Plan, protocol: Protocol) -> list[Row]:
    scorer = _scorer(splits, protocol)
    with PeakMemory() as peak:
        rows, _window = baselines(protocol, splits.learn, splits.test, scorer)
        for row in rows:
            row.peak_mb = peak.whole
    return rows


def _prefix(rows: Mapping[str, list[Row]]) -> None:
    for name, listed in rows.items():
        for row in listed:
            row.model = f"{name}/{row.model}"


def _report(dataset: Dataset, protocol: Protocol, splits: Plan, rows: list[Row]) -> Report:
    train = splits.test.train
    candidates = splits.test.asked.catalogue.alive
    found = results(rows, protocol, user_slices(splits.test), candidates)
    data = {
        "version": dataset.version,
        "users": len(np.unique(dataset.interactions.users)),
        "items": int(candidates.sum()),
        "interactions": len(dataset.interactions),
        "train": len(train.interactions),
        "queries": len(splits.test),
        "targets": len(splits.test.targets.values),
        "excluded": splits.test.excluded,
        "learned_from": len(splits.learn),
    }
    return Report(protocol, found, data=data)


def _paired(
    mine: Mapping[str, list[Row]], shared: list[Row], protocol: Protocol
) -> list[Difference]:
    """Each fusion against the best other row, and against the fusion of the first recipe."""
    found: list[Difference] = []
    first = next(iter(mine.values()))[0]
    for rows in mine.values():
        found += differences(rows[0], [*rows[1:], *shared], protocol)
        if rows[0] is not first:
            found += differences(rows[0], [first], protocol)
    return found


def _remembered(
    path: Path, report: Report, named: Mapping[str, Recipe], mine: Mapping[str, list[Row]]
) -> Report:
    """The report with how often the test was looked at, once it is in the log."""
    found = replace(report, looked=times_looked(path, report.protocol.hash) + 1)
    run = uuid.uuid4().hex[:12]
    for name, recipe in named.items():
        bare = {row.model.removeprefix(f"{name}/"): row.model for row in mine[name]}
        record(path, recipe, found, bare, run)
    return found
