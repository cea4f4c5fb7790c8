"""Learns the weights of the fusion: a listwise softmax first, then coordinate ascent on NDCG.

The likelihood of the targets among the candidates of their query (ListNet's top-one form, Cao et
al., ICML 2007) is concave in the weights; L-BFGS-B finds its one maximum. Coordinate ascent on
NDCG@10 (Metzler and Croft, 2007) starts there. Both are deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from plait.metrics.dcg import discount, ideal_dcg

__all__ = [
    "FusionExamples",
    "coordinate_ascent",
    "dcg",
    "ideal",
    "is_significant",
    "maximize_likelihood",
    "ndcgs",
    "subsample_evenly",
    "target_ranks",
]

_TOP = 10
_IDEAL = ideal_dcg(_TOP)
_MAX_PAIRS = 20_000_000
"""How many pairs of a target and a candidate one evaluation of NDCG may compare."""


@dataclass(frozen=True, slots=True, eq=False)
class FusionExamples:
    """Q training queries with K candidates, scored by S models.

    Attributes:
        signals: Normalised scores, float32 [S, Q, K].
        present: The candidates, bool [Q, K]; the others are padding.
        targets: The relevant candidates, bool [Q, K]; at least one a query.
    """

    signals: Float32Array
    present: BoolArray
    targets: BoolArray

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Int64Array) -> FusionExamples:
        """Some of the queries.

        Args:
            rows: Their positions, int64.
        """
        return FusionExamples(self.signals[:, rows], self.present[rows], self.targets[rows])

    def best(self, weights: Float64Array, depth: int) -> FusionExamples:
        """The same queries with their best candidates and all targets.

        Args:
            weights: float64 [S].
            depth: How many candidates of each query stay, or as many as there are targets.
        """
        if depth >= self.present.shape[1]:
            return self
        priority = np.where(self.targets, np.float32(np.inf), self.scores(weights))
        depth = max(depth, int(self.targets.sum(axis=1).max()))
        columns = np.argpartition(-priority, depth - 1, axis=1)[:, :depth]
        signals = np.stack([np.take_along_axis(signal, columns, axis=1) for signal in self.signals])
        return FusionExamples(
            signals,
            np.take_along_axis(self.present, columns, axis=1),
            np.take_along_axis(self.targets, columns, axis=1),
        )

    def scores(self, weights: Float64Array) -> Float32Array:
        """The weighted sums of the signals.

        Args:
            weights: float64 [S].

        Returns:
            float32 [Q, K]; minus infinity for padding.
        """
        n_models, n_queries, width = self.signals.shape
        flat = weights.astype(np.float32) @ self.signals.reshape(n_models, -1)
        scores: Float32Array = flat.reshape(n_queries, width)
        scores[~self.present] = -np.inf
        return scores


def maximize_likelihood(
    examples: FusionExamples,
    center: Float64Array,
    strength: float,
    *,
    negative: bool = False,
    free: BoolArray | None = None,
) -> tuple[Float64Array, float]:
    """Find the weights under which the targets are most likely.

    Args:
        examples: The training queries.
        center: Weights float64 [S] that the result is pulled to.
        strength: The number of queries that the pull is equivalent to.
        negative: Whether weights may be below zero.
        free: The weights that may differ from `center`, bool [S]; None: all of them.

    Returns:
        The weights float64 [S], and the mean regularised loss there.
    """
    n_models, n_queries, width = examples.signals.shape
    flat = examples.signals.reshape(n_models, n_queries * width)
    share = examples.targets / examples.targets.sum(axis=1, keepdims=True)
    target_signals = flat @ share.ravel().astype(np.float32) / n_queries
    pull = strength / n_queries

    def loss(weights: Float64Array) -> tuple[float, Float64Array]:
        scores = examples.scores(weights)
        top = scores.max(axis=1, keepdims=True)
        probabilities = np.exp(scores - top)
        total = probabilities.sum(axis=1, keepdims=True)
        probabilities /= total
        distance = weights - center
        likelihood = float((top + np.log(total)).mean()) - float(target_signals @ weights)
        gradient = flat @ probabilities.ravel() / n_queries - target_signals
        regularised = likelihood + 0.5 * pull * float(distance @ distance)
        return regularised, (gradient + pull * distance).astype(np.float64)

    from scipy.optimize import minimize  # servers do not need it, and it takes time to import

    bounds = [
        ((None if negative else 0.0), None) if is_free else (value, value)
        for is_free, value in zip(_free_or_all(free, n_models), center, strict=True)
    ]
    optimum = minimize(
        loss, center, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}
    )
    return np.asarray(optimum.x, np.float64), float(optimum.fun)


def coordinate_ascent(
    examples: FusionExamples, weights: Float64Array, rounds: int, *, free: BoolArray | None = None
) -> Float64Array:
    """Find weights with a better NDCG@10, changing one at a time in halving steps.

    A step is taken if its mean gain is larger than the standard error of that mean: what a few
    queries gain by chance is lost on others.

    Args:
        examples: The training queries.
        weights: The weights to start from, float64 [S].
        rounds: How often all weights are tried.
        free: The weights that may change, bool [S]; None: all of them.

    Returns:
        The weights, float64 [S].
    """
    examples = examples.take(subsample_evenly(examples.targets))
    best, best_ndcgs = weights.copy(), ndcgs(examples, weights)
    step = 0.5 * float(np.abs(weights).max(initial=0))
    for _ in range(rounds):
        for position in np.flatnonzero(_free_or_all(free, len(weights))):
            for move in (step, -step):
                trial = best.copy()
                trial[position] = max(0.0, trial[position] + move)
                trial_ndcgs = ndcgs(examples, trial)
                if is_significant(trial_ndcgs - best_ndcgs):
                    best, best_ndcgs = trial, trial_ndcgs
                    break
        step /= 2
    return best


def ndcgs(examples: FusionExamples, weights: Float64Array) -> Float64Array:
    """NDCG@10 of every query; tied candidates share the mean of their ranks.

    Args:
        examples: The training queries.
        weights: float64 [S].

    Returns:
        float64 [Q].
    """
    return dcg(examples.scores(weights), examples.targets) / ideal(examples.targets)


def ideal(targets: BoolArray) -> Float64Array:
    """The largest DCG@10 that each query can have.

    Args:
        targets: The relevant candidates, bool [Q, K]; at least one a query.

    Returns:
        float64 [Q].
    """
    largest: Float64Array = _IDEAL[np.minimum(targets.sum(axis=1), _TOP)]
    return largest


def dcg(scores: Float32Array, targets: BoolArray) -> Float64Array:
    """DCG@10 of every query; tied candidates share the mean of their ranks.

    Args:
        scores: float32 [Q, K].
        targets: The relevant candidates, bool [Q, K].

    Returns:
        float64 [Q].
    """
    rows, ranks = target_ranks(scores, targets)
    gains = np.where(ranks < _TOP, discount(ranks), 0)
    return np.bincount(rows, gains, len(targets)).astype(np.float64)


def target_ranks(scores: Float32Array, targets: BoolArray) -> tuple[Int64Array, Float64Array]:
    """The rank of every target; tied candidates share the mean of their ranks.

    Args:
        scores: float32 [Q, K].
        targets: The relevant candidates, bool [Q, K].

    Returns:
        The query of each of the T targets, int64 [T], and its rank from 0, float64 [T].
    """
    rows, columns = np.nonzero(targets)
    target_scores = scores[rows, columns][:, None]
    all_scores = scores[rows]
    n_better = (all_scores > target_scores).sum(axis=1)
    return rows, n_better + ((all_scores == target_scores).sum(axis=1) - 1) / 2


def is_significant(gains: Float64Array, errors: float = 1.0) -> bool:
    """Whether a mean gain is larger than a multiple of its standard error.

    Args:
        gains: The gain of every query, float64 [Q].
        errors: The multiple.
    """
    return bool(gains.mean() > errors * gains.std() / np.sqrt(max(len(gains), 1)))


def subsample_evenly(targets: BoolArray) -> Int64Array:
    """Evenly spaced queries, few enough to be ranked many times.

    Args:
        targets: The relevant candidates, bool [Q, K].

    Returns:
        The positions of the queries, int64.
    """
    n_pairs = int(targets.sum()) * targets.shape[1]
    return np.arange(0, len(targets), max(1, -(-n_pairs // _MAX_PAIRS)))


def _free_or_all(free: BoolArray | None, n_models: int) -> BoolArray:
    return np.ones(n_models, np.bool_) if free is None else free
