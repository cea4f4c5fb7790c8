"""The test windows of an evaluation that ranks: their splits, slices and descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from plait.data.product_groups import ProductGroups
from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.candidate_sampling import with_sampled_candidates
from plait.evaluation.ranking.catalogue_metrics import history_popularity, item_statistics
from plait.evaluation.ranking.fitted_recipes import KeptFits
from plait.evaluation.ranking.fold_aggregation import EvalSet
from plait.evaluation.ranking.folds import Fold, make_folds
from plait.evaluation.ranking.fusion_rows import NO_ROWS, FusionOptions
from plait.evaluation.ranking.item_groups import group_summary
from plait.evaluation.ranking.own_metrics import OwnMetric
from plait.evaluation.ranking.product_targets import merge_variants
from plait.evaluation.ranking.query_metrics import ItemStatistics, Scorer
from plait.evaluation.results.data_warnings import sparse_tail_note
from plait.evaluation.slices import (
    group_slices,
    known_event_slices,
    known_events,
    target_slices,
    user_slices,
)
from plait.pipeline.fit_cache import FitCache
from plait.pipeline.fit_context import Callback, Tracker
from plait.pipeline.recipe import Recipe
from plait.ranking.item_variants import product_groups
from plait.splitting.own_split import OwnSplit
from plait.splitting.splits import Split
from plait.training.pipeline_fit import Progress
from plait.utils.no_op_callbacks import ignore

__all__ = ["EvalWindow", "RankingTask", "describe_data", "make_windows"]


@dataclass(frozen=True, slots=True, eq=False)
class RankingTask:
    """What all recipes of one evaluation have in common.

    Attributes:
        dataset: The whole data set.
        protocol: A resolved protocol that ranks.
        group: Field of items or users to report by, "" for none.
        seeds: Seeds of the fits.
        progress: Called with a description, the finished and the total number of steps.
        split: One's own split, which the protocol "split" measures.
        metrics: One's own metrics by name.
        fusion: Which rows of other fusions there are.
        trackers: Where training is recorded.
        callbacks: Called after each epoch of a training.
        run: The name of the run in trackers.
        cache: The fitted models that recipes share.
        fits: The fitted recipes, as far as they are kept.
    """

    dataset: Dataset
    protocol: Protocol
    group: str = ""
    seeds: tuple[int, ...] = (0,)
    progress: Progress = ignore
    split: OwnSplit | None = None
    metrics: Mapping[str, OwnMetric] = field(default_factory=dict)
    fusion: FusionOptions = NO_ROWS
    trackers: tuple[Tracker, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    run: str = ""
    cache: FitCache = field(default_factory=lambda: FitCache(()))
    fits: KeptFits = field(default_factory=KeptFits)


@dataclass(frozen=True, slots=True, eq=False)
class EvalWindow:
    """One test window of a task with its queries.

    Attributes:
        fold: Its splits.
        statistics: Item statistics of its training data.
        eval_set: Its queries and their slices.
        groups: The products of which a list has the best item; None: no groups.
    """

    fold: Fold
    statistics: ItemStatistics
    eval_set: EvalSet
    groups: ProductGroups | None

    def scorer(self, protocol: Protocol, split: Split) -> Scorer:
        """Return what computes the metrics of test queries.

        Args:
            protocol: The protocol, for its lengths of lists.
            split: The test split, or some of its queries, whose diversity is not computed.
        """
        statistics = self.statistics
        if split is not self.fold.test:
            statistics = replace(statistics, similarity=None)
        return Scorer(split, protocol.k, statistics, self.groups)


def make_windows(task: RankingTask, recipe: Recipe) -> list[EvalWindow]:
    """Split the data of a task into its test windows.

    Args:
        task: The task.
        recipe: The recipe, whose weights of event types decide what is in histories.

    Returns:
        The windows, oldest first.

    Raises:
        ProtocolError: If a window has no test queries.
    """
    protocol = task.protocol
    windows = []
    groups = product_groups(task.dataset.catalogue, protocol.group_by)
    folds = make_folds(task.dataset, protocol, recipe.event_weights, task.split)
    for number, split in enumerate(folds):
        test = merge_variants(split.test, groups)
        if protocol.n_sampled:
            test = with_sampled_candidates(test, protocol.n_sampled, protocol.seed)
        fold = split._replace(test=test)
        _require_queries(fold, task)
        statistics = item_statistics(test, protocol.goal)
        is_cold_users = protocol.name == "cold-users"
        slices = user_slices(test, known=protocol.name != "held-out-users" and not is_cold_users)
        if is_cold_users:
            slices = known_event_slices(test)
        slices |= group_slices(task.dataset, test.users, task.group)
        if fold.window:
            slices[f"window:{fold.window}"] = np.ones(len(test), np.bool_)
        eval_set = EvalSet(
            test.users,
            known_events(test) if is_cold_users else np.full(len(test), number, np.int64),
            test.targets.rows,
            slices,
            target_slices(test),
            history_popularity(test, statistics),
        )
        windows.append(EvalWindow(fold, statistics, eval_set, groups))
    return windows


def _require_queries(fold: Fold, task: RankingTask) -> None:
    """ProtocolError with the reason if a fold has no test queries."""
    if len(fold.test):
        return
    goal, tail_note, hint = list(task.protocol.goal), "", "ingest more events"
    reason = f"no user has three or more events of {goal}"
    if task.protocol.name == "split":
        reason, hint = f"test holds no event of {goal}", "name other target event types with goal"
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


def describe_data(
    task: RankingTask, windows: Sequence[EvalWindow], eval_set: EvalSet
) -> dict[str, Any]:
    """Count the data and the queries; training data are those of the last window.

    Args:
        task: The task.
        windows: Its windows, oldest first.
        eval_set: The queries of all windows.

    Returns:
        Counts by name, as JSON holds them.
    """
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
