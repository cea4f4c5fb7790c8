"""Retrieval and scoring for models that score the whole catalogue at once."""

from __future__ import annotations

import numpy as np

from plait.data.types import CandidateLists, Float32Array, Int32Array, QueryBatch
from plait.pipeline.stage import ConfigT, Stage
from plait.pipeline.stage_calls import all_scores
from plait.pipeline.topk import top_k

__all__ = ["DenseScorer", "mask_disallowed", "take_scores"]


class DenseScorer(Stage[ConfigT]):
    """A model that scores all items by `score_all`, once a batch: `queries.cache` keeps them."""

    min_score: float = -np.inf
    """Only items with larger scores are retrieved; 0 where a score of 0 means no evidence."""

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """Score all items.

        Args:
            queries: B queries.

        Returns:
            float32 [B, n] for the n items of the fit, or of the live state; NaN where unknown.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement score_all")

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """Retrieve the items with the largest scores that the query allows.

        Args:
            queries: B queries.
            k: The number of candidates a query.
        """
        scores = self._cached_scores(queries)
        allowed = mask_disallowed(scores, queries)
        ties = None if queries.live is None else queries.live.state.catalogue.tiebreak
        numbers, _ = top_k(allowed, k, above=self.min_score, ties=ties)
        return CandidateLists(numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Look up the scores of items.

        Args:
            queries: B queries.
            numbers: Item numbers, int32 [B, K]; -1 is padding.

        Returns:
            float32 [B, K]; NaN where unknown.
        """
        return take_scores(self._cached_scores(queries), numbers)

    def _cached_scores(self, queries: QueryBatch) -> Float32Array:
        """The scores of all items, computed once a batch; StageError if they are none."""
        scores = queries.cache.get(self.name)
        if scores is None:
            scores = all_scores(self, self.score_all, queries)
            queries.cache[self.name] = scores
        return scores


def take_scores(dense: Float32Array, numbers: Int32Array) -> Float32Array:
    """Look up the scores of items.

    Args:
        dense: The scores of all items, float32 [B, n].
        numbers: Item numbers, int32 [B, K].

    Returns:
        float32 [B, K]; NaN for padding and for numbers from n on.
    """
    width = dense.shape[1]
    if width == 0:
        return np.full(numbers.shape, np.nan, np.float32)
    known = (numbers >= 0) & (numbers < width)
    scores = np.take_along_axis(dense, np.where(known, numbers, 0).astype(np.int64), axis=1)
    return np.where(known, scores, np.float32(np.nan)).astype(np.float32)


def mask_disallowed(dense: Float32Array, queries: QueryBatch) -> Float32Array:
    """Exclude the items that queries do not allow.

    Args:
        dense: The scores of all items, float32 [B, n].
        queries: B queries.

    Returns:
        A copy with minus infinity for items that are blocked or masked.
    """
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
