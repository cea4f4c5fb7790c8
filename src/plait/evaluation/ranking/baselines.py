"""What every model must beat: popularity, lately and overall, and what the user took last.

Baselines are no stages: they see counts and histories only, so no recipe can spoil them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from plait.data.types import BoolArray, Dataset, Float32Array, Int32Array, Int64Array, QueryBatch
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.per_user import ItemStatistics, ModelResult, Scorer
from plait.splitting.eval_queries import target_mask
from plait.splitting.splits import DAY, Split

__all__ = ["baselines", "recent_counts"]

WINDOWS = (1, 3, 7, 14, 28, 56)
"""Windows that popular-recent chooses from: days, or each user's last events without times."""

SIZE = 512


class _Lists(NamedTuple):
    """Candidates int32 [B, C], scores and which count."""

    numbers: Int32Array
    scores: Float32Array
    valid: BoolArray


Lister = Callable[[QueryBatch], _Lists]


def baselines(
    protocol: Protocol, learn: Split, test: Split, scorer: Scorer
) -> tuple[list[ModelResult], int]:
    """The rows, and the window that popular-recent uses: the best on `learn`, never on `test`."""
    began = time.perf_counter()
    window = _best_window(protocol, learn)
    choosing = time.perf_counter() - began
    rows = []
    for name, length, chosen in (("popular-recent", window, choosing), ("popular-all", 0, 0.0)):
        began = time.perf_counter()
        counts = recent_counts(test.train, length, protocol.goal)
        spent = time.perf_counter() - began + chosen
        rows.append(_answered(name, spent, _popular(counts, test, protocol), test, scorer))
    if protocol.seen == "keep":
        rows.append(_answered("last-seen", 0.0, _last_seen(test), test, scorer))
    return rows, window


def recent_counts(train: Dataset, window: int, goal: tuple[str, ...]) -> Int64Array:
    """Goal events by item in the last `window` days, int64 [n_items]; 0: in all of them.

    Without times, in the last `window` events of each user.
    """
    found = train.interactions.take(target_mask(train, goal))
    items, times = found.items, found.times
    if window and len(items) and train.clock == "time":
        items = items[times > times.max() - window * DAY]
    elif window and len(items):
        ends = np.cumsum(np.bincount(found.users, minlength=train.n_users))
        items = items[np.arange(len(items)) >= ends[found.users] - window]
    return np.bincount(items, minlength=train.n_items)


def _best_window(protocol: Protocol, learn: Split) -> int:
    """The window with the best NDCG at the largest k on what the fusion learns from."""
    if not len(learn):
        return WINDOWS[-1]
    deepest = max(protocol.k)
    nothing = np.zeros(learn.train.n_items)
    scorer = Scorer(learn, (deepest,), ItemStatistics(nothing, nothing))
    worth = []
    for window in WINDOWS:
        counts = recent_counts(learn.train, window, protocol.goal)
        row = _answered("", 0.0, _popular(counts, learn, protocol), learn, scorer)
        worth.append(float(row.users[f"ndcg@{deepest}"].mean()))
    return WINDOWS[int(np.argmax(worth))]


def _answered(
    name: str, fitting: float, lister: Lister, split: Split, scorer: Scorer
) -> ModelResult:
    row = scorer.row(name, baseline=True)
    row.fit_seconds = fitting
    began = time.perf_counter()
    for start, piece in _batches(split):
        lists = lister(piece)
        asked = scorer.asked(start, lists.numbers)
        row.add(scorer.piece(asked, lists.scores, lists.valid))
    row.evaluate_seconds = time.perf_counter() - began
    return row.close()


def _batches(split: Split) -> Iterator[tuple[int, QueryBatch]]:
    return split.queries.batches(SIZE)


def _popular(counts: Int64Array, split: Split, protocol: Protocol) -> Lister:
    """The most popular candidates, less what the user has seen where the protocol says so."""
    worth = np.where(split.asked.catalogue.alive, counts, 0)
    order = np.argsort(-worth, kind="stable")
    order = order[: int((worth > 0).sum())].astype(np.int32)
    falling = worth[order]
    removes, depth = protocol.seen == "remove", max(protocol.k)

    def lists(queries: QueryBatch) -> _Lists:
        most = depth + (int(queries.seen.lengths.max(initial=0)) if removes else 0)
        if most < len(order):  # as far as the ties at the border reach
            most = int(np.searchsorted(-falling, -falling[most - 1], side="right"))
        shape = (len(queries), min(most, len(order)))
        numbers = np.broadcast_to(order[: shape[1]], shape).astype(np.int32)
        scores = np.broadcast_to(falling[: shape[1]].astype(np.float32), shape)
        valid = ~queries.seen.isin(numbers) if removes else np.ones(shape, np.bool_)
        return _Lists(numbers, scores, valid)

    return lists


def _last_seen(split: Split) -> Lister:
    """What the user took, the latest first; what was taken at one moment is tied."""
    width = split.train.n_items

    def lists(queries: QueryBatch) -> _Lists:
        history = queries.history
        keys = history.rows * width + history.items
        kept, back = np.unique(keys[::-1], return_index=True)
        place = len(keys) - 1 - back
        counts = np.bincount(kept // width, minlength=len(queries))
        starts = np.cumsum(counts) - counts
        column = np.arange(len(kept)) - np.repeat(starts, counts)
        shape = (len(queries), int(counts.max(initial=0)))
        numbers = np.full(shape, -1, np.int32)
        scores = np.full(shape, np.nan, np.float32)
        numbers[kept // width, column] = kept % width
        scores[kept // width, column] = -history.basket_age[place]
        return _Lists(numbers, scores, numbers >= 0)

    return lists
