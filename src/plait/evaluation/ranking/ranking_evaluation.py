"""Evaluates ranking: fits every recipe for every window and seed, and combines the results."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.baselines import baselines
from plait.evaluation.ranking.catalogue_metrics import add_catalogue_metrics
from plait.evaluation.ranking.cold_and_warm import add_alone_metrics
from plait.evaluation.ranking.fitted_recipes import FittedRecipe
from plait.evaluation.ranking.fold_aggregation import (
    EvalSet,
    concat_eval_sets,
    concat_windows,
    mean_over_seeds,
)
from plait.evaluation.ranking.fusion_rows import FusionRows, absent_rows, is_fusion_row
from plait.evaluation.ranking.own_metrics import add_own_metrics
from plait.evaluation.ranking.product_targets import check_group_by
from plait.evaluation.ranking.query_metrics import ModelResult
from plait.evaluation.ranking.rank_queries import rank_split, state_view_of
from plait.evaluation.ranking.summary import differences_to_best, per_query_metrics, summarize
from plait.evaluation.ranking.windows import (
    EvalWindow,
    RankingTask,
    describe_data,
    make_windows,
)
from plait.evaluation.results.data_warnings import data_warnings
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.protocol_mismatch_warnings import served_list_warnings
from plait.evaluation.results.query_lists import QueryLists
from plait.evaluation.results.report import FUSED, Report
from plait.evaluation.results.split_warnings import sampling_warnings, split_warnings
from plait.evaluation.stage_costs import StageCosts
from plait.pipeline.fit_context import FitContext
from plait.pipeline.learned_steps import HasLearnedWeights
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.splitting.splits import Split
from plait.training.pipeline_fit import fit_recipe, ignore_lesson
from plait.utils.peak_memory import PeakMemory

__all__ = ["evaluate_rankings"]

_MAX_CELLS = 50_000_000
"""The most items of all lists together that a report keeps: 200 MB."""


_NOT_IN_NAMES = r"[^\w.-]+"
"""What the name of a tracking run, which can be a folder, has as a dash."""


def evaluate_rankings(
    task: RankingTask, named: Mapping[str, Recipe]
) -> tuple[Report, dict[str, list[str]]]:
    """Evaluate recipes by a protocol that ranks.

    Args:
        task: The data, the protocol and how models are fitted.
        named: Recipes by name.

    Returns:
        The report, and the names of its rows by recipe.

    Raises:
        ProtocolError: If a window has no queries, or no field groups items as the protocol says.
        InputError: If one's own metric does not return a number.
    """
    dataset, protocol = task.dataset, task.protocol
    check_group_by(dataset, protocol.group_by)
    for recipe in named.values():
        Pipeline.build(recipe)  # a wrong recipe is refused before the first fit
    by_recipe: dict[str, list[ModelResult]] = {}
    first: list[EvalWindow] = []
    learned: dict[str, Any] = {}
    for name, recipe in named.items():
        windows = make_windows(task, recipe)
        first = first or windows
        by_recipe[name] = _evaluate_recipe(task, name, recipe, windows, learned)
    baseline_rows = _evaluate_baselines(task, first)
    if len(named) > 1:
        for name, results in by_recipe.items():
            for row in results:
                row.model = f"{name}/{row.model}"
    eval_set = concat_eval_sets([window.eval_set for window in first])
    rows = [*itertools.chain(*by_recipe.values()), *baseline_rows]
    targets = max(len(eval_set.targets), 1)
    tied = max(float(rows[0].tied.sum()) for rows in by_recipe.values()) / targets
    known = dataset if task.split is None else task.split.known
    folds = [window.fold for window in first]
    absent = absent_rows(task.fusion)  # which need a package that is not installed
    report = Report(
        protocol,
        summarize(rows, eval_set, protocol),
        paired=_paired_differences(by_recipe, baseline_rows, eval_set, protocol),
        flags=[
            *data_warnings(known, folds, protocol.name, tied, protocol.goal),
            *split_warnings(task.split, folds[-1].test, protocol.goal),
            *sampling_warnings(protocol.n_sampled, folds[-1].test),
            *served_list_warnings(protocol, named, dataset.catalogue),
        ],
        data={**describe_data(task, first, eval_set), **({"absent": absent} if absent else {})},
        fusion=learned,
        own_metrics=tuple(task.metrics),
        detail=per_query_metrics(rows, eval_set, task.metrics),
        lists=_query_lists(task, rows, first),
    )
    return report, {name: [row.model for row in rows] for name, rows in by_recipe.items()}


def _query_lists(
    task: RankingTask, rows: Sequence[ModelResult], windows: Sequence[EvalWindow]
) -> QueryLists | None:
    """The lists of all queries and rows; None if they are too many to be kept."""
    if sum(row.top_items.size for row in rows) > _MAX_CELLS:
        return None
    tests = [window.fold.test for window in windows]
    return QueryLists.of(
        task.dataset,
        [test.users for test in tests],
        [test.targets for test in tests],
        [window.fold.window for window in windows],
        {row.model: row.top_items for row in rows},
        {row.model: row.user_metrics for row in rows},
    )


def _evaluate_recipe(
    task: RankingTask,
    name: str,
    recipe: Recipe,
    windows: Sequence[EvalWindow],
    learned: dict[str, Any],
) -> list[ModelResult]:
    """One recipe over all windows and seeds; `fused` first. Adds to the learned weights."""
    by_seed = []
    for seed in task.seeds:
        label = f"{name} seed {seed}" if len(task.seeds) > 1 else name
        by_window = []
        for window in windows:
            title = f"{label} {window.fold.window}".strip()
            fitted = _fitted_recipe(task, name, recipe, window, seed, title)
            if weights := _learned_weights(fitted.pipeline):
                learned[title] = weights
            by_window.append(_evaluate_window(task, title, fitted, window))
        by_seed.append([concat_windows(rows) for rows in zip(*by_window, strict=True)])
    popularity = concat_eval_sets([window.eval_set for window in windows]).history_popularity
    return [mean_over_seeds(rows, popularity) for rows in zip(*by_seed, strict=True)]


def _fitted_recipe(
    task: RankingTask, name: str, recipe: Recipe, window: EvalWindow, seed: int, title: str
) -> FittedRecipe:
    """A recipe fitted with one seed on one window."""
    fold = window.fold
    depth = max(recipe.candidates_per_model, *task.protocol.k)
    if (earlier := task.fits.get(name, fold.window, seed)) is not None:
        deep = replace(earlier.pipeline.recipe, candidates_per_model=depth)
        return replace(earlier, pipeline=replace(earlier.pipeline, recipe=deep))
    costs, others, reused = StageCosts(), FusionRows(task.fusion), task.cache.reused_seconds
    with costs.peak:
        began = time.perf_counter()
        pipeline = fit_recipe(
            replace(recipe, candidates_per_model=depth),
            fold.test.train,
            fold.learn,
            refit=fold.refit,
            seed=seed,
            live=state_view_of,
            watch=costs.on_stage_fitted,
            progress=_labelled(task, title),
            context=FitContext(
                trackers=task.trackers,
                name=f"{task.run}-{re.sub(_NOT_IN_NAMES, '-', title)}",
                callbacks=task.callbacks,
                cache=task.cache,
            ),
            ranker_split=fold.ranker_split,
            on_learned=others.on_learned if task.fusion.any_row else ignore_lesson,
        )
        costs.total_fit_seconds = time.perf_counter() - began
    # What was reused counts as if it had been fitted here.
    costs.total_fit_seconds += task.cache.reused_seconds - reused
    fitted = FittedRecipe(pipeline, costs, others.rows)
    task.fits.add(name, fold.window, seed, fitted)
    return fitted


def _labelled(task: RankingTask, title: str) -> Callable[[str, int, int], None]:
    """The progress of a task with the name of the recipe before the name of the work."""
    return lambda what, done, total: task.progress(f"{title}: {what}", done, total)


def _learned_weights(pipeline: Pipeline) -> dict[str, Any]:
    """The weights of the fusion, as the step describes them; empty for a single model."""
    for step in pipeline.steps:
        describe = getattr(step, "describe", None)
        if len(pipeline.models) > 1 and describe and isinstance(step, HasLearnedWeights):
            return dict(describe())
    return {}


def _evaluate_window(
    task: RankingTask, title: str, fitted: FittedRecipe, window: EvalWindow
) -> list[ModelResult]:
    """A fitted recipe on one window; `fused` first."""
    test = window.fold.test

    def rank(split: Split) -> list[ModelResult]:
        scorer, deepest = window.scorer(task.protocol, split), max(task.protocol.k)
        progress = _labelled(task, title)
        return rank_split(fitted.pipeline, split, scorer, deepest, progress, fitted.fusion_rows)

    with PeakMemory() as peak:
        rows = rank(test)
    for row in rows:
        row.fit_seconds = fitted.costs.fit_seconds_of(row.model)
        row.peak_mb = fitted.costs.peak_mb_of(row.model)
        if row.model == FUSED:
            row.peak_mb = max(row.peak_mb, peak.peak)
    if test.cold is not None:
        add_alone_metrics(rows, test, rank)
    add_catalogue_metrics(rows, test.query_time_data, task.group)
    add_own_metrics(rows, test.targets, task.dataset.catalogue.ids, task.metrics)
    return rows


def _evaluate_baselines(task: RankingTask, windows: Sequence[EvalWindow]) -> list[ModelResult]:
    by_window = []
    for window in windows:
        fold, protocol = window.fold, task.protocol

        def rank(
            split: Split, window: EvalWindow = window, protocol: Protocol = protocol
        ) -> list[ModelResult]:
            scorer = window.scorer(protocol, split)
            return baselines(protocol, window.fold.learn, split, scorer)[0]

        with PeakMemory() as peak:
            rows = rank(fold.test)
            for row in rows:
                row.peak_mb = peak.peak
        if fold.test.cold is not None:
            add_alone_metrics(rows, fold.test, rank)
        add_catalogue_metrics(rows, fold.test.query_time_data, task.group)
        add_own_metrics(rows, fold.test.targets, task.dataset.catalogue.ids, task.metrics)
        by_window.append(rows)
    return [concat_windows(rows) for rows in zip(*by_window, strict=True)]


def _paired_differences(
    by_recipe: Mapping[str, list[ModelResult]],
    baseline_rows: list[ModelResult],
    eval_set: EvalSet,
    protocol: Protocol,
) -> list[Difference]:
    """Each fusion against the best other row, and against the fusion of the first recipe."""
    differences: list[Difference] = []
    first = next(iter(by_recipe.values()))[0]
    deciding = f"ndcg@{max(protocol.k)}"
    for fused, *others in by_recipe.values():
        if fused.model.rpartition("/")[2] != FUSED:
            continue  # models that nothing fuses: `plait compare` orders them
        models = [row for row in others if not is_fusion_row(row.model)]
        differences += differences_to_best(fused, [*models, *baseline_rows], eval_set, protocol)
        for other in others:
            if is_fusion_row(other.model):
                gaps = differences_to_best(fused, [other], eval_set, protocol)
                differences += [gap for gap in gaps if gap.metric == deciding]
        if fused is not first and first.model.rpartition("/")[2] == FUSED:
            differences += differences_to_best(fused, [first], eval_set, protocol)
    return differences
