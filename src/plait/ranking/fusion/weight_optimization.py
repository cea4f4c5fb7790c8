"""Learns the few weights of fusion: a listwise softmax first, then a little NDCG.

The likelihood of the targets among the candidates of their query (ListNet's top-one form, Cao et
al., ICML 2007) is concave in the weights; L-BFGS-B finds its one maximum. Coordinate ascent on
NDCG@10 (Metzler & Croft, 2007) starts there. Both are deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from plait.data.types import BoolArray, Float32Array

__all__ = [
    "FusionExamples",
    "coordinate_ascent",
    "gains",
    "ideal",
    "is_significant",
    "maximize_likelihood",
    "ndcgs",
    "places",
    "subsample_evenly",
]

Weights = npt.NDArray[np.float64]

_TOP = 10
_WORK = 20_000_000
"""How many pairs of a target and a candidate one look at NDCG may compare."""


@dataclass(frozen=True, slots=True, eq=False)
class FusionExamples:
    """Queries to learn from.

    `signals` float32 [S, Q, K]; `there` and `hits` bool [Q, K]: candidates, and those that came
    true (at least one a query).
    """

    signals: Float32Array
    there: BoolArray
    hits: BoolArray

    def __len__(self) -> int:
        return len(self.hits)

    def take(self, rows: npt.NDArray[np.int64]) -> FusionExamples:
        """The queries `rows`."""
        return FusionExamples(self.signals[:, rows], self.there[rows], self.hits[rows])

    def best(self, weights: Weights, depth: int) -> FusionExamples:
        """The `depth` best candidates of each query, and all that came true."""
        if depth >= self.there.shape[1]:
            return self
        worth = np.where(self.hits, np.float32(np.inf), self.scores(weights))
        depth = max(depth, int(self.hits.sum(axis=1).max()))
        kept = np.argpartition(-worth, depth - 1, axis=1)[:, :depth]
        signals = np.stack([np.take_along_axis(one, kept, axis=1) for one in self.signals])
        there, hits = (np.take_along_axis(one, kept, axis=1) for one in (self.there, self.hits))
        return FusionExamples(signals, there, hits)

    def scores(self, weights: Weights) -> Float32Array:
        """float32 [Q, K]: the weighted sums, minus infinity where no candidate stands."""
        strands, queries, width = self.signals.shape
        flat = weights.astype(np.float32) @ self.signals.reshape(strands, -1)
        summed: Float32Array = flat.reshape(queries, width)
        summed[~self.there] = -np.inf
        return summed


def maximize_likelihood(
    lessons: FusionExamples,
    center: Weights,
    strength: float,
    *,
    negative: bool = False,
    free: BoolArray | None = None,
) -> tuple[Weights, float]:
    """The weights under which the targets are likeliest, and the mean loss there.

    `center` is what they are pulled to, `strength` how many queries that pull is worth. Those that
    are not `free`, bool [S], stay there.
    """
    strands, queries, width = lessons.signals.shape
    flat = lessons.signals.reshape(strands, queries * width)
    share = lessons.hits / lessons.hits.sum(axis=1, keepdims=True)
    wanted = flat @ share.ravel().astype(np.float32) / queries
    pull = strength / queries

    def loss(weights: Weights) -> tuple[float, Weights]:
        scores = lessons.scores(weights)
        top = scores.max(axis=1, keepdims=True)
        chances = np.exp(scores - top)
        total = chances.sum(axis=1, keepdims=True)
        chances /= total
        away = weights - center
        fit = float((top + np.log(total)).mean()) - float(wanted @ weights)
        slope = flat @ chances.ravel() / queries - wanted
        return fit + 0.5 * pull * float(away @ away), (slope + pull * away).astype(np.float64)

    loose = (None, None) if negative else (0.0, None)
    bounds = [
        loose if one else (at, at) for one, at in zip(_all(free, strands), center, strict=True)
    ]
    found = minimize(
        loss, center, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}
    )
    return np.asarray(found.x, np.float64), float(found.fun)


def coordinate_ascent(
    lessons: FusionExamples, weights: Weights, rounds: int, *, free: BoolArray | None = None
) -> Weights:
    """Weights near `weights` with a better NDCG@10, one at a time, in halving steps.

    A step is taken if the mean of what it gains is larger than its standard error: what a few
    queries gain by chance would be lost on others. Those that are not `free`, bool [S], stay.
    """
    lessons = lessons.take(subsample_evenly(lessons.hits))
    best, reached = weights.copy(), ndcgs(lessons, weights)
    step = 0.5 * float(np.abs(weights).max(initial=0))
    for _ in range(rounds):
        for place in np.flatnonzero(_all(free, len(weights))):
            for move in (step, -step):
                tried = best.copy()
                tried[place] = max(0.0, tried[place] + move)
                values = ndcgs(lessons, tried)
                if is_significant(values - reached):
                    best, reached = tried, values
                    break
        step /= 2
    return best


def ndcgs(lessons: FusionExamples, weights: Weights) -> Weights:
    """NDCG@10 of the queries, float64 [Q]; ties share the middle of their places."""
    found: Weights = gains(lessons.scores(weights), lessons.hits) / ideal(lessons.hits)
    return found


def ideal(hits: BoolArray) -> Weights:
    """The most that the hits of each query could gain, float64 [Q]."""
    best: Weights = np.cumsum(1 / np.log2(np.arange(2, _TOP + 2)))
    found: Weights = best[np.minimum(hits.sum(axis=1), _TOP) - 1]
    return found


def gains(scores: Float32Array, hits: BoolArray) -> Weights:
    """The discounted gain within the first ten of each query, float64 [Q]; `scores` [Q, K]."""
    rows, reached = places(scores, hits)
    each = np.where(reached < _TOP, 1 / np.log2(reached + 2), 0)
    return np.bincount(rows, each, len(hits)).astype(np.float64)


def places(scores: Float32Array, hits: BoolArray) -> tuple[npt.NDArray[np.int64], Weights]:
    """The query and the place from 0 of every hit; ties share the middle of their places."""
    rows, columns = np.nonzero(hits)
    mine = scores[rows, columns][:, None]
    theirs = scores[rows]
    return rows, (theirs > mine).sum(axis=1) + ((theirs == mine).sum(axis=1) - 1) / 2


def is_significant(more: Weights, errors: float = 1.0) -> bool:
    """Whether the mean of what each query gains is larger than so many of its standard errors."""
    return bool(more.mean() > errors * more.std() / np.sqrt(max(len(more), 1)))


def _all(free: BoolArray | None, strands: int) -> BoolArray:
    return np.ones(strands, np.bool_) if free is None else free


def subsample_evenly(hits: BoolArray) -> npt.NDArray[np.int64]:
    """Evenly spaced queries, few enough to be looked at many times; `hits` bool [Q, K]."""
    work = int(hits.sum()) * hits.shape[1]
    return np.arange(0, len(hits), max(1, -(-work // _WORK)))
