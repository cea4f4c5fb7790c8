"""Evaluates recipes in memory: fits them, runs the queries, computes metrics, compares rows."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from plait.data.types import Dataset
from plait.errors import InputError
from plait.evaluation.pointwise.clicks import evaluate_clicks
from plait.evaluation.pointwise.ratings import evaluate_ratings
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.fitted_recipes import KeptFits
from plait.evaluation.ranking.fusion_rows import NO_ROWS, FusionOptions
from plait.evaluation.ranking.item_groups import check_group
from plait.evaluation.ranking.own_metrics import OwnMetric, named_metrics
from plait.evaluation.ranking.ranking_evaluation import evaluate_rankings
from plait.evaluation.ranking.windows import RankingTask
from plait.evaluation.results.evaluation_log import (
    append_evaluation,
    count_evaluations,
    recipe_hash,
)
from plait.evaluation.results.fingerprint import (
    interactions_fingerprint,
    ratings_fingerprint,
    split_fingerprint,
)
from plait.evaluation.results.report import Report
from plait.evaluation.results.seed_variance import SeedVariance, with_seed_margin
from plait.pipeline.fit_cache import FitCache
from plait.pipeline.fit_context import Callback, Tracker
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Trainable
from plait.splitting.own_split import OwnSplit
from plait.training.pipeline_fit import Progress
from plait.utils.no_op_callbacks import ignore
from plait.utils.plain_arguments import as_list, without_numpy

__all__ = ["EvaluateOptions", "evaluate", "with_test_file"]

MAX_SEEDS = 100

MEASURED = ("k", "seen", "group", "group_by", "candidates", "resamples", "metrics")
"""The options that decide nothing that is fitted."""

_log = logging.getLogger(__name__)


class EvaluateOptions(TypedDict, total=False):
    """What `evaluate` takes beside data, recipes and protocol.

    Attributes:
        seeds: Number of seeds to fit with, from the protocol's seed on; the rows are their means.
        group: A field of items, to report their exposure, or of users, as slices.
        test: Rated events for the ratings protocol, with the numbers of the data set.
        split: Training, validation and test data for the protocol "split".
        metrics: One's own metrics: functions of a list of item ids and the set of targets of a
            query, measured beside the others under their `__name__`. They see the lists to the
            largest k.
        fusion: Which rows of other fusions there are.
        trackers: Where the training of models is recorded, a run for each fit.
        callbacks: Called after each epoch of a training; "stop" ends it there.
        cache: Fitted models of earlier evaluations on the same data; None: only what the recipes
            have in common is fitted once.
        fits: Keeps the fitted recipes, or provides them: see `Report.measure`.
    """

    seeds: int
    group: str
    test: Dataset | None
    split: OwnSplit | None
    metrics: Iterable[OwnMetric]
    fusion: FusionOptions
    trackers: Sequence[Tracker]
    callbacks: Sequence[Callback]
    cache: FitCache | None
    fits: KeptFits | None


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """All arguments of an evaluation but the protocol and the progress."""

    dataset: Dataset
    recipes: Sequence[Recipe]
    history: Path | None
    seeds: int = 1
    group: str = ""
    test: Dataset | None = None
    split: OwnSplit | None = None
    metrics: Iterable[OwnMetric] = ()
    fusion: FusionOptions = NO_ROWS
    trackers: Sequence[Tracker] = ()
    callbacks: Sequence[Callback] = ()
    cache: FitCache | None = None
    fits: KeptFits | None = None


def evaluate(
    dataset: Dataset,
    recipes: Sequence[Recipe],
    protocol: Protocol,
    *,
    progress: Progress = ignore,
    history: Path | None = None,
    **options: Unpack[EvaluateOptions],
) -> Report:
    """Evaluate recipes by a protocol. Nothing that serves is read or written.

    Rows are `fused`, every model, and baselines; with several recipes RECIPE/ROW and baselines. A
    model that several recipes have with the same settings is fitted once.

    Args:
        dataset: The data set; with `split` everything that its parts hold.
        recipes: Recipes to evaluate.
        protocol: The protocol; open options are resolved on the data.
        progress: Called with ("RECIPE: fit", finished, total).
        history: File that records every evaluation.
        options: See `EvaluateOptions`.

    Returns:
        The report.

    Raises:
        InputError: If there is no recipe, or an option is out of range.
        ProtocolError: If the data do not allow the protocol or leave no test query.
    """
    return _evaluate(protocol, _Inputs(dataset, recipes, history, **options), progress)


def _evaluate(protocol: Protocol, inputs: _Inputs, progress: Progress) -> Report:
    """The report of an evaluation."""
    dataset, fits = inputs.dataset, inputs.fits
    named = _distinct_names(inputs.recipes)
    _check_seeds(inputs.seeds)
    check_group(dataset, inputs.group)
    protocol = _resolved(protocol, inputs)
    seeds = tuple(range(protocol.seed, protocol.seed + inputs.seeds))
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    if protocol.name == "ratings":
        report, rows = evaluate_ratings(dataset, inputs.test, named, protocol, seeds, progress)
    elif protocol.name == "clicks":
        report, rows = evaluate_clicks(dataset, named, protocol, seeds, progress)
    else:
        task = RankingTask(
            dataset,
            protocol,
            inputs.group,
            seeds,
            progress,
            inputs.split,
            named_metrics(inputs.metrics),
            inputs.fusion,
            tuple(inputs.trackers),
            tuple(inputs.callbacks),
            run,
            inputs.cache or FitCache.shared_by(inputs.recipes),
            fits or KeptFits(),
        )
        report, rows = evaluate_rankings(task, named)
    identity = {"version": dataset.version, "fingerprint": interactions_fingerprint(dataset)}
    variances = {row.model: SeedVariance(inputs.seeds, row.spread) for row in report.results}
    report = replace(
        report,
        paired=with_seed_margin(report.paired, variances),
        data={**identity, **report.data},
        seeds=seeds,
        recipes={name: _describe_recipe(recipe) for name, recipe in named.items()},
        run=run,
    )
    if fits is not None and (fits.keep or fits.bundle is not None):
        report = replace(report, again=partial(_measure_again, protocol, inputs))
    if inputs.history is not None:
        report = _record(inputs.history, report, named, rows)
    _log.info("evaluated %s by %s, run %s", ", ".join(named), protocol.name, report.run)
    return report


def _resolved(protocol: Protocol, inputs: _Inputs) -> Protocol:
    """The protocol without open options; InputError where it does not fit the inputs."""
    split = inputs.split
    _check_split(protocol, split)
    if named_metrics(inputs.metrics) and not protocol.ranks:
        raise InputError(
            f"{protocol.name} measures no lists, so it takes no metrics of lists", field="metrics"
        )
    known = inputs.dataset if split is None else split.known
    protocol = with_test_file(protocol.resolved(known, inputs.recipes[0]), inputs.test)
    return protocol if split is None else replace(protocol, split_data=split_fingerprint(split))


def _check_seeds(seeds: int) -> None:
    """InputError if there are too few or too many."""
    if not 1 <= seeds <= MAX_SEEDS:
        raise InputError(
            f"invalid number of seeds {seeds}", hint=f"expected 1 to {MAX_SEEDS}", field="seeds"
        )


def _measure_again(protocol: Protocol, inputs: _Inputs, options: Mapping[str, Any]) -> Report:
    """Measure kept fits by other options; `protocol` is the resolved one of the fits."""
    for name in options:
        if name not in MEASURED:
            raise InputError(
                f"{name} cannot be changed without a fit",
                hint=f"options are {', '.join(MEASURED)}",
                field=name,
            )
    values = {name: without_numpy(value) for name, value in options.items()}
    group, metrics = values.pop("group", inputs.group), values.pop("metrics", inputs.metrics)
    if "k" in values:
        values["k"] = tuple(as_list(values["k"]))
    changed = replace(protocol, **values)
    changed.check()
    return _evaluate(changed, replace(inputs, group=group, metrics=metrics), ignore)


def _check_split(protocol: Protocol, split: OwnSplit | None) -> None:
    """InputError if a split and the protocol do not belong together."""
    if (protocol.name == "split") != (split is not None):
        raise InputError(
            "train and test data belong to the protocol split"
            if split is not None
            else "the protocol split measures train and test data of one's own",
            hint="--protocol split --train FILE --validation FILE --test FILE",
            field="protocol" if split is not None else "test",
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
    report = replace(report, looked=count_evaluations(path, report.protocol) + 1)
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
