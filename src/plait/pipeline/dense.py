"""A stage that can rate the whole catalogue at once gets `retrieve` and `score` from here."""

from __future__ import annotations

import numpy as np

from plait.data.types import CandidateLists, Float32Array, Int32Array, QueryBatch
from plait.pipeline.stage import ConfigT, Stage
from plait.pipeline.topk import top_k

__all__ = ["DenseScorer", "mask_disallowed", "take_scores"]


class DenseScorer(Stage[ConfigT]):
    """Rates all items it knows by `dense`; computed once a batch and kept in `queries.work`."""

    above: float = -np.inf
    """Retrieval brings only larger scores: 0 where that says "nothing speaks for it"."""

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n], n the number of items known at the fit (or live); NaN: cannot know."""
        raise NotImplementedError(f"{type(self).__name__} must define dense")

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """The k best of `dense` that the query allows."""
        scores = queries.cache.get(self.name)
        if scores is None:
            scores = queries.cache[self.name] = self.score_all(queries)
        allowed = mask_disallowed(scores, queries)
        ties = None if queries.live is None else queries.live.state.catalogue.tiebreak
        numbers, _ = top_k(allowed, k, above=self.above, ties=ties)
        return CandidateLists(numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """The ratings of `numbers` [B, K], float32; NaN where unknown."""
        scores = queries.cache.get(self.name)
        if scores is None:
            scores = queries.cache[self.name] = self.score_all(queries)
        return take_scores(scores, numbers)


def take_scores(dense: Float32Array, numbers: Int32Array) -> Float32Array:
    """`dense` [B, n] read at `numbers` [B, K]; NaN for padding and for numbers from n on."""
    width = dense.shape[1]
    if width == 0:
        return np.full(numbers.shape, np.nan, np.float32)
    known = (numbers >= 0) & (numbers < width)
    found = np.take_along_axis(dense, np.where(known, numbers, 0).astype(np.int64), axis=1)
    return np.where(known, found, np.float32(np.nan)).astype(np.float32)


def mask_disallowed(dense: Float32Array, queries: QueryBatch) -> Float32Array:
    """A copy of `dense` [B, n] with minus infinity where the query allows no item."""
    width = dense.shape[1]
    if queries.mask is None:
        allowed = dense.copy()
    else:
        allowed = np.where(queries.mask[:, :width], dense, np.float32(-np.inf))
    if queries.blocked is not None:
        inside = queries.blocked.values < width
        rows, values = queries.blocked.rows[inside], queries.blocked.values[inside]
        allowed[rows, values] = -np.inf
    return allowed
