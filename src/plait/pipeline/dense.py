"""A stage that can rate the whole catalogue at once gets `retrieve` and `score` from here."""

from __future__ import annotations

import numpy as np

from plait.data.types import Floats, Items, Numbers, Queries
from plait.pipeline.stage import Stage
from plait.pipeline.topk import top_k

__all__ = ["DenseStage", "gather", "limited"]


class DenseStage(Stage):
    """Rates all items it knows by `dense`; computed once a batch and kept in `queries.work`."""

    above: float = -np.inf
    """Retrieval brings only larger scores: 0 where that says "nothing speaks for it"."""

    def dense(self, queries: Queries) -> Floats:
        """float32 [B, n], n the number of items known at the fit (or live); NaN: cannot know."""
        raise NotImplementedError(f"{type(self).__name__} must define dense")

    def retrieve(self, queries: Queries, k: int) -> Items:
        """The k best of `dense` that the query allows."""
        allowed = limited(self._rated(queries), queries)
        ties = None if queries.live is None else queries.live.state.catalogue.tiebreak
        numbers, _ = top_k(allowed, k, above=self.above, ties=ties)
        return Items(numbers)

    def score(self, queries: Queries, numbers: Numbers) -> Floats:
        """The ratings of `numbers` [B, K], float32; NaN where unknown."""
        return gather(self._rated(queries), numbers)

    def _rated(self, queries: Queries) -> Floats:
        if self.name not in queries.work:
            queries.work[self.name] = self.dense(queries)
        rated: Floats = queries.work[self.name]
        return rated


def gather(dense: Floats, numbers: Numbers) -> Floats:
    """`dense` [B, n] read at `numbers` [B, K]; NaN for padding and for numbers from n on."""
    width = dense.shape[1]
    if width == 0:
        return np.full(numbers.shape, np.nan, np.float32)
    known = (numbers >= 0) & (numbers < width)
    found = np.take_along_axis(dense, np.where(known, numbers, 0).astype(np.int64), axis=1)
    return np.where(known, found, np.float32(np.nan)).astype(np.float32)


def limited(dense: Floats, queries: Queries) -> Floats:
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
