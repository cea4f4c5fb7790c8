"""The slate: which candidates are shown, where, and how likely each was to stand there."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.data.types import ABSENT, BoolArray, CandidateLists, Float32Array, Int32Array, QueryBatch
from plait.pipeline.stage import NoConfig, Stage

__all__ = ["Policy"]


class Policy(Stage[NoConfig]):
    """Orders by `score`, without chance: pins first take their places, equals go by `tiebreak`.

    Leaves `order` int32 [B, K], 0 to k - 1 for what is shown and -1 for the rest, and `propensity`
    float32, the chance of an item to be shown where it is: 1. Candidates without a score (NaN) come
    behind all others.
    """

    reads = ("score",)
    writes = ("order", "propensity")

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Adds `order` and `propensity`."""
        present = items.present
        score = np.where(present, items.column("score"), np.float32(-np.inf))
        score = np.where(np.isnan(score), np.float32(-np.inf), score)
        order = _ordered(score, present, _ties(queries, items.item_numbers), queries.k)
        pinned = items.columns.get("pinned")
        if pinned is not None:
            held = (pinned >= 0) & (pinned < queries.k) & present
            for row in np.nonzero(held.any(axis=1))[0]:
                ties = _ties(queries, items.item_numbers[row])
                order[row] = _around(score[row], present[row], ties, pinned[row], queries.k)
        chance = (order >= 0).astype(np.float32)
        return items.with_columns(order=order, propensity=chance)


def _ties(queries: QueryBatch, numbers: Int32Array) -> Any:
    """uint64, the order among equals: a hash of the outside id, or the number without ids."""
    if queries.live is None:
        return numbers
    ties = queries.live.state.catalogue.tiebreak
    known = (numbers >= 0) & (numbers < len(ties))
    if not len(ties):
        return numbers
    return np.where(known, ties[np.where(known, numbers, 0)], np.uint64(2**64 - 1))


def _ordered(score: Float32Array, present: BoolArray, ties: Any, k: int) -> Int32Array:
    """int32 [B, K]: places 0 to k - 1. Only what may be among the k best is sorted at all."""
    order = np.full(score.shape, ABSENT, np.int32)
    width = score.shape[1]
    if not score.size or k < 1:
        return order
    if k < width:
        least = np.partition(score, width - k, axis=1)[:, width - k, None]
        present = present & (score >= least)
    rows, columns = np.nonzero(present)
    sorting = np.lexsort((ties[rows, columns], -score[rows, columns], rows))
    rows, columns = rows[sorting], columns[sorting]
    starts = np.searchsorted(rows, np.arange(len(score)))
    places = np.arange(len(rows)) - starts[rows]
    shown = places < k
    order[rows[shown], columns[shown]] = places[shown]
    return order


def _around(
    score: Float32Array, present: BoolArray, ties: Any, pinned: Int32Array, k: int
) -> Int32Array:
    """The order of one query, int32 [K]: pinned items at their places, the others around them.

    Two pins for one place: the better one keeps it, the other takes the next free one. A slate that
    is too short for a pin's place closes up.
    """
    width = len(score)
    ranking = np.lexsort((ties, -score, ~present))[: int(present.sum())]
    slots: dict[int, int] = {}
    for one in sorted(ranking[pinned[ranking] >= 0].tolist(), key=lambda one: pinned[one]):
        place = int(pinned[one])
        while place in slots:
            place += 1
        slots[place] = one
    taken = set(slots.values())
    rest = iter([one for one in ranking.tolist() if one not in taken])
    filled = [slots[place] if place in slots else next(rest, -1) for place in range(max(k, 0))]
    order = np.full(width, ABSENT, np.int32)
    shown = [one for one in filled if one >= 0]
    order[shown] = np.arange(len(shown))
    return order
