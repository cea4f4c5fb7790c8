"""Metrics of one model for every query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from plait.data.array_types import (
    ABSENT,
    BoolArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
)
from plait.data.product_groups import ProductGroups
from plait.evaluation.ranking.list_diversity import ItemSimilarity, diversity
from plait.metrics.beyond_accuracy import (
    ExposureChances,
    add_absence,
    exposure_chances,
    mean_exposed_value,
)
from plait.metrics.ranking import target_gains, tied_targets, user_metrics
from plait.metrics.ties import TieGroups, tie_groups
from plait.ranking.item_variants import best_of_each_group
from plait.splitting.splits import Split

__all__ = [
    "LIFT",
    "POPULARITY",
    "BatchMetrics",
    "ItemStatistics",
    "ModelResult",
    "QueryOutcomes",
    "Scorer",
]

POPULARITY, LIFT = "popularity@", "popularity-lift@"
"""The metric of a list, and the metric of all users with a history that it becomes."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemStatistics:
    """Item statistics of the training data, for beyond-accuracy metrics.

    Attributes:
        surprises: float64 [n_items], each item's self-information; its mean is the novelty.
        popularity: float64 [n_items], the share of the events.
        similarity: Similarity of items, None to skip diversity.
        sampled: bool [U], the queries whose diversity is computed.
    """

    surprises: Float64Array
    popularity: Float64Array
    similarity: ItemSimilarity | None = None
    sampled: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class BatchMetrics:
    """Metrics of one model for a batch of B queries.

    Attributes:
        users: float64 [B] by metric.
        gains: Gains of the targets of these queries, float64 by metric.
        lists: float64 [B] by metric of the shown items, NaN where it is undefined.
        tied: float64 [B], number of targets whose membership in the list a tie decides.
        shown: Chances of items to be shown, by k.
        top_items: int32 [B, K], the list of each query to the largest k, padded with -1; items of
            equal score in the order of their candidates.
    """

    users: Mapping[str, Float64Array]
    gains: Mapping[str, Float64Array]
    lists: Mapping[str, Float64Array]
    tied: Float64Array
    shown: Mapping[int, ExposureChances]
    top_items: Int32Array


@dataclass(frozen=True, slots=True, eq=False)
class QueryOutcomes:
    """Candidates of a batch and the targets among them, common to all rows.

    Attributes:
        item_numbers: int32 [B, K], the candidates.
        target_index: int64 [B * K], the target that a candidate is, counted from the first target
            of the batch; -1 for other candidates.
        start: First query of the batch.
        stop: First query after the batch.
    """

    item_numbers: Int32Array
    target_index: Int64Array
    start: int
    stop: int


class Scorer:
    """Computes metrics from scored candidates, for one split.

    Args:
        split: The split with its targets.
        ks: Lengths of lists.
        statistics: Item statistics of the training data.
        groups: The products of which a list has the best item, and of which any item is a hit;
            None: every item stands for itself.
    """

    def __init__(
        self,
        split: Split,
        ks: Sequence[int],
        statistics: ItemStatistics,
        groups: ProductGroups | None = None,
    ) -> None:
        self._targets = split.targets
        self._ks = tuple(ks)
        self._statistics = statistics
        self._groups = groups

    def new_result(self, model: str, *, baseline: bool = False) -> ModelResult:
        """Create an empty result.

        Args:
            model: Name of the model.
            baseline: Whether it is a baseline.

        Returns:
            A result to add batches to.
        """
        size = len(self._statistics.surprises)
        return ModelResult(
            model,
            baseline,
            absence={k: np.zeros(size) for k in self._ks},
            exposure={k: np.zeros(size) for k in self._ks},
        )

    def match_targets(self, start: int, item_numbers: Int32Array) -> QueryOutcomes:
        """Find the targets among candidates.

        Args:
            start: First query of the batch.
            item_numbers: int32 [B, K], candidates of the queries from `start` on.

        Returns:
            The candidates with their targets.
        """
        stop = start + len(item_numbers)
        targets, candidates = self._targets.slice(start, stop), item_numbers
        if self._groups is not None:
            targets = replace(targets, values=self._groups.of_items(targets.values))
            candidates = self._groups.of_items(item_numbers)
        cells = np.flatnonzero(targets.isin(candidates))
        width = int(targets.values.max(initial=0)) + 1
        target_keys = targets.rows * width + targets.values
        order = np.argsort(target_keys)
        keys = cells // max(candidates.shape[1], 1) * width + candidates.ravel()[cells]
        target_index = np.full(item_numbers.size, -1, np.int64)
        target_index[cells] = order[np.searchsorted(target_keys, keys, sorter=order)]
        return QueryOutcomes(item_numbers, target_index, start, stop)

    def batch_metrics(
        self, outcomes: QueryOutcomes, scores: Float32Array, valid: BoolArray
    ) -> BatchMetrics:
        """Compute the metrics of one batch.

        Args:
            outcomes: Candidates and their targets.
            scores: float32 [B, K], scores of the candidates.
            valid: bool [B, K], the candidates that are in the list.

        Returns:
            The metrics.
        """
        ks = self._ks
        if self._groups is not None:
            item_numbers = outcomes.item_numbers
            merits = (np.where(np.isnan(scores), np.float32(-np.inf), scores),)
            products = self._groups.of_items(item_numbers)
            valid = best_of_each_group(products, merits, valid, item_numbers)
        groups = tie_groups(scores, valid, max(ks))
        target_index = outcomes.target_index[groups.cells]
        is_hit = target_index >= 0
        hits = np.bincount(groups.members[is_hit], minlength=len(groups.rows))
        targets = self._targets.slice(outcomes.start, outcomes.stop)
        gains = {}
        for name, values in target_gains(groups, groups.members[is_hit], ks).items():
            gains[name] = np.zeros(len(targets.values))
            gains[name][target_index[is_hit]] = values
        shown = {k: exposure_chances(groups, outcomes.item_numbers, k) for k in ks}
        return BatchMetrics(
            user_metrics(groups, hits, targets.lengths, ks),
            gains,
            self._list_metrics(outcomes, shown, len(valid)),
            tied_targets(groups, hits, max(ks)),
            shown,
            _top_items(groups, outcomes.item_numbers, max(ks)),
        )

    def _list_metrics(
        self, outcomes: QueryOutcomes, shown: Mapping[int, ExposureChances], batch: int
    ) -> dict[str, Float64Array]:
        """Novelty, popularity and diversity of the shown items, float64 [batch] each."""
        statistics, deepest = self._statistics, max(self._ks)
        metrics: dict[str, Float64Array] = {}
        for k, chances in shown.items():
            metrics[f"novelty@{k}"] = mean_exposed_value(chances, statistics.surprises, batch)
            metrics[f"{POPULARITY}{k}"] = mean_exposed_value(chances, statistics.popularity, batch)
        if statistics.similarity is not None and deepest > 1:
            sampled = np.flatnonzero(statistics.sampled[outcomes.start : outcomes.stop])
            lists = _select_lists(shown[deepest], sampled, batch)
            values = np.full(batch, np.nan)
            values[sampled] = diversity(lists, statistics.similarity, len(sampled))
            metrics[f"diversity@{deepest}"] = values
        return metrics


