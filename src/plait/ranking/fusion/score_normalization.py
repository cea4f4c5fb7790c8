"""Makes the scores of models comparable, query by query.

Within a query a score is stretched to 0 (the worst known candidate) .. 1 (the best), transformed,
and then normalised. Only the order and the distances within one query count, whatever units a model
scores in. On Amazon Beauty (leave-one-out, NDCG@10 at test) a learned sum of four models has .069
with the default (a logarithm with offset 1, then z-scores), .070 with z-scores alone, .068 with a
sharper logarithm (offset .3) and .060 with reciprocal ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int64Array

__all__ = [
    "Curve",
    "NormalizedScores",
    "Scale",
    "ScoreShape",
    "concat_signals",
    "dense_ranks",
    "normalize_scores",
    "reciprocal_ranks",
]

Curve = Literal["none", "log", "rank"]
Scale = Literal["none", "zscore", "minmax"]

_TINY = np.float32(1e-9)


@dataclass(frozen=True, slots=True)
class ScoreShape:
    """How scores are transformed and normalised.

    Attributes:
        transform: The transform.
        normalization: The normalisation after it.
        log_offset: What is added inside the logarithm to a score between 0 and 1.
    """

    transform: Curve = "log"
    normalization: Scale = "zscore"
    log_offset: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class NormalizedScores:
    """Comparable scores of one model, [B, K] and [B, 1], or of S models, [S, B, K] and [S, B, 1].

    Attributes:
        values: float32 [..., K]; 0 where unknown.
        unknown: Candidates that the model cannot score, bool [..., K].
        low: The smallest known value of each query, float32 [..., 1].
        mean: The mean of the known values, float32 [..., 1].
        spread: Their standard deviation, float32 [..., 1].
        active: Whether the model scores any candidate of the query, bool [..., 1].
    """

    values: Float32Array
    unknown: BoolArray
    low: Float32Array
    mean: Float32Array
    spread: Float32Array
    active: BoolArray

    def take(self, rows: int | slice | Int64Array) -> NormalizedScores:
        """The scores at positions along the first axis.

        Args:
            rows: One position, which removes the axis, or several.
        """
        return NormalizedScores(*(getattr(self, field.name)[rows] for field in fields(self)))

    def filled(self, use_minimum: BoolArray | bool, margin: Float32Array | float) -> Float32Array:
        """The values, with unknown ones below the mean or the minimum of the known ones.

        Args:
            use_minimum: Whether they lie below the minimum; one for all, or an array that
                broadcasts to `low`.
            margin: How many standard deviations below; one for all, or an array as above.

        Returns:
            float32, of the shape of `values`.
        """
        base = np.where(use_minimum, self.low, self.mean)
        fill = base - np.asarray(margin, np.float32) * np.maximum(self.spread, _TINY)
        return np.where(self.unknown, np.where(self.active, fill, 0), self.values)


def normalize_scores(
    scores: Float32Array, present: BoolArray, shape: ScoreShape, *, zero: BoolArray | bool = False
) -> NormalizedScores:
    """Make scores comparable.

    Args:
        scores: float32 [B, K], or [S, B, K] of several models; NaN where unknown.
        present: The candidates, bool [B, K]; the others are padding.
        shape: The transform and the normalisation.
        zero: Whether a missing score counts as the score 0 ("no interactions") where any other is
            known; one for all, or bool [S, 1, 1].

    Returns:
        Scores of the same shape.
    """
    known = present & np.isfinite(scores)
    active: BoolArray = np.asarray(known.any(axis=-1, keepdims=True))
    scores = np.where(known, scores, np.float32(0)).astype(np.float32, copy=False)
    if np.any(zero):
        known = np.where(zero, present & active, known)
    values = _transformed(scores, known, shape)
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1).astype(np.float32)
    mean = values.sum(axis=-1, keepdims=True, dtype=np.float64) / count
    offset = np.where(known, values - mean.astype(np.float32), np.float32(0))
    spread = np.sqrt(np.square(offset).sum(axis=-1, keepdims=True, dtype=np.float64) / count)
    low = np.min(values, axis=-1, keepdims=True, initial=np.inf, where=known)
    low = np.where(active, low, 0).astype(np.float32)
    unknown = present & ~known
    spread32, mean32 = spread.astype(np.float32), mean.astype(np.float32)
    if shape.normalization == "zscore":
        is_constant = spread32 <= 1e-6 * np.maximum(np.abs(mean32), 1)
        unit = np.where(is_constant, np.float32(np.inf), spread32).astype(np.float32)
        values, low = (offset / unit).astype(np.float32), (low - mean32) / unit
        mean32, spread32 = np.zeros_like(mean32), np.where(is_constant, 0, 1).astype(np.float32)
    return NormalizedScores(values, unknown, low, mean32, spread32, active)


def concat_signals(signals: Sequence[NormalizedScores]) -> NormalizedScores:
    """The scores of several groups of models as those of one.

    Args:
        signals: Scores of the shapes [S1, B, K], [S2, B, K], ...

    Returns:
        Scores of the shape [S1 + S2 + ..., B, K].
    """
    names = [field.name for field in fields(NormalizedScores)]
    return NormalizedScores(
        *(np.concatenate([getattr(signal, name) for signal in signals]) for name in names)
    )


def reciprocal_ranks(ranks: Float32Array, present: BoolArray, k: float) -> NormalizedScores:
    """Reciprocal ranks (Cormack, Clarke and Buettcher, SIGIR 2009), scaled so that the best has 1.

    Args:
        ranks: Ranks from 0, float32 [B, K] or [S, B, K]; NaN where there is none.
        present: The candidates, bool [B, K].
        k: The constant of the method.

    Returns:
        Scores of the shape of `ranks`: (k + 1) / (k + 1 + rank), 0 without a rank.
    """
    known = present & np.isfinite(ranks)
    values = np.where(known, np.float32(k + 1) / (np.float32(k + 1) + ranks), np.float32(0))
    active: BoolArray = np.asarray(known.any(axis=-1, keepdims=True))
    zeros = np.zeros(active.shape, np.float32)
    return NormalizedScores(
        values.astype(np.float32), present & ~known, zeros, zeros, zeros, active
    )


def dense_ranks(scores: Float32Array, known: BoolArray) -> Float32Array:
    """Ranks of scores, best first; tied scores have the best of their ranks.

    Args:
        scores: float32 [..., K].
        known: Which scores are ranked, bool [..., K].

    Returns:
        Ranks from 0, float32 [..., K]; NaN where not `known`.
    """
    from scipy.stats import rankdata  # takes most of a second to import

    order = rankdata(np.where(known, -scores, np.inf), method="min", axis=-1) - 1
    return np.where(known, order, np.nan).astype(np.float32)


def _transformed(scores: Float32Array, known: BoolArray, shape: ScoreShape) -> Float32Array:
    """The transformed scores, stretched to 0 .. 1 again for "minmax"; 0 where not known."""
    if shape.transform == "rank":
        values = -np.log1p(dense_ranks(scores, known))
    elif shape.transform == "log":
        values = np.log(_stretched(scores, known) + np.float32(shape.log_offset))
    else:
        values = scores
    if shape.normalization == "minmax":
        values = _stretched(values, known)
    return np.where(known, values, np.float32(0)).astype(np.float32, copy=False)


def _stretched(scores: Float32Array, known: BoolArray) -> Float32Array:
    """0 for the smallest known score of a query, 1 for the largest; 0 for all if they are equal."""
    if not scores.shape[-1]:
        return scores
    low = np.min(scores, axis=-1, keepdims=True, initial=np.inf, where=known)
    high = np.max(scores, axis=-1, keepdims=True, initial=-np.inf, where=known)
    span = np.where(high > low, high - low, np.float32(np.inf)).astype(np.float32)
    low = np.where(np.isfinite(low), low, 0).astype(np.float32)
    return np.where(known, (scores - low) / span, np.float32(0))
