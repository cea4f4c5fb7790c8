"""Fusion by ranks alone: what a rank of each model is worth under the methods that vote.

Each method turns ranks into points between 0 and 1; the fusion weighs and adds them. Borda counts
and majorities of ranked lists are those of Aslam and Montague (2001).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from plait.data.array_types import BoolArray, Float32Array
from plait.ranking.fusion.score_normalization import NormalizedScores, reciprocal_ranks

__all__ = ["RANK_METHODS", "RankMethod", "points_of_ranks"]

RankMethod = Literal["rrf", "borda", "majority"]
RANK_METHODS: tuple[str, ...] = get_args(RankMethod)

_TIE_WEIGHT = np.float32(0.01)
"""What the Borda count adds to a vote: it orders items with equal votes and outweighs none."""


def points_of_ranks(
    method: str, ranks: Float32Array, present: BoolArray, *, k: float, majority_ranks: int
) -> NormalizedScores:
    """Compute the points of candidates from their ranks.

    Args:
        method: One of `RANK_METHODS`. "rrf": (k + 1) / (k + 1 + rank). "borda": the share of the
            candidates that do not come before this one. "majority": 1 for the first
            `majority_ranks`, and a hundredth of the Borda count, which orders equal votes.
        ranks: Ranks from 0, float32 [B, K] or [S, B, K]; NaN where there is none.
        present: The candidates, bool [B, K].
        k: The constant of reciprocal rank fusion.
        majority_ranks: How many items each model votes for.

    Returns:
        Points of the shape of `ranks`, 0 without a rank.
    """
    if method == "rrf":
        return reciprocal_ranks(ranks, present, k)
    known = present & np.isfinite(ranks)
    rank = np.where(known, ranks, np.float32(0))
    count = np.maximum(present.sum(axis=-1, keepdims=True), 1).astype(np.float32)
    values = np.maximum(count - rank, 0) / count
    if method == "majority":
        values = (rank < majority_ranks) + _TIE_WEIGHT * values
    active: BoolArray = np.asarray(known.any(axis=-1, keepdims=True))
    zeros = np.zeros(active.shape, np.float32)
    points = np.where(known, values, 0).astype(np.float32)
    return NormalizedScores(points, present & ~known, zeros, zeros, zeros, active)
