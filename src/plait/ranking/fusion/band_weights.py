"""Learns fusion weights by length of history: the bands, their weights, the price of a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from plait.metrics.dcg import discount
from plait.pipeline.fusion_defaults import MissingScore
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.score_normalization import NormalizedScores
from plait.ranking.fusion.voting import RANK_METHODS
from plait.ranking.fusion.weight_optimization import (
    FusionExamples,
    coordinate_ascent,
    dcg,
    ideal,
    is_significant,
    maximize_likelihood,
    subsample_evenly,
    target_ranks,
)

__all__ = ["FusionCandidates", "FusionWeights", "learn_band_weights", "passes_gain_test"]

MARGINS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""The margins of a missing score that are tried, in standard deviations below the mean."""

_FIRST_QUERIES = 1_500
"""The number of queries of the first fit, which chooses the margin too."""

_MIN_LOSS_GAIN = 1e-4
"""A margin whose loss is no smaller than by this does not replace the given one."""

_DEPTH = 200
"""How many candidates of a query weights are learned on, the best by the first fit."""

_SCALE = 0.3
"""About the size of weights that fit z-scores on real data; given weights are multiplied by it."""


@dataclass(frozen=True, slots=True, eq=False)
class FusionCandidates:
    """The candidates of Q queries, as S models score them, and the relevant ones.

    Attributes:
        names: The names of the models.
        signals: The normalised scores [Q, K] of each model.
        missing: What stands in for a score that each model cannot give.
        present: The candidates, bool [Q, K]; the others are padding.
        targets: The relevant candidates, bool [Q, K].
        lengths: The length of each history, int64 [Q].
        given_weights: The weights before any are learned, float32 [S].
    """

    names: tuple[str, ...]
    signals: tuple[NormalizedScores, ...]
    missing: tuple[MissingScore, ...]
    present: BoolArray
    targets: BoolArray
    lengths: Int64Array
    given_weights: Float32Array

    def models(self, positions: Sequence[int]) -> FusionCandidates:
        """The same candidates, as some of the models score them.

        Args:
            positions: The positions of the models.
        """
        return FusionCandidates(
            tuple(self.names[position] for position in positions),
            tuple(self.signals[position] for position in positions),
            tuple(self.missing[position] for position in positions),
            self.present,
            self.targets,
            self.lengths,
            self.given_weights[list(positions)],
        )

    def rows(self, rows: Int64Array) -> FusionCandidates:
        """The candidates of some of the queries.

        Args:
            rows: The positions of the queries, int64.
        """
        return FusionCandidates(
            self.names,
            tuple(signal.take(rows) for signal in self.signals),
            self.missing,
            self.present[rows],
            self.targets[rows],
            self.lengths[rows],
            self.given_weights,
        )

    def scores(self, config: FuseConfig, learned: FusionWeights) -> Float32Array:
        """The weighted sums under learned weights.

        Args:
            config: The settings of the fusion.
            learned: Weights of some of the models.

        Returns:
            float32 [Q, K]; minus infinity for padding.
        """
        weighted = self.models([self.names.index(name) for name in learned.models])
        signals = weighted.examples(config, learned.margin).signals
        weights = learned.weights[learned.bands_of(self.lengths)]
        scores: Float32Array = np.einsum("qs,sqk->qk", weights, signals)
        scores[~self.present] = -np.inf
        return scores

    def examples(self, config: FuseConfig, margin: float, every: int = 1) -> FusionExamples:
        """Training queries, their missing scores filled in.

        Args:
            config: The settings of the fusion.
            margin: The margin of the models whose missing scores are learned.
            every: Every how many-th query is taken.
        """
        rows = slice(None, None, every)
        filled = [
            signal.take(rows).filled(
                missing == "minimum", margin if missing == "learned" else config.missing_margin
            )
            for signal, missing in zip(self.signals, self.missing, strict=True)
        ]
        return FusionExamples(np.stack(filled), self.present[rows], self.targets[rows])


