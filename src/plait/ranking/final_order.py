"""Selects the slate: which candidates are shown, at which rank, with which probability."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.data.types import ABSENT, BoolArray, CandidateLists, Float32Array, Int32Array, QueryBatch
from plait.pipeline.candidate_union import COMPANIONS, SHOWN
from plait.pipeline.stage import NoConfig, Stage
from plait.ranking.boost_and_bury import requested_order
from plait.ranking.item_variants import VARIANT, shown_variants

__all__ = ["Policy"]


class Policy(Stage[NoConfig]):
    """Ranks by `score`, deterministically: pins have their ranks, companions and boosted items
    those of `plait.ranking.boost_and_bury`, ties are broken by `tiebreak`.

    An item that is pinned behind the list stays behind all others, until a later response reaches
    its rank. Scores fall where companions come first: the score of an item is then at least that
    of the items behind it.

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
        score, ties = _merits(queries, items, present)
        if queries.groups is not None:
            chosen = shown_variants(queries, items, score, ties)
            items = items.mark_removed(present & ~chosen, VARIANT)
            present = chosen
            score, ties = _merits(queries, items, present)
        order = _ranked(score, present, ties, queries.k)
        pinned = items.columns.get("pinned")
        if pinned is not None:
            is_pinned = (pinned >= 0) & present
            for row in np.nonzero(is_pinned.any(axis=1))[0]:
                order[row] = _with_pins(score[row], present[row], ties[row], pinned[row], queries.k)
        if queries.companions is not None:
            own_score, has_companions = items.column("score"), queries.companions.lengths > 0
            falling = _falling_scores(own_score, order)
            items = items.with_columns(score=np.where(has_companions[:, None], falling, own_score))
        return items.with_columns(order=order, propensity=(order >= 0).astype(np.float32))


def _merits(queries: QueryBatch, items: CandidateLists, present: BoolArray) -> tuple[Any, Any]:
    """What candidates are ranked by: a score [B, K], larger first, and ties, smaller first."""
    shown = items.columns.get(f"{SHOWN}.rank")
    has_place = present if shown is None else present | (shown >= 0)
    score: Any = np.where(has_place, items.columns["score"], np.float32(-np.inf))
    score = np.where(np.isnan(score), np.float32(-np.inf), score)
    ties = _ties(queries, items.item_numbers)
    boost = items.columns.get("boost")
    companions = items.columns.get(f"{COMPANIONS}.rank")
    if boost is None and companions is None:
        return score, ties
    return requested_order(score, ties, boost, companions, present, has_place)


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

    Of two pins with one rank the better one keeps it, and the other takes the next free one. Pins
    behind the slate come last. A slate that is too short for the rank of a pin has no gaps.
    """
    ranking = np.lexsort((ties, -score, ~present))[: int(present.sum())]
    slots: dict[int, int] = {}
    pins = ranking[pinned[ranking] >= 0].tolist()
    for column in sorted(pins, key=lambda column: pinned[column]):
        rank = int(pinned[column])
        while rank in slots:
            rank += 1
        slots[rank] = column
    late = [slots[rank] for rank in sorted(slots) if rank >= k]
    others = iter([column for column in ranking.tolist() if pinned[column] < 0])
    columns = [slots[rank] if rank in slots else next(others, -1) for rank in range(max(k, 0))]
    shown = [column for column in (*columns, *late) if column >= 0][: max(k, 0)]
    order = np.full(len(score), ABSENT, np.int32)
    order[shown] = np.arange(len(shown))
    return order


def _falling_scores(score: Float32Array, order: Int32Array) -> Float32Array:
    """The scores [B, K] in which that of a shown item is at least that of any item behind it."""
    rows, columns = np.nonzero(order >= 0)
    by_rank = np.full(score.shape, np.nan, score.dtype)
    by_rank[rows, order[rows, columns]] = score[rows, columns]
    largest_behind = np.fmax.accumulate(by_rank[:, ::-1], axis=1)[:, ::-1]
    falling: Float32Array = score.copy()
    falling[rows, columns] = largest_behind[rows, order[rows, columns]]
    return falling
