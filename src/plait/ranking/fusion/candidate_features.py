"""The inputs of a learned ranker: what models, user and item say of the best candidates.

Every input is comparable between queries and between two fits: scores are normalised within their
query, popularity is relative to the mean item. NaN says that something is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.query_batch import QueryBatch
from plait.ranking.fusion.item_statistics import ItemStatistics
from plait.utils.timestamps import DAY

__all__ = ["OF_EACH_MODEL", "BestCandidates", "candidate_features", "feature_names"]

OF_EACH_MODEL = ("score", "log_rank", "retrieved")
"""The features that each model has: the normalised score, the logarithm of its rank among all
candidates, and whether the model retrieved the candidate."""

_OF_CANDIDATE = (
    "sum",
    "sum_behind_first",
    "sum_rank",
    "retrieved_by",
    "best_log_rank",
    "mean_log_rank",
    "disagreement",
    "popularity",
    "trend",
    "days_since_first_event",
    "days_since_last_event",
    "popularity_beyond_history",
    "events_of_user",
)
_OF_QUERY = (
    "history_length",
    "history_popularity",
    "history_distinct",
    "days_since_history",
    "lead_of_first",
)

_TENTH = 9

_LOG_STEP = np.float32(0.25)
"""To what popularity and ages, which are logarithms, are rounded."""

_TREND_STEP = np.float32(0.1)
"""To what trends, which are shares, are rounded."""


@dataclass(frozen=True, slots=True, eq=False)
class BestCandidates:
    """The D candidates of each of B queries with the largest weighted sums, best first.

    Attributes:
        numbers: Item numbers, int32 [B, D], -1 pads.
        sums: The weighted sums of the scores, float32 [B, D]; NaN for padding.
        models: The names of the models.
        scores: The normalised scores of S models, float32 [S, B, D]; NaN where unknown.
        log_ranks: The logarithm of one plus the rank by each model's score, float32 [S, B, D]; NaN
            where unknown.
        retrieved: Whether each model retrieved the candidate, bool [S, B, D].
    """

    numbers: Int32Array
    sums: Float32Array
    models: tuple[str, ...]
    scores: Float32Array
    log_ranks: Float32Array
    retrieved: BoolArray

    @property
    def present(self) -> BoolArray:
        """Which candidates are no padding, bool [B, D]."""
        return np.isfinite(self.sums)


def feature_names(models: Sequence[str]) -> list[str]:
    """List the names of the features.

    Args:
        models: The names of the models that take part.

    Returns:
        One name for each feature, in order.
    """
    by_model = [f"{model}.{feature}" for feature in OF_EACH_MODEL for model in models]
    return [*by_model, *_OF_CANDIDATE, *_OF_QUERY]


def candidate_features(
    models: Sequence[str], best: BestCandidates, queries: QueryBatch, statistics: ItemStatistics
) -> Float32Array:
    """Compute the features of candidates.

    Args:
        models: The names of the models that take part; one without scores is unknown everywhere.
        best: The candidates.
        queries: Their B queries.
        statistics: What is known of the items.

    Returns:
        float32 [B, D, F], a feature for each of `feature_names`.
    """
    by_model = _aligned(models, best)
    with np.errstate(all="ignore"):
        features = [
            *by_model,
            *_agreement(best),
            *_items_and_pairs(best, queries, statistics),
            *_of_queries(best, queries, statistics),
        ]
    stacked = np.empty((*best.numbers.shape, len(features)), np.float32)
    for position, values in enumerate(features):
        stacked[..., position] = values
    return stacked


def _aligned(models: Sequence[str], best: BestCandidates) -> list[Float32Array]:
    """The arrays of `OF_EACH_MODEL` in the order of `models`."""
    unknown = np.full(best.numbers.shape, np.nan, np.float32)
    positions = {name: position for position, name in enumerate(best.models)}
    return [
        values[positions[name]].astype(np.float32) if name in positions else unknown
        for values in (best.scores, best.log_ranks, best.retrieved)
        for name in models
    ]


def _agreement(best: BestCandidates) -> list[Float32Array]:
    """How far the models agree on each candidate, and where the sum of their scores puts it."""
    known = np.isfinite(best.log_ranks)
    count = np.maximum(known.sum(axis=0), 1)
    ranks = np.where(known, best.log_ranks, 0)
    scores = np.nan_to_num(best.scores)
    lowest = np.where(known, best.log_ranks, np.inf).min(axis=0, initial=np.inf)
    return [
        best.sums,
        best.sums - best.sums[:, :1],
        np.log1p(np.arange(best.sums.shape[1], dtype=np.float32))[None, :],
        best.retrieved.sum(axis=0),
        np.where(np.isfinite(lowest), lowest, np.nan),
        np.where(known.any(axis=0), ranks.sum(axis=0) / count, np.nan),
        scores.std(axis=0) if len(scores) else np.zeros(best.sums.shape, np.float32),
    ]


def _items_and_pairs(
    best: BestCandidates, queries: QueryBatch, statistics: ItemStatistics
) -> list[Float32Array]:
    """What is known of each item, and of the user with this item."""
    items = statistics.of(best.numbers)
    today = np.minimum(queries.times / DAY, items.end_day).astype(np.float32)[:, None]
    usual = _history_means(queries, statistics)[:, None]
    return [
        _coarse(items.popularity, _LOG_STEP),
        _coarse(items.trend, _TREND_STEP),
        _coarse(np.log1p(np.maximum(today - items.first_day, 0)), _LOG_STEP),
        _coarse(np.log1p(np.maximum(today - items.last_day, 0)), _LOG_STEP),
        _coarse(items.popularity - usual, _LOG_STEP),
        _events_of_user(best.numbers, queries),
    ]


def _coarse(values: Float32Array, step: np.float32) -> Float32Array:
    """Values rounded, so that they tell items of a kind apart and not single items."""
    rounded: Float32Array = np.round(values / step) * step
    return rounded


def _of_queries(
    best: BestCandidates, queries: QueryBatch, statistics: ItemStatistics
) -> list[Float32Array]:
    """What is known of each user: length, popularity, diversity and age of the history."""
    history = queries.history
    lengths = history.lengths
    keys = np.unique(_pair_keys(history.rows, history.items))
    distinct = np.bincount(keys >> 32, minlength=len(history))
    last = np.full(len(history), np.nan)
    has_events = lengths > 0
    last[has_events] = history.times[history.offsets[1:][has_events] - 1] / DAY
    has_times = statistics.end_day > 0
    days = np.log1p(np.maximum(queries.times / DAY - last, 0))
    width = best.sums.shape[1]
    sums = np.nan_to_num(best.sums, nan=-np.inf)
    lead = sums[:, 0] - sums[:, min(_TENTH, width - 1)] if width else np.zeros(len(sums))
    columns = [
        np.log1p(lengths),
        _history_means(queries, statistics),
        np.where(has_events, distinct / np.maximum(lengths, 1), np.nan),
        days if has_times else np.full(len(history), np.nan),
        np.where(np.isfinite(lead), lead, np.nan),
    ]
    return [column[:, None] for column in columns]


def _history_means(queries: QueryBatch, statistics: ItemStatistics) -> Float32Array:
    """The mean popularity of the items of each history, float32 [B]; NaN without any."""
    popularity = statistics.of(queries.history.items).popularity
    known = np.isfinite(popularity)
    rows = queries.history.rows[known]
    counts = np.bincount(rows, minlength=len(queries))
    sums = np.bincount(rows, popularity[known], minlength=len(queries))
    means: Float32Array = np.where(counts > 0, sums / counts, np.nan).astype(np.float32)
    return means


def _events_of_user(numbers: Int32Array, queries: QueryBatch) -> Float32Array:
    """How many events of its history each candidate has, float32 [B, D]."""
    history = queries.history
    keys, counts = np.unique(_pair_keys(history.rows, history.items), return_counts=True)
    if not len(keys):
        return np.zeros(numbers.shape, np.float32)
    rows = np.arange(len(numbers))[:, None]
    candidate_keys = _pair_keys(rows, np.maximum(numbers, 0))
    positions = np.minimum(np.searchsorted(keys, candidate_keys), len(keys) - 1)
    return np.where(keys[positions] == candidate_keys, counts[positions], 0).astype(np.float32)


def _pair_keys(rows: Int64Array, items: Int32Array) -> Int64Array:
    """A key for each pair of a query and an item, int64."""
    return (rows.astype(np.int64) << 32) | items.astype(np.int64)