def learn_band_weights(config: FuseConfig, candidates: FusionCandidates) -> FusionWeights | None:
    """Learn weights of the models that score any candidate.

    Args:
        config: The settings of the fusion.
        candidates: Training queries; each has at least one relevant candidate.

    Returns:
        The weights; None if there is no query or no model to learn from.
    """
    scoring = [index for index, signal in enumerate(candidates.signals) if signal.values.any()]
    active = candidates.models(scoring[: config.max_weights])
    if not active.names or not len(active.lengths):
        return None
    center = np.maximum(active.given_weights.astype(np.float64), 0.0) * _SCALE
    margin = _learned_margin(config, active, center)
    every = max(1, -(-len(active.lengths) // _FIRST_QUERIES))
    first_examples = active.examples(config, margin, every)
    first, _ = maximize_likelihood(first_examples, center, config.prior_strength)
    first = first if first.any() else _best_single_model(first_examples)
    examples = active.examples(config, margin).best(first, _DEPTH)
    pooled, _ = maximize_likelihood(
        examples, center, config.prior_strength, negative=config.allow_negative_weights
    )
    lower = _band_starts(config, active.lengths, len(active.names))
    bands = np.maximum(np.searchsorted(lower, active.lengths, side="right") - 1, 0)
    rows_by_band = [np.nonzero(bands == band)[0] for band in range(len(lower))]
    free = _free_models(config, examples, rows_by_band, pooled)
    weights = [_band_weights(config, examples, rows, pooled, free) for rows in rows_by_band]
    return FusionWeights(
        active.names,
        lower,
        np.stack(weights).astype(np.float32),
        np.array([len(rows) for rows in rows_by_band], np.int64),
        margin,
        float(pooled.sum() / max(float(active.given_weights.sum()), 1e-6)),
    )


def passes_gain_test(
    config: FuseConfig,
    candidates: FusionCandidates,
    learned: FusionWeights,
    other_candidates: FusionCandidates,
    other_learned: FusionWeights,
) -> bool:
    """Whether all models together rank better than some of them, by two standard errors.

    Args:
        config: The settings of the fusion.
        candidates: The queries with the candidates and scores of all models.
        learned: The weights of all models.
        other_candidates: The same queries with the candidates and scores of some models.
        other_learned: The weights of those.
    """
    rows = subsample_evenly(candidates.targets)
    candidates, other_candidates = candidates.rows(rows), other_candidates.rows(rows)
    gains = dcg(candidates.scores(config, learned), candidates.targets)
    gains -= dcg(other_candidates.scores(config, other_learned), other_candidates.targets)
    return is_significant(gains / ideal(candidates.targets), 2.0)


def _learned_margin(
    config: FuseConfig, candidates: FusionCandidates, center: Float64Array
) -> float:
    """The margin of a missing score under which the targets are most likely.

    It needs enough queries in which a model that scores any candidate misses another.
    """
    has_gaps = [
        (signal.unknown & signal.active).any(axis=1)
        for signal, missing in zip(candidates.signals, candidates.missing, strict=True)
        if missing == "learned"
    ]
    if config.method in RANK_METHODS or not has_gaps:
        return config.missing_margin
    if int(np.logical_or.reduce(has_gaps).sum()) < config.min_band_queries:
        return config.missing_margin
    every = max(1, -(-len(candidates.lengths) // _FIRST_QUERIES))
    losses = {
        margin: maximize_likelihood(
            candidates.examples(config, margin, every), center, config.prior_strength
        )[1]
        for margin in dict.fromkeys((config.missing_margin, *MARGINS))
    }
    enough = min(losses.values()) + _MIN_LOSS_GAIN
    return next(margin for margin, loss in losses.items() if loss <= enough)


def _band_starts(config: FuseConfig, lengths: Int64Array, n_models: int) -> Int64Array:
    """Where bands begin, after those that are too small, or too many, were joined, int64."""
    lower = sorted({max(0, start) for start in config.history_length_bands} | {0})
    while len(lower) > 1:
        counts = np.bincount(
            np.searchsorted(lower, lengths, side="right") - 1, minlength=len(lower)
        )
        small = int(counts.argmin())
        is_affordable = 2 * _n_free(config, len(lower), n_models) >= n_models
        if counts[small] >= config.min_band_queries and is_affordable:
            break
        joins_next = small == 0 or (
            small < len(lower) - 1 and counts[small - 1] > counts[small + 1]
        )
        del lower[small + 1 if joins_next else small]
    return np.array(lower, np.int64)


def _n_free(config: FuseConfig, n_bands: int, n_models: int) -> int:
    """How many models can have a weight in each band, the others having one for all bands."""
    if n_bands == 1:
        return n_models
    return min(n_models, max(0, config.max_weights - n_models) // (n_bands - 1))


def _free_models(
    config: FuseConfig,
    examples: FusionExamples,
    rows_by_band: Sequence[Int64Array],
    pooled: Float64Array,
) -> BoolArray:
    """The models with a weight in each band: those whose weights differ most, bool [S]."""
    n_free = _n_free(config, len(rows_by_band), len(pooled))
    if n_free == len(pooled):
        return np.ones(n_free, np.bool_)
    spread = np.ptp(
        [
            maximize_likelihood(
                examples.take(rows),
                pooled,
                config.band_prior_strength,
                negative=config.allow_negative_weights,
            )[0]
            for rows in rows_by_band
            if len(rows)
        ],
        axis=0,
    )
    free = np.zeros(len(pooled), np.bool_)
    free[np.argsort(-spread, kind="stable")[:n_free]] = True
    return free


def _best_single_model(examples: FusionExamples) -> Float64Array:
    """All weight on the model that ranks the targets best alone.

    Where every model ranks other candidates before the targets, as models of repetition do if
    users take nothing twice, no sum is likelier than chance, and the given weights may be worst.
    """
    single = _SCALE * np.eye(len(examples.signals))
    sample = examples.take(subsample_evenly(examples.targets))
    ranks = [target_ranks(sample.scores(weights), sample.targets)[1] for weights in single]
    # No cut-off: the first ten may hold no target at all.
    best: Float64Array = single[np.argmax([discount(rank).mean() for rank in ranks])]
    return best


def _band_weights(
    config: FuseConfig,
    examples: FusionExamples,
    rows: Int64Array,
    pooled: Float64Array,
    free: BoolArray,
) -> Float64Array:
    """The weights of one band, pulled to those of all; only the `free` ones differ from them."""
    if len(rows) == 0:
        return pooled
    weights = pooled
    if len(rows) < len(examples):
        examples = examples.take(rows)
        weights, _ = maximize_likelihood(
            examples,
            pooled,
            config.band_prior_strength,
            negative=config.allow_negative_weights,
            free=free,
        )
    if config.allow_negative_weights:
        return weights
    return coordinate_ascent(
        examples,
        weights if weights.any() else _best_single_model(examples),
        config.coordinate_ascent_rounds,
        free=free,
    )


@dataclass(frozen=True, slots=True, eq=False)
class FusionWeights:
    """Weights learned by length of history.

    Attributes:
        models: The names of S models.
        lower: The history length at which each band begins, int64 [bands].
        weights: float32 [bands, S].
        queries: The number of queries that each band learned from, int64 [bands].
        margin: Standard deviations below the mean that stand in for a missing score.
        idle: The factor that puts the given weight of a model without a learned one, because it had
            no scores to learn from, on the scale of the learned weights.
    """

    models: tuple[str, ...]
    lower: Int64Array
    weights: Float32Array
    queries: Int64Array
    margin: float
    idle: float

    def bands_of(self, lengths: Int64Array) -> Int64Array:
        """The band of each history.

        Args:
            lengths: History lengths, int64 [B].

        Returns:
            int64 [B].
        """
        return np.maximum(np.searchsorted(self.lower, lengths, side="right") - 1, 0)

    def all_inactive(self, models: Sequence[str]) -> bool:
        """Whether all of some models have the learned weight zero in every band.

        Args:
            models: Names; those without a learned weight are ignored.
        """
        columns = [self.models.index(name) for name in models if name in self.models]
        return bool(columns) and not self.weights[:, columns].any()

    def with_inactive(self, models: Sequence[str]) -> FusionWeights:
        """These weights and the weight zero for more models.

        Args:
            models: The names of models without a learned weight.
        """
        zeros = np.zeros((len(self.weights), len(models)), np.float32)
        weights = np.concatenate([self.weights, zeros], axis=1)
        return replace(self, models=(*self.models, *models), weights=weights)

    @property
    def n_weights(self) -> int:
        """The number of distinct weights: one for a model that has the same in all bands, none for
        zeros.
        """
        varies = (self.weights != self.weights[:1]).any(axis=0)
        return int(np.where(varies, len(self.weights), self.weights[0] != 0).sum())

    def describe(self) -> list[dict[str, Any]]:
        """One entry a band, for reports."""
        return [
            {
                "history_from": int(self.lower[band]),
                "queries": int(self.queries[band]),
                "weights": {
                    name: round(float(weight), 4)
                    for name, weight in zip(self.models, self.weights[band], strict=True)
                },
            }
            for band in range(len(self.lower))
        ]
