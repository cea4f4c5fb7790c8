"""Trains a learned ranker on held-out targets, and applies it to the best candidates of a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.ranking.fusion.candidate_columns import (
    USER_QUERY,
    query_types,
    scoring_models,
)
from plait.ranking.fusion.candidate_features import (
    BestCandidates,
    candidate_features,
    feature_names,
)
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.item_statistics import ItemStatistics
from plait.ranking.fusion.learned_ranker import (
    FitRanker,
    RankingExamples,
    TreeRanker,
    cross_validate,
    fit_trees,
)
from plait.ranking.fusion.mixer import MixerRanker, fit_mixer
from plait.ranking.fusion.score_normalization import NormalizedScores, dense_ranks

__all__ = ["LearnedRanker", "WeightedScores", "learn_ranker", "rerank", "user_targets"]

LearnedRanker = TreeRanker | MixerRanker

MIN_QUERIES = 50
"""With fewer queries no ranker is learned."""

_BATCH = 512
_LEAF_SHARE = 5
"""A leaf has at least a fifth as many candidates as there are queries, up to a hundred."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightedScores:
    """The weighted sums of B queries with K candidates, and what they are made of.

    Attributes:
        models: The names of S models.
        signals: Their normalised scores.
        shares: What each model contributes to a score, float32 [S, B, K].
        weight_sums: The sum of the weights of each query, by which scores are divided, float32
            [B, 1].
        scores: float32 [B, K]; NaN where no model scores.
    """

    models: tuple[str, ...]
    signals: NormalizedScores
    shares: Float32Array
    weight_sums: Float32Array
    scores: Float32Array


def user_targets(
    queries: QueryBatch, items: CandidateLists, targets: Ragged
) -> tuple[BoolArray, BoolArray]:
    """Find the candidates from which a fusion may learn.

    Args:
        queries: B queries.
        items: Their candidates [B, K].
        targets: The relevant items of each query.

    Returns:
        The candidates that are not blocked, and the relevant ones among them of queries with
        neither text nor items, both bool [B, K].
    """
    present = items.present
    if queries.blocked is not None:
        present &= ~queries.blocked.isin(items.item_numbers)
    is_user_query = query_types(queries) == USER_QUERY
    return present, targets.isin(items.item_numbers) & present & is_user_query[:, None]


def learn_ranker(
    config: FuseConfig,
    weigh: Callable[[QueryBatch, CandidateLists], WeightedScores],
    statistics: ItemStatistics,
    lesson: tuple[QueryBatch, CandidateLists, Ragged],
) -> LearnedRanker | None:
    """Learn a ranker from held-out targets.

    Args:
        config: The settings of the fusion.
        weigh: Computes the weighted sums, as queries will see them.
        statistics: What is known of the items.
        lesson: Queries, their candidates and their targets.

    Returns:
        The ranker; None where there are too few queries, or where it gains nothing in
        cross-validation.
    """
    queries, items, targets = lesson
    models = tuple(
        name for name in scoring_models(items) if np.isfinite(items.column(f"{name}.score")).any()
    )
    present, is_target = user_targets(queries, items, targets)
    numbers = np.where(present, items.item_numbers, np.int32(-1))
    parts = []
    for start, batch in queries.batches(_BATCH):
        rows = slice(start, start + len(batch))
        part = CandidateLists(
            numbers[rows], {name: column[rows] for name, column in items.columns.items()}
        )
        best, columns = best_candidates(part, weigh(batch, part), models, config.ranker_depth)
        is_best_target = np.take_along_axis(is_target[rows], columns, axis=1)
        useful = np.flatnonzero(is_best_target.any(axis=1))
        features = candidate_features(models, best, batch, statistics)[useful]
        parts.append(
            RankingExamples(
                features, best.sums[useful], is_best_target[useful], best.numbers[useful]
            )
        )
    examples = _concatenated(parts, config.max_queries)
    if len(examples) < MIN_QUERIES:
        return None
    fit = _fit_function(config, models, len(examples))
    chosen = cross_validate(examples, fit, 0, config.ranker_gain_errors)
    if not chosen.part:
        return None
    ranker = fit(examples, chosen.part, 0)
    assert isinstance(ranker, TreeRanker | MixerRanker)
    return replace(ranker, validation=chosen)


