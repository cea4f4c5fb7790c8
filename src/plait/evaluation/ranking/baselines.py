"""Baselines that every model must beat: popularity, recent and overall, and the last items.

They are not stages: they see counts and histories only, so that no recipe affects them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.dataset import ranking_target_mask
from plait.data.types import Dataset, QueryBatch
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.query_metrics import ItemStatistics, ModelResult, Scorer
from plait.ranking.item_variants import product_groups
from plait.splitting.splits import Split
from plait.utils.timestamps import DAY

__all__ = ["baselines", "recent_counts"]

WINDOWS = (1, 3, 7, 14, 28, 56)
"""Windows that popular-recent chooses from: days, or each user's last events without times."""

BATCH_SIZE = 512


class _RankedLists(NamedTuple):
    """Candidates int32 [B, C], their scores, and which of them are in the list."""

    item_numbers: Int32Array
    scores: Float32Array
    valid: BoolArray


_Ranker = Callable[[QueryBatch], _RankedLists]


def baselines(
    protocol: Protocol, learn: Split, test: Split, scorer: Scorer
) -> tuple[list[ModelResult], int]:
    """Evaluate the baselines.

    Args:
        protocol: A resolved protocol that ranks.
        learn: The validation split, on which the window of popular-recent is chosen.
        test: The test split.
        scorer: Computes the metrics of `test`.

    Returns:
        The rows, and the chosen window.
    """
    began = time.perf_counter()
    window = _best_window(protocol, learn)
    choosing = time.perf_counter() - began
    rows = []
    for name, length, setup in (("popular-recent", window, choosing), ("popular-all", 0, 0.0)):
        began = time.perf_counter()
        counts = recent_counts(test.train, length, protocol.goal)
        seconds = setup + time.perf_counter() - began
        rows.append(_evaluate(name, seconds, _by_popularity(counts, test, protocol), test, scorer))
    if protocol.seen == "keep":
        rows.append(_evaluate("last-seen", 0.0, _by_recency(test), test, scorer))
    return rows, window


def recent_counts(train: Dataset, window: int, goal: tuple[str, ...]) -> Int64Array:
    """Count recent target events by item.

    Args:
        train: The training data.
        window: Number of days, or of each user's last events without times; 0 counts all.
        goal: Target event types.

    Returns:
        int64 [n_items].
    """
    events = train.interactions.take(ranking_target_mask(train, goal))
    items, times = events.items, events.times
    if window and len(items) and train.clock == "time":
        items = items[times > times.max() - window * DAY]
    elif window and len(items):
        ends = np.cumsum(np.bincount(events.users, minlength=train.n_users))
        items = items[np.arange(len(items)) >= ends[events.users] - window]
    return np.bincount(items, minlength=train.n_items)


def _best_window(protocol: Protocol, learn: Split) -> int:
    """The window with the best NDCG at the largest k on the validation split."""
    if not len(learn):
        return WINDOWS[-1]
    deepest = max(protocol.k)
    zeros = np.zeros(learn.train.n_items)
    scorer = Scorer(learn, (deepest,), ItemStatistics(zeros, zeros))
    scores = []
    for window in WINDOWS:
        counts = recent_counts(learn.train, window, protocol.goal)
        row = _evaluate("", 0.0, _by_popularity(counts, learn, protocol), learn, scorer)
        scores.append(float(row.user_metrics[f"ndcg@{deepest}"].mean()))
    return WINDOWS[int(np.argmax(scores))]


def _evaluate(
    name: str, fit_seconds: float, rank: _Ranker, split: Split, scorer: Scorer
) -> ModelResult:
    """The result of one baseline."""
    row = scorer.new_result(name, baseline=True)
    row.fit_seconds = fit_seconds
    began = time.perf_counter()
    for start, batch in split.queries.batches(BATCH_SIZE):
        lists = rank(batch)
        if batch.candidates is not None:
            is_candidate = batch.candidates.isin(lists.item_numbers)
            lists = lists._replace(valid=lists.valid & is_candidate)
        outcomes = scorer.match_targets(start, lists.item_numbers)
        row.add(scorer.batch_metrics(outcomes, lists.scores, lists.valid))
    row.evaluate_seconds = time.perf_counter() - began
    return row.close()


def _by_popularity(counts: Int64Array, split: Split, protocol: Protocol) -> _Ranker:
    """Ranks the most popular candidates, without seen ones where the protocol removes them."""
    counts = np.where(split.query_time_data.catalogue.alive, counts, 0)
    order = np.argsort(-counts, kind="stable")
    order = order[: int((counts > 0).sum())].astype(np.int32)
    falling = counts[order]
    removes, depth = protocol.seen == "remove", max(protocol.k)
    groups = product_groups(split.query_time_data.catalogue, protocol.group_by)
    if groups is not None:  # the list is as long as before when one item of each group is left
        depth *= groups.largest

    def rank(queries: QueryBatch) -> _RankedLists:
        if queries.candidates is not None:
            drawn = queries.candidates.to_padded()
            return _RankedLists(drawn, counts[drawn].astype(np.float32), drawn >= 0)
        size = depth + (int(queries.seen.lengths.max(initial=0)) if removes else 0)
        if size < len(order):  # extended to the end of the tie at the border
            size = int(np.searchsorted(-falling, -falling[size - 1], side="right"))
        shape = (len(queries), min(size, len(order)))
        item_numbers = np.broadcast_to(order[: shape[1]], shape).astype(np.int32)
        scores = np.broadcast_to(falling[: shape[1]].astype(np.float32), shape)
        valid = ~queries.seen.isin(item_numbers) if removes else np.ones(shape, np.bool_)
        return _RankedLists(item_numbers, scores, valid)

    return rank


def _by_recency(split: Split) -> _Ranker:
    """Ranks the items of the history, the latest first; items of the same basket are tied."""
    width = split.train.n_items
    catalogued = split.query_time_data.catalogue.catalogued()

    def rank(queries: QueryBatch) -> _RankedLists:
        history = queries.history
        keys = history.rows * width + history.items
        distinct, from_end = np.unique(keys[::-1], return_index=True)
        events = len(keys) - 1 - from_end
        counts = np.bincount(distinct // width, minlength=len(queries))
        starts = np.cumsum(counts) - counts
        columns = np.arange(len(distinct)) - np.repeat(starts, counts)
        shape = (len(queries), int(counts.max(initial=0)))
        item_numbers = np.full(shape, -1, np.int32)
        scores = np.full(shape, np.nan, np.float32)
        item_numbers[distinct // width, columns] = distinct % width
        scores[distinct // width, columns] = -history.basket_age[events]
        valid = item_numbers >= 0
        return _RankedLists(
            item_numbers, scores, valid if catalogued is None else valid & catalogued[item_numbers]
        )

    return rank
