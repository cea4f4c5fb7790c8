"""Metrics of all lists of a model together: coverage, Gini index, exposure by group of items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.data.array_types import BoolArray, Float64Array
from plait.data.dataset import ranking_target_mask
from plait.data.types import Dataset
from plait.evaluation.ranking.item_groups import item_groups
from plait.evaluation.ranking.list_diversity import item_similarity
from plait.evaluation.ranking.query_metrics import ItemStatistics, ModelResult
from plait.metrics.beyond_accuracy import coverage, gini, self_information
from plait.splitting.splits import Split

__all__ = [
    "add_catalogue_metrics",
    "history_popularity",
    "item_statistics",
]

SAMPLE = 2_000
"""Number of lists whose diversity is computed, evenly spaced by the first events of users."""


def item_statistics(split: Split, goal: tuple[str, ...]) -> ItemStatistics:
    """Compute the item statistics that beyond-accuracy metrics need.

    Args:
        split: The split; statistics come from its training data.
        goal: Target event types.

    Returns:
        The statistics.
    """
    train = split.train
    targets = train.interactions.take(ranking_target_mask(train, goal)).items
    counts = np.bincount(train.interactions.items, minlength=train.n_items)
    return ItemStatistics(
        self_information(targets, train.n_items),
        counts / max(int(counts.sum()), 1),
        item_similarity(split.query_time_data),
        _sampled_queries(split),
    )


def history_popularity(split: Split, statistics: ItemStatistics) -> Float64Array:
    """Compute the mean popularity of the items in each query's history.

    Args:
        split: The split with U queries.
        statistics: Popularity of the items.

    Returns:
        float64 [U], NaN for an empty history.
    """
    history = split.queries.history
    total = np.bincount(history.rows, statistics.popularity[history.items], len(split))
    with np.errstate(invalid="ignore"):
        mean: Float64Array = total / history.lengths
    return mean


def add_catalogue_metrics(rows: Sequence[ModelResult], dataset: Dataset, group: str) -> None:
    """Add coverage, Gini index and exposure by group to every row.

    Args:
        rows: The rows; their `catalogue_metrics` are filled.
        dataset: The data set with the items that may be recommended.
        group: Name of an item field, "" for no groups.
    """
    candidates, groups = dataset.catalogue.alive, item_groups(dataset, group)
    for row in rows:
        metrics = row.catalogue_metrics
        for k, exposure in row.exposure.items():
            metrics[f"coverage@{k}"] = coverage(row.absence[k], candidates)
            metrics[f"gini@{k}"] = gini(exposure[candidates])
            if total := float(exposure.sum()):
                for name, mask in groups.items():
                    metrics[f"exposure@{k}|{name}"] = float(exposure[mask].sum()) / total


def _sampled_queries(split: Split) -> BoolArray:
    """Bool [U]: queries evenly spaced by their users' first events, unaffected by renaming."""
    events = split.query_time_data.interactions
    first = np.full(split.query_time_data.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, events.users, events.offsets)
    order = np.lexsort((split.queries.times, first[split.users]))
    sampled = np.zeros(len(split), np.bool_)
    sampled[order[:: max(1, -(-len(split) // SAMPLE))]] = True
    return sampled
