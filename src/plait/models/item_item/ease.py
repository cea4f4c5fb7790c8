"""EASE as published (Steck, WWW 2019): a ridge regression of each item on all others.

B = I - P / diag(P) with P = (X'X + l2 I)^-1; a user's scores are the row of X times B. All weights
are kept, negative ones too, and the order and age of events play no part. `linear` is Plait's own
variant: it knows order, and drops negative weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import Float32Array, Int32Array
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.features.interactions import interaction_matrix
from plait.features.sparse_rows import decayed_history
from plait.models.item_item.linear import regularized_inverse
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Range, tunable
from plait.training.memory_budget import require_memory

__all__ = ["Ease", "EaseConfig"]


@dataclass(frozen=True, slots=True)
class EaseConfig:
    """Settings of `ease`."""

    l2: float = tunable(200.0, Range(5.0, 5000.0, log=True), Limit(above=0))
    """The strength of the ridge."""
    max_items: int = bounded_field(25_000, Limit(least=1))
    """How many items, the most popular ones, take part: the weights of 25,000 take 2.5 GB, the fit
    twice as much."""
    use_weights: bool = False
    """Whether an entry of X is the sum of the weights of the user's events with the item, in the
    fit and in the history; false: 1."""


class Ease(DenseScorer[EaseConfig]):
    """Scores by the weights of EASE; NaN for unknown items and queries without a known item."""

    Config = EaseConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {"_weights": Float32Array, "_columns": Int32Array}
    test_variants = ({"max_items": 10}, {"use_weights": True})

    def __init__(self, config: EaseConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._weights: Float32Array = np.zeros((0, 0), np.float32)
        """float32 [m, m], the row's item for the column's."""
        self._columns: Int32Array = np.zeros(0, np.int32)
        """int32 [n_items], the place of each item in the weights, -1 for none."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        fitted = self.clone()
        interactions = interaction_matrix(dataset)
        counts = np.asarray(interactions.sum(axis=0)).ravel()
        if self.config.use_weights:
            interactions = interaction_matrix(dataset, weighted=True)
        by_popularity = np.lexsort((dataset.catalogue.tiebreak, -counts))
        n_items = min(self.config.max_items, int(np.count_nonzero(counts)))
        items = np.sort(by_popularity[:n_items])
        require_memory({"max_items": 8 * n_items**2}, f"fitting `{self.name}`")
        weights = regularized_inverse(interactions[:, items], self.config.l2, self.name)
        weights /= -np.diag(weights).copy()
        np.fill_diagonal(weights, 0)
        fitted._weights = weights
        fitted._columns = np.full(dataset.n_items, -1, np.int32)
        fitted._columns[items] = np.arange(n_items)
        return fitted

    def score_all(self, queries: QueryBatch) -> Float32Array:
        n_items = len(self._columns)
        history = decayed_history(queries.effective_history, 1.0, n_items, 0).sum_duplicates()
        places = self._columns[history.columns]
        known = history.where(places >= 0)
        scores = np.full((len(queries), n_items), np.nan, np.float32)
        items = np.flatnonzero(self._columns >= 0)
        if not len(items):
            return scores
        matrix = known.csr.astype(np.float32)[:, items]
        if not self.config.use_weights:
            matrix.data[:] = 1
        scores[:, items] = matrix @ self._weights
        scores[np.diff(matrix.indptr) == 0] = np.nan
        return scores
