"""Evaluates ranking: fits every recipe for every window and seed, and combines the results."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plait.data.product_groups import ProductGroups
from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.baselines import baselines
from plait.evaluation.ranking.catalogue_metrics import (
    add_catalogue_metrics,
    history_popularity,
    item_statistics,
)
from plait.evaluation.ranking.fold_aggregation import (
    EvalSet,
    concat_eval_sets,
    concat_windows,
    mean_over_seeds,
)
from plait.evaluation.ranking.folds import Fold, make_folds
from plait.evaluation.ranking.fusion_rows import FusionOptions, FusionRows, is_fusion_row
from plait.evaluation.ranking.item_groups import group_summary
from plait.evaluation.ranking.per_user import ItemStatistics, ModelResult, Scorer
from plait.evaluation.ranking.product_targets import check_group_by, merge_variants
from plait.evaluation.ranking.rank_queries import rank_split, require_final_score, state_view_of
from plait.evaluation.ranking.summary import differences_to_best, per_query_metrics, summarize
from plait.evaluation.results.data_warnings import data_warnings, sparse_tail_note
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.protocol_mismatch_warnings import served_list_warnings
from plait.evaluation.results.report import Report
from plait.evaluation.slices import group_slices, target_slices, user_slices
from plait.evaluation.stage_costs import StageCosts
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.ranking.item_variants import product_groups
from plait.training.pipeline_fit import Progress, fit_recipe, ignore_lesson
from plait.utils.peak_memory import PeakMemory

__all__ = ["evaluate_rankings"]


@dataclass(frozen=True, slots=True, eq=False)
class _RankingTask:
    """What all recipes of one evaluation have in common."""

    dataset: Dataset
    protocol: Protocol
    group: str
    seeds: tuple[int, ...]
    progress: Progress
    fusion: FusionOptions


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """One window of a task with its queries."""

    fold: Fold
    statistics: ItemStatistics
    eval_set: EvalSet
    groups: ProductGroups | None

    def scorer(self, protocol: Protocol) -> Scorer:
        return Scorer(self.fold.test, protocol.k, self.statistics, self.groups)


def evaluate_rankings(
    dataset: Dataset,
    named: Mapping[str, Recipe],
    protocol: Protocol,
    seeds: tuple[int, ...],
    progress: Progress,
    *,
    group: str,
    fusion: FusionOptions,
) -> tuple[Report, dict[str, list[str]]]:
    """Evaluate recipes by a protocol that ranks.

    Args:
        dataset: The data set.
        named: Recipes by name.
        protocol: A resolved protocol.
        seeds: Seeds of the fits.
        progress: Called with a description, the finished and the total number of steps.
        group: Field of items or users to report by, "" for none.
        fusion: Which rows of other fusions there are.

    Returns:
        The report, and the names of its rows by recipe.

    Raises:
        ProtocolError: If a window has no queries, or no field groups items as the protocol says.
        RecipeError: If a recipe has several models and no step that fuses them.
    """
    check_group_by(dataset, protocol.group_by)
    for recipe in named.values():
        require_final_score(Pipeline.build(recipe))
    task = _RankingTask(dataset, protocol, group, seeds, progress, fusion)
    by_recipe: dict[str, list[ModelResult]] = {}
    first: list[_Window] = []
    for name, recipe in named.items():
        windows = _make_windows(task, recipe)
        first = first or windows
        by_recipe[name] = _evaluate_recipe(task, name, recipe, windows)
    baseline_rows = _evaluate_baselines(task, first)
    if len(named) > 1:
        _name_by_recipe(by_recipe)
    eval_set = concat_eval_sets([window.eval_set for window in first])
    rows = [*itertools.chain(*by_recipe.values()), *baseline_rows]
    tied = max(float(rows[0].tied.sum()) for rows in by_recipe.values())
    tied /= max(len(eval_set.targets), 1)
    report = Report(
        protocol,
        summarize(rows, eval_set, protocol),
        paired=_paired_differences(by_recipe, baseline_rows, eval_set, protocol),
        flags=[
            *data_warnings(
                dataset, [window.fold for window in first], protocol.name, tied, protocol.goal
            ),
            *served_list_warnings(protocol, named, dataset.catalogue),
        ],
        data=_describe_data(task, first, eval_set),
        detail=per_query_metrics(rows, eval_set),
    )
    return report, {name: [row.model for row in rows] for name, rows in by_recipe.items()}


def _name_by_recipe(by_recipe: Mapping[str, list[ModelResult]]) -> None:
    """Put the names of the recipes before those of the rows."""
    for name, rows in by_recipe.items():
        for row in rows:
            row.model = f"{name}/{row.model}"


def _make_windows(task: _RankingTask, recipe: Recipe) -> list[_Window]:
    windows = []
    groups = product_groups(task.dataset.catalogue, task.protocol.group_by)
    folds = [
        fold._replace(test=merge_variants(fold.test, groups))
        for fold in make_folds(task.dataset, task.protocol, recipe.event_weights)
    ]
    for number, fold in enumerate(folds):
        _require_queries(fold, task)
        test = fold.test
        statistics = item_statistics(test, task.protocol.goal)
        slices = user_slices(test, known=task.protocol.name != "held-out-users")
        slices |= group_slices(task.dataset, test.users, task.group)
        if fold.window:
            slices[f"window:{fold.window}"] = np.ones(len(test), np.bool_)
        eval_set = EvalSet(
            test.users,
            np.full(len(test), number, np.int64),
            test.targets.rows,
            slices,
            target_slices(test),
            history_popularity(test, statistics),
        )
        windows.append(_Window(fold, statistics, eval_set, groups))
    return windows


def _require_queries(fold: Fold, task: _RankingTask) -> None:
    """ProtocolError with the reason if a fold has no test queries."""
    if len(fold.test):
        return
    goal, tail_note, hint = list(task.protocol.goal), "", "ingest more events"
    reason = f"no user has three or more events of {goal}"
    if task.protocol.name == "time":
        when = f"in the window from {fold.window} on" if fold.window else "in the last days"
        reason = f"no user has an event of {goal} {when}"
        cut = task.protocol.cut(task.dataset)
        tail_note = sparse_tail_note(task.dataset.interactions.times, cut)
    if fold.test.excluded:
        reason = f"the users had already seen all of the {fold.test.excluded} targets"
        hint = "use --seen keep, or ingest more events"
    reason = f"there are no test queries: {reason}"
    raise ProtocolError(reason, hint=tail_note or hint, field="protocol")


def _evaluate_recipe(
    task: _RankingTask, name: str, recipe: Recipe, windows: Sequence[_Window]
) -> list[ModelResult]:
    """One recipe over all windows and seeds; `fused` first."""
    deep = replace(recipe, candidates_per_model=max(recipe.candidates_per_model, *task.protocol.k))
    by_seed = []
    for seed in task.seeds:
        label = f"{name} seed {seed}" if len(task.seeds) > 1 else name
        by_window = [_evaluate_window(task, label, deep, window, seed) for window in windows]
        by_seed.append([concat_windows(rows) for rows in zip(*by_window, strict=True)])
    popularity = concat_eval_sets([window.eval_set for window in windows]).history_popularity
    return [mean_over_seeds(rows, popularity) for rows in zip(*by_seed, strict=True)]


def _evaluate_window(
    task: _RankingTask, name: str, recipe: Recipe, window: _Window, seed: int
) -> list[ModelResult]:
    """One recipe, fitted with one seed, on one window; `fused` first."""
    costs, fold = StageCosts(), window.fold
    label = f"{name} {fold.window}".strip()

    def progress(what: str, done: int, total: int) -> None:
        task.progress(f"{label}: {what}", done, total)

    others = FusionRows(task.fusion)
    with costs.peak:
        began = time.perf_counter()
        pipeline = fit_recipe(
            recipe,
            fold.test.train,
            fold.learn,
            refit=fold.refit,
            seed=seed,
            live=state_view_of,
            watch=costs.on_stage_fitted,
            progress=progress,
            ranker_split=fold.ranker_split,
            on_learned=others.on_learned if task.fusion.any_row else ignore_lesson,
        )
        costs.total_fit_seconds = time.perf_counter() - began
        scorer = window.scorer(task.protocol)
        deepest = max(task.protocol.k)
        rows = rank_split(pipeline, fold.test, scorer, deepest, progress, others.rows)
        for row in rows:
            row.fit_seconds = costs.fit_seconds_of(row.model)
            row.peak_mb = costs.peak_mb_of(row.model)
    add_catalogue_metrics(rows, window.fold.test.query_time_data, task.group)
    return rows


def _evaluate_baselines(task: _RankingTask, windows: Sequence[_Window]) -> list[ModelResult]:
    by_window = []
    for window in windows:
        fold, scorer = window.fold, window.scorer(task.protocol)
        with PeakMemory() as peak:
            rows, _ = baselines(task.protocol, fold.learn, fold.test, scorer)
            for row in rows:
                row.peak_mb = peak.peak
        add_catalogue_metrics(rows, window.fold.test.query_time_data, task.group)
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
        models = [row for row in others if not is_fusion_row(row.model)]
        differences += differences_to_best(fused, [*models, *baseline_rows], eval_set, protocol)
        for other in others:
            if is_fusion_row(other.model):
                gaps = differences_to_best(fused, [other], eval_set, protocol)
                differences += [gap for gap in gaps if gap.metric == deciding]
        if fused is not first:
            differences += differences_to_best(fused, [first], eval_set, protocol)
    return differences


def _describe_data(
    task: _RankingTask, windows: Sequence[_Window], eval_set: EvalSet
) -> dict[str, Any]:
    """Counts of the data and the queries; training data are those of the last window."""
    last = windows[-1]
    slices = {**eval_set.user_slices, **eval_set.target_slices}
    return {
        "users": len(np.unique(task.dataset.interactions.users)),
        "items": int(last.fold.test.query_time_data.catalogue.alive.sum()),
        "interactions": len(task.dataset.interactions),
        "train": len(last.fold.test.train.interactions),
        "queries": len(eval_set),
        "targets": len(eval_set.targets),
        "excluded": sum(window.fold.test.excluded for window in windows),
        "learned_from": len(last.fold.learn),
        "diversity_by": last.statistics.similarity.by if last.statistics.similarity else "",
        "slices": {name: int(mask.sum()) for name, mask in slices.items()},
        **group_summary(last.fold.test, task.group),
    }