def best_candidates(
    items: CandidateLists, weighted: WeightedScores, models: Sequence[str], depth: int
) -> tuple[BestCandidates, Int64Array]:
    """Select the candidates with the largest weighted sums.

    Args:
        items: Candidates [B, K].
        weighted: Their weighted sums.
        models: The models whose scores are needed; those that `weighted` lacks are left out.
        depth: How many are selected, at most.

    Returns:
        The candidates [B, D], best first, and their columns in `items`, int64 [B, D].
    """
    scores = np.where(np.isfinite(weighted.scores), weighted.scores, -np.inf)
    columns = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    present = np.isfinite(weighted.scores)
    by_model = columns[None]
    names = [name for name in weighted.models if name in models]
    signals = weighted.signals.take(np.array([weighted.models.index(name) for name in names], int))
    known = present & ~signals.unknown & signals.active
    values = np.where(known, signals.values, np.float32(np.nan))
    ranks = np.log1p(dense_ranks(signals.values, known))
    retrieved = [
        items.columns[f"{name}.rank"] >= 0 if f"{name}.rank" in items.columns else present
        for name in names
    ]
    sums = weighted.scores * weighted.weight_sums
    numbers = np.where(present, items.item_numbers, np.int32(-1))
    best = BestCandidates(
        np.take_along_axis(numbers, columns, axis=1),
        np.take_along_axis(sums, columns, axis=1),
        tuple(names),
        np.take_along_axis(values, by_model, axis=2),
        np.take_along_axis(ranks, by_model, axis=2),
        np.take_along_axis(np.array(retrieved).reshape(values.shape), by_model, axis=2),
    )
    return best, columns


def rerank(
    ranker: LearnedRanker,
    statistics: ItemStatistics,
    queries: QueryBatch,
    items: CandidateLists,
    weighted: WeightedScores,
    depth: int,
) -> Float32Array:
    """Add to the scores of the best candidates what a ranker says.

    Args:
        ranker: The ranker.
        statistics: What is known of the items.
        queries: B queries; those with text or items keep their scores.
        items: Their candidates [B, K].
        weighted: Their weighted sums.
        depth: How many candidates of each query are ordered anew.

    Returns:
        float32 [B, K]; NaN as in the weighted sums.
    """
    best, columns = best_candidates(items, weighted, ranker.models, depth)
    where = best.present & (query_types(queries) == USER_QUERY)[:, None]
    scores = weighted.scores.copy()
    if not where.any():
        return scores
    features = candidate_features(ranker.models, best, queries, statistics)
    added = np.zeros(best.sums.shape, np.float32)
    added[where] = ranker.adjustments(features[where])
    changed = np.take_along_axis(scores, columns, axis=1) + added / weighted.weight_sums
    np.put_along_axis(scores, columns, changed, axis=1)
    return scores


def _fit_function(config: FuseConfig, models: tuple[str, ...], n_queries: int) -> FitRanker:
    """The function that fits a ranker by the method of the fusion."""
    if config.method == "mixer":
        return fit_mixer(models, config.hidden_units)
    smallest_leaf = min(100, max(5, n_queries // _LEAF_SHARE))
    return fit_trees(models, feature_names(models), config.max_trees, smallest_leaf)


def _concatenated(parts: list[RankingExamples], max_queries: int) -> RankingExamples:
    """The examples of several batches, as wide as the widest, evenly thinned out."""
    width = max((part.sums.shape[1] for part in parts), default=0)

    def widened(values: np.ndarray, filler: float) -> np.ndarray:
        missing = [(0, 0)] * values.ndim
        missing[1] = (0, width - values.shape[1])
        return np.pad(values, missing, constant_values=filler)

    examples = RankingExamples(
        np.concatenate([widened(part.features, np.nan) for part in parts]),
        np.concatenate([widened(part.sums, np.nan) for part in parts]),
        np.concatenate([widened(part.targets, False) for part in parts]),
        np.concatenate([widened(part.numbers, -1) for part in parts]),
    )
    return examples.take(np.arange(0, len(examples), max(1, -(-len(examples) // max_queries))))
