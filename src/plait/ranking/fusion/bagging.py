"""Weights that are the mean of those of several draws of queries (Breiman, 1996)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.array_types import Float32Array
from plait.ranking.fusion.band_weights import FusionCandidates, FusionWeights, learn_band_weights
from plait.ranking.fusion.config import FuseConfig

__all__ = ["learn_bagged_weights"]


def learn_bagged_weights(config: FuseConfig, candidates: FusionCandidates) -> FusionWeights | None:
    """Learn weights on several draws of half of the queries, and take their mean.

    Half of the queries without replacement vary as much as all of them with replacement, and are
    learned from in half of the time.

    Args:
        config: The settings of the fusion; `bags` says how many draws there are.
        candidates: Training queries; each has at least one relevant candidate.

    Returns:
        The weights, with the bands that all queries have; None if there is nothing to learn from.
    """
    whole = learn_band_weights(config, candidates)
    count = len(candidates.lengths)
    if whole is None or count < 2:
        return whole
    random = np.random.default_rng(0)
    draws = [np.sort(random.permutation(count)[: (count + 1) // 2]) for _ in range(config.bags)]
    half = replace(config, min_band_queries=config.min_band_queries // 2)
    learned = [learn_band_weights(half, candidates.rows(rows)) for rows in draws]
    aligned = [_aligned(weights, whole) for weights in learned if weights is not None]
    if not aligned:
        return whole
    weights = np.asarray(np.mean(aligned, axis=0, dtype=np.float64), np.float32)
    return replace(whole, weights=weights)


def _aligned(weights: FusionWeights, whole: FusionWeights) -> Float32Array:
    """Weights for the bands and models of others; 0 for a model that had no scores."""
    aligned = np.zeros(whole.weights.shape, np.float32)
    bands = weights.bands_of(whole.lower)
    for column, name in enumerate(whole.models):
        if name in weights.models:
            aligned[:, column] = weights.weights[bands, weights.models.index(name)]
    return aligned
