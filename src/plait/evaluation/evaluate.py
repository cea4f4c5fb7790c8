"""Evaluates recipes: fits in memory beside everything live, asks, counts, compares."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plait.data.types import Dataset
from plait.errors import InputError
from plait.evaluation.pointwise.clicks import evaluate_clicks
from plait.evaluation.pointwise.ratings import evaluate_ratings
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.exposure import check_group
from plait.evaluation.ranking.runner import evaluate_rankings
from plait.evaluation.results.evaluation_log import recipe_hash, record, times_looked
from plait.evaluation.results.fingerprint import fingerprint, stamp
from plait.evaluation.results.report import Report
from plait.evaluation.results.seed_variance import SeedVariance, with_seed_margin
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Trainable
from plait.training.recipe_fit import Progress

__all__ = ["evaluate", "tested"]

MOST_SEEDS = 100


def _silent(_what: str, _done: int, _total: int) -> None:
    """Shows nothing."""


def evaluate(
    dataset: Dataset,
    recipes: Sequence[Recipe],
    protocol: Protocol,
    *,
    seeds: int = 1,
    group: str = "",
    test: Dataset | None = None,
    progress: Progress = _silent,
    history: Path | None = None,
) -> Report:
    """Fit, ask and count `recipes` by `protocol`; nothing live is read or written.

    Rows: `fused`, every strand by its name, and baselines; `RECIPE/ROW` where there are several
    recipes (baselines are shared). Everything is fitted for each of `seeds` seeds from the
    protocol's on, and the mean is reported; who is asked what is the same for all of them. `group`:
    a category of items, whose exposure is reported, or of users, who become slices. `test`: rated
    events for the ratings protocol, numbered as `dataset`. `progress` hears ("RECIPE: fit", done,
    total). `history` is the file that remembers every evaluation. Raises ProtocolError where the
    data leave nobody to ask.
    """
    named = _named(recipes)
    if not 1 <= seeds <= MOST_SEEDS:
        raise InputError(f"{seeds} seeds", hint=f"from 1 to {MOST_SEEDS}", field="seeds")
    check_group(dataset, group)
    settled = tested(protocol.resolved(dataset, recipes[0]), test)
    chances = tuple(range(settled.seed, settled.seed + seeds))
    if settled.name == "ratings":
        report, rows = evaluate_ratings(dataset, test, named, settled, chances, progress)
    elif settled.name == "clicks":
        report, rows = evaluate_clicks(dataset, named, settled, chances, progress)
    else:
        report, rows = evaluate_rankings(dataset, named, settled, group, chances, progress)
    report = replace(
        report,
        paired=with_seed_margin(
            report.paired, {one.model: SeedVariance(seeds, one.spread) for one in report.results}
        ),
        data={"version": dataset.version, "fingerprint": fingerprint(dataset), **report.data},
        seeds=chances,
        recipes={name: _described(one) for name, one in named.items()},
        run=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}",
    )
    return report if history is None else _remembered(history, report, named, rows)


def tested(protocol: Protocol, test: Dataset | None) -> Protocol:
    """The protocol with the stamp of `test`; InputError if it is one that takes none."""
    if test is None:
        return protocol
    if protocol.name != "ratings":
        raise InputError(
            "test events are for the ratings protocol",
            hint="--protocol ratings",
            field="test_events",
        )
    return replace(protocol, test_file=stamp(test))


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


def _described(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says, and which of its stages train: what these learn depends on the seed."""
    stages = Pipeline.build(recipe).stages
    trained = [one.name for one in stages if isinstance(one, Trainable) or one.is_stochastic]
    return {"hash": recipe_hash(recipe), "recipe": recipe.to_dict(), "trained": trained}


def _remembered(
    path: Path, report: Report, named: Mapping[str, Recipe], rows: Mapping[str, list[str]]
) -> Report:
    """The report with how often the test was looked at, once it is in the log."""
    found = replace(report, looked=times_looked(path, report.protocol.hash) + 1)
    for name, recipe in named.items():
        bare = {row.removeprefix(f"{name}/"): row for row in rows[name]}
        record(path, recipe, found, bare, report.run)
    return found