def _top_items(groups: TieGroups, item_numbers: Int32Array, depth: int) -> Int32Array:
    """int32 [B, depth]: the first items of each list, -1 where a list ends."""
    lists = np.full((len(item_numbers), depth), ABSENT, np.int32)
    rows = groups.rows[groups.members]
    ranks = np.arange(len(rows)) - np.searchsorted(rows, rows)
    is_shown = ranks < depth
    cells = groups.cells[is_shown]
    lists[rows[is_shown], ranks[is_shown]] = item_numbers.ravel()[cells]
    return lists


def _select_lists(shown: ExposureChances, rows: Int64Array, batch: int) -> ExposureChances:
    """The chances in the lists `rows`, renumbered from 0."""
    new_row = np.full(batch, -1, np.int64)
    new_row[rows] = np.arange(len(rows))
    mask = new_row[shown.rows] >= 0
    return ExposureChances(new_row[shown.rows[mask]], shown.items[mask], shown.chances[mask])


@dataclass(slots=True, eq=False)
class ModelResult:
    """Metrics of one model for U queries with T targets, and its costs.

    The per-query metrics are complete once `close` was called.

    Attributes:
        model: Name of the row.
        baseline: Whether it is a baseline.
        fit_seconds: Seconds to fit.
        evaluate_seconds: Seconds to answer all queries.
        peak_mb: Peak memory in MB.
        absence: float64 [n_items] by k, log of the chance to be in no list.
        exposure: float64 [n_items] by k, expected number of lists that hold the item.
        user_metrics: float64 [U] by metric.
        target_gains: float64 [T] by metric.
        list_metrics: float64 [U] by metric of the shown items, NaN where undefined.
        tied: float64 [U], number of targets that a tie decides.
        catalogue_metrics: Metrics of all lists together.
        spread: Standard deviation between seeds by metric.
        top_items: int32 [U, K], the lists, padded with -1; of several seeds those of the first.
    """

    model: str
    baseline: bool = False
    fit_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    peak_mb: float = 0.0
    absence: dict[int, Float64Array] = field(default_factory=dict)
    exposure: dict[int, Float64Array] = field(default_factory=dict)
    user_metrics: dict[str, Float64Array] = field(default_factory=dict)
    target_gains: dict[str, Float64Array] = field(default_factory=dict)
    list_metrics: dict[str, Float64Array] = field(default_factory=dict)
    tied: Float64Array = field(default_factory=lambda: np.zeros(0))
    catalogue_metrics: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    top_items: Int32Array = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    _batches: list[BatchMetrics] = field(default_factory=list)

    def add(self, batch: BatchMetrics) -> None:
        """Add a batch; batches come in the order of the queries.

        Args:
            batch: Metrics of the next queries.
        """
        for k, shown in batch.shown.items():
            add_absence(self.absence[k], shown)
            np.add.at(self.exposure[k], shown.items, shown.chances)
        self._batches.append(replace(batch, shown={}))

    def close(self) -> ModelResult:
        """Concatenate the batches; nothing is added afterwards.

        Returns:
            This result.
        """
        self.user_metrics = _concat([batch.users for batch in self._batches])
        self.target_gains = _concat([batch.gains for batch in self._batches])
        self.list_metrics = _concat([batch.lists for batch in self._batches])
        self.tied = np.concatenate([batch.tied for batch in self._batches])
        self.top_items = np.concatenate([batch.top_items for batch in self._batches])
        self._batches.clear()
        return self


def _concat(batches: Sequence[Mapping[str, Float64Array]]) -> dict[str, Float64Array]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
