"""Evaluates recipes in memory: fits them, runs the queries, computes metrics, compares rows."""

from __future__ import annotations

import logging
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
from plait.evaluation.ranking.fusion_rows import NO_ROWS, FusionOptions
from plait.evaluation.ranking.item_groups import check_group
from plait.evaluation.ranking.runner import evaluate_rankings
from plait.evaluation.results.evaluation_log import (
    append_evaluation,
    count_evaluations,
    recipe_hash,
)
from plait.evaluation.results.fingerprint import interactions_fingerprint, ratings_fingerprint
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.report import Report
from plait.evaluation.results.seed_variance import SeedVariance, with_seed_margin
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Trainable
from plait.training.pipeline_fit import Progress
from plait.utils.no_op import ignore

__all__ = ["evaluate", "with_test_file"]

MAX_SEEDS = 100

_log = logging.getLogger(__name__)


def evaluate(
    dataset: Dataset,
    recipes: Sequence[Recipe],
    protocol: Protocol,
    *,
    seeds: int = 1,
    group: str = "",
    test: Dataset | None = None,
    fusion: FusionOptions = NO_ROWS,
    progress: Progress = ignore,
    history: Path | None = None,
) -> Report:
    """Evaluate recipes by a protocol. Nothing that serves is read or written.

    Rows are `fused`, every model, baselines; with several recipes RECIPE/ROW, and baselines.

    Args:
        dataset: The data set.
        recipes: Recipes to evaluate.
        protocol: The protocol; open options are resolved on the data.
        seeds: Number of seeds to fit with, from the protocol's seed on; the rows are their means.
        group: A field of items, to report their exposure, or of users, as slices.
        fusion: Which rows of other fusions there are.
        test: Rated events for the ratings protocol, with the numbers of `dataset`.
        progress: Called with ("RECIPE: fit", finished, total).
        history: File that records every evaluation.

    Returns:
        The report.

    Raises:
        InputError: If there is no recipe, or an option is out of range.
        ProtocolError: If the data do not allow the protocol or leave no test query.
    """
    named = _distinct_names(recipes)
    _check_seeds(seeds)
    check_group(dataset, group)
    protocol = with_test_file(protocol.resolved(dataset, recipes[0]), test)
    fit_seeds = tuple(range(protocol.seed, protocol.seed + seeds))
    if protocol.name == "ratings":
        report, rows = evaluate_ratings(dataset, test, named, protocol, fit_seeds, progress)
    elif protocol.name == "clicks":
        report, rows = evaluate_clicks(dataset, named, protocol, fit_seeds, progress)
    else:
        report, rows = evaluate_rankings(
            dataset, named, protocol, fit_seeds, progress, group=group, fusion=fusion
        )
    identity = {"version": dataset.version, "fingerprint": interactions_fingerprint(dataset)}
    report = replace(
        report,
        paired=_with_seed_margin(report, seeds),
        data={**identity, **report.data},
        seeds=fit_seeds,
        recipes={name: _describe_recipe(recipe) for name, recipe in named.items()},
        run=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}",
    )
    if history is not None:
        report = _record(history, report, named, rows)
    _log.info("evaluated %s by %s, run %s", ", ".join(named), protocol.name, report.run)
    return report


def _with_seed_margin(report: Report, seeds: int) -> Sequence[Difference]:
    """The differences of a report, with how far seeds alone may move them."""
    variances = {row.model: SeedVariance(seeds, row.spread) for row in report.results}
    return with_seed_margin(report.paired, variances)


def _check_seeds(seeds: int) -> None:
    """InputError if there are too few or too many."""
    if not 1 <= seeds <= MAX_SEEDS:
        raise InputError(
            f"invalid number of seeds {seeds}", hint=f"expected 1 to {MAX_SEEDS}", field="seeds"
        )


def with_test_file(protocol: Protocol, test: Dataset | None) -> Protocol:
    """Add the fingerprint of separate test ratings to a protocol.

    Args:
        protocol: The protocol.
        test: Rated events, None without separate test ratings.

    Returns:
        The protocol, unchanged without test ratings.

    Raises:
        InputError: If the protocol is not the ratings protocol.
    """
    if test is None:
        return protocol
    if protocol.name != "ratings":
        raise InputError(
            "test events need the ratings protocol", hint="--protocol ratings", field="test_events"
        )
    return replace(protocol, test_file=ratings_fingerprint(test))


def _distinct_names(recipes: Sequence[Recipe]) -> dict[str, Recipe]:
    """Recipes by name, a second one of the same name as NAME#2."""
    if not recipes:
        raise InputError(
            "expected one or more recipes to evaluate, got none",
            hint="--recipe default",
            field="recipe",
        )
    named: dict[str, Recipe] = {}
    for recipe in recipes:
        name, copy = recipe.name, 1
        while name in named:
            copy += 1
            name = f"{recipe.name}#{copy}"
        named[name] = recipe
    return named


def _record(
    path: Path, report: Report, named: Mapping[str, Recipe], rows: Mapping[str, Sequence[str]]
) -> Report:
    """Append an evaluation to its log; the report with the number of evaluations so far."""
    report = replace(report, looked=count_evaluations(path, report.protocol.hash) + 1)
    for name, recipe in named.items():
        own_rows = {row.removeprefix(f"{name}/"): row for row in rows[name]}
        append_evaluation(path, recipe, report, own_rows, report.run)
    return report


def _describe_recipe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as the report holds it, with the names of the stages that depend on the seed."""
    stages = Pipeline.build(recipe).stages
    trained = [
        stage.name for stage in stages if isinstance(stage, Trainable) or stage.is_stochastic
    ]
    return {"hash": recipe_hash(recipe), "recipe": recipe.to_dict(), "trained": trained}
