"""Selects the slate: which candidates are shown, at which rank, with which probability."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.data.types import ABSENT, BoolArray, CandidateLists, Float32Array, Int32Array, QueryBatch
from plait.pipeline.candidate_union import COMPANIONS
from plait.pipeline.stage import NoConfig, Stage
from plait.ranking.item_variants import shown_variants
from plait.ranking.requested_order import requested_order

__all__ = ["Policy"]


class Policy(Stage[NoConfig]):
    """Ranks by `score`, deterministically: pins have their ranks, companions and boosted items
    those of `plait.ranking.requested_order`, ties are broken by `tiebreak`.

    Writes `order` int32 [B, K], the rank from 0 of a shown candidate and -1 for others, and
    `propensity` float32 [B, K], the probability that an item is shown at its rank: 1. Candidates
    without a score (NaN) come last. Where the rules have set `queries.groups`, the best item of
    each group stays, of those in stock if there are any; the others are marked "variant".
    """

    reads = ("score",)
    writes = ("order", "propensity")

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Add `order` and `propensity`.

        Args:
            queries: B queries.
            items: Their candidates, with `score`.
        """
        present = items.present
        score: Any = np.where(present, items.column("score"), np.float32(-np.inf))
        score = np.where(np.isnan(score), np.float32(-np.inf), score)
        ties = _ties(queries, items.item_numbers)
        boost = items.columns.get("boost")
        companions = items.columns.get(f"{COMPANIONS}.rank")
        if boost is not None or companions is not None:
            score, ties = requested_order(score, ties, boost, companions, present)
        if queries.groups is not None:
            chosen = shown_variants(queries, items, score, ties)
            items = items.mark_removed(present & ~chosen, "variant")
            present, score = chosen, np.where(chosen, score, np.float32(-np.inf))
        order = _ranked(score, present, ties, queries.k)
        pinned = items.columns.get("pinned")
        if pinned is not None:
            is_pinned = (pinned >= 0) & (pinned < queries.k) & present
            for row in np.nonzero(is_pinned.any(axis=1))[0]:
                order[row] = _with_pins(score[row], present[row], ties[row], pinned[row], queries.k)
        return items.with_columns(order=order, propensity=(order >= 0).astype(np.float32))


def _ties(queries: QueryBatch, numbers: Int32Array) -> Any:
    """The order of tied candidates: a hash of the external id, or the number without ids."""
    if queries.live is None:
        return numbers
    ties = queries.live.state.catalogue.tiebreak
    known = (numbers >= 0) & (numbers < len(ties))
    if not len(ties):
        return numbers
    return np.where(known, ties[np.where(known, numbers, 0)], np.uint64(2**64 - 1))


def _ranked(score: Float32Array, present: BoolArray, ties: Any, k: int) -> Int32Array:
    """Ranks 0 to k - 1, int32 [B, K]; only candidates that can be among the k best are sorted."""
    order = np.full(score.shape, ABSENT, np.int32)
    width = score.shape[1]
    if not score.size or k < 1:
        return order
    if k < width:
        smallest = np.partition(score, width - k, axis=1)[:, width - k, None]
        present = present & (score >= smallest)
    rows, columns = np.nonzero(present)
    sorting = np.lexsort((ties[rows, columns], -score[rows, columns], rows))
    rows, columns = rows[sorting], columns[sorting]
    starts = np.searchsorted(rows, np.arange(len(score)))
    ranks = np.arange(len(rows)) - starts[rows]
    is_shown = ranks < k
    order[rows[is_shown], columns[is_shown]] = ranks[is_shown]
    return order


def _with_pins(
    score: Float32Array, present: BoolArray, ties: Any, pinned: Int32Array, k: int
) -> Int32Array:
    """The ranks of one query, int32 [K]: pinned items at theirs, the others around them.

    Of two pins with one rank the better one keeps it, and the other takes the next free one. A
    slate that is too short for the rank of a pin has no gaps.
    """
    ranking = np.lexsort((ties, -score, ~present))[: int(present.sum())]
    slots: dict[int, int] = {}
    pins = ranking[pinned[ranking] >= 0].tolist()
    for column in sorted(pins, key=lambda column: pinned[column]):
        rank = int(pinned[column])
        while rank in slots:
            rank += 1
        slots[rank] = column
    in_slots = set(slots.values())
    others = iter([column for column in ranking.tolist() if column not in in_slots])
    columns = [slots[rank] if rank in slots else next(others, -1) for rank in range(max(k, 0))]
    shown = [column for column in columns if column >= 0]
    order = np.full(len(score), ABSENT, np.int32)
    order[shown] = np.arange(len(shown))
    return order
