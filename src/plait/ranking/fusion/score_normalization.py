"""Makes the scores of strands comparable: every strand's on one scale, query by query.

Within a query a score is first stretched to 0 (the worst candidate known) .. 1 (the best), bent by
`curve`, and then standardised by `scale`. So only the order and the gaps within one query count,
whatever units a strand scores in. On Amazon Beauty (leave-one-out, NDCG@10 at test) a learned sum
of four strands has .069 with the default, a soft logarithm and then z-scores, .070 with z-scores
alone, .068 with a sharper logarithm (softness .3) and .060 with reciprocal ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from plait.data.types import BoolArray, Float32Array, Int64Array

__all__ = [
    "Curve",
    "Missing",
    "NormalizedScores",
    "Scale",
    "ScoreShape",
    "concat_signals",
    "normalize_scores",
    "reciprocal_ranks",
]

Curve = Literal["none", "log", "rank"]
Scale = Literal["none", "zscore", "minmax"]
Missing = Literal["learned", "mean", "minimum", "zero"]


@dataclass(frozen=True, slots=True)
class ScoreShape:
    """How scores are bent (`curve`, with `softness` added inside the logarithm) and scaled."""

    curve: Curve = "log"
    scale: Scale = "zscore"
    softness: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class NormalizedScores:
    """One strand made comparable, float32 [B, K] and [B, 1].

    `values`: 0 where unknown. `unknown`: bool [B, K], candidates that the strand cannot know.
    `low`, `mean`, `spread`: least value, mean and standard deviation of the known ones by query.
    `active`: bool [B, 1], whether the strand knows anything of the query.
    """

    values: Float32Array
    unknown: BoolArray
    low: Float32Array
    mean: Float32Array
    spread: Float32Array
    active: BoolArray

    def take(self, rows: slice | Int64Array) -> NormalizedScores:
        """The queries `rows`."""
        return NormalizedScores(
            self.values[rows],
            self.unknown[rows],
            self.low[rows],
            self.mean[rows],
            self.spread[rows],
            self.active[rows],
        )

    def filled(self, lowest: BoolArray | bool, margin: Float32Array | float) -> Float32Array:
        """The values, with what an unknown candidate is worth: `margin` deviations below the mean.

        Below the least value instead where `lowest`. Both are one for all, or [B, 1].
        """
        base = np.where(lowest, self.low, self.mean)
        worth = base - np.asarray(margin, np.float32) * np.maximum(self.spread, _TINY)
        return np.where(self.unknown, np.where(self.active, worth, 0), self.values)


_TINY = np.float32(1e-9)


def normalize_scores(
    scores: Float32Array, there: BoolArray, shape: ScoreShape, *, zero: BoolArray | bool = False
) -> NormalizedScores:
    """The scores float32 [B, K] of one strand at the candidates `there` bool [B, K].

    `zero`: a missing score stands for the score 0 ("nobody took it"), where anything is known; one
    for all or bool [B, 1].
    """
    known = there & np.isfinite(scores)
    active: BoolArray = np.asarray(known.any(axis=1, keepdims=True))
    scores = np.where(known, scores, np.float32(0)).astype(np.float32, copy=False)
    if np.any(zero):
        known = np.where(zero, there & active, known)
    bent = _bent(scores, known, shape)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1).astype(np.float32)
    mean = bent.sum(axis=1, keepdims=True, dtype=np.float64) / count
    offset = np.where(known, bent - mean.astype(np.float32), np.float32(0))
    spread = np.sqrt(np.square(offset).sum(axis=1, keepdims=True, dtype=np.float64) / count)
    low = np.min(bent, axis=1, keepdims=True, initial=np.inf, where=known)
    low = np.where(active, low, 0).astype(np.float32)
    unknown = there & ~known
    wide, middle = spread.astype(np.float32), mean.astype(np.float32)
    if shape.scale == "zscore":
        steady = wide <= 1e-6 * np.maximum(np.abs(middle), 1)
        unit = np.where(steady, np.float32(np.inf), wide).astype(np.float32)
        low = (low - middle) / unit
        one = np.where(steady, 0, 1).astype(np.float32)
        return NormalizedScores(
            (offset / unit).astype(np.float32), unknown, low, np.zeros_like(middle), one, active
        )
    return NormalizedScores(bent, unknown, low, middle, wide, active)


def concat_signals(parts: Sequence[NormalizedScores]) -> NormalizedScores:
    """Several signals over the same candidates as one, their rows one below the other."""
    names = [one.name for one in fields(NormalizedScores)]
    return NormalizedScores(
        *(np.concatenate([getattr(one, name) for one in parts]) for name in names)
    )


def reciprocal_ranks(ranks: Float32Array, there: BoolArray, k: float) -> NormalizedScores:
    """Reciprocal ranks (Cormack, Clarke & Buettcher, SIGIR 2009) of ranks from 0, NaN: none.

    Scaled so that the first of a list has 1: (k + 1) / (k + 1 + rank).
    """
    known = there & np.isfinite(ranks)
    values = np.where(known, np.float32(k + 1) / (np.float32(k + 1) + ranks), np.float32(0))
    nothing = np.zeros((len(values), 1), np.float32)
    active: BoolArray = np.asarray(known.any(axis=1, keepdims=True))
    return NormalizedScores(
        values.astype(np.float32), there & ~known, nothing, nothing, nothing, active
    )


def dense_ranks(scores: Float32Array, known: BoolArray) -> Float32Array:
    """Ranks from 0, best first and the best one for equals; NaN where not `known`."""
    order = rankdata(np.where(known, -scores, np.inf), method="min", axis=1) - 1
    return np.where(known, order, np.nan).astype(np.float32)


def _bent(scores: Float32Array, known: BoolArray, shape: ScoreShape) -> Float32Array:
    """The curve and, for "minmax", the scale; 0 where not known."""
    if shape.curve == "rank":
        bent = -np.log1p(dense_ranks(scores, known))
    elif shape.curve == "log":
        bent = np.log(_ratio(scores, known) + np.float32(shape.softness))
    else:
        bent = scores
    if shape.scale == "minmax":
        bent = _ratio(bent, known)
    return np.where(known, bent, np.float32(0)).astype(np.float32, copy=False)


def _ratio(scores: Float32Array, known: BoolArray) -> Float32Array:
    """0 for the least known score of a query, 1 for the largest; 0 for all if they are equal."""
    if not scores.shape[1]:
        return scores
    low = np.min(scores, axis=1, keepdims=True, initial=np.inf, where=known)
    high = np.max(scores, axis=1, keepdims=True, initial=-np.inf, where=known)
    span = np.where(high > low, high - low, np.float32(np.inf)).astype(np.float32)
    low = np.where(np.isfinite(low), low, 0).astype(np.float32)
    return np.where(known, (scores - low) / span, np.float32(0))
