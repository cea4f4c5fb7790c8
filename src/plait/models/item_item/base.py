"""The base of item-item models: a sparse matrix that a decayed history is multiplied with.

With content smoothing an item takes over part of the behaviour of items of similar content, so
that an item without interactions, even one added after the fit, is scored by its content.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from typing_extensions import TypeVar

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array, UInt64Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.features.incremental_updates import ItemUpdates, overlay_items, updates_in
from plait.features.sparse_rows import SparseRows, decayed_history
from plait.features.sparse_topk import similar_rows
from plait.features.tfidf import Tfidf, TfidfConfig
from plait.models.item_item.content_smoothing import content_smoothing, rows_to_sum_1, smooth
from plait.models.item_item.cooccurrence_counts import PairConfig
from plait.models.item_item.largest_entries import largest_entries, row_ranges, stack
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.pipeline.search_space import Range, tunable

__all__ = ["ItemItem", "ItemItemConfig", "top_contributor"]


@dataclass(frozen=True, slots=True)
class ItemItemConfig(PairConfig):
    """Settings of item-item models, beside how pairs are counted."""

    basket_decay: float = tunable(0.6, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history, relative to the one after it."""
    max_baskets: int = bounded_field(20, Limit(least=0))
    """How many of the newest baskets are read; 0: all."""
    top_k: int = bounded_field(300, Limit(least=1))
    """How many entries are kept for every item."""
    content_smoothing: float = tunable(0.0, Range(0.0, 3.0), Limit(least=0))
    """The weight of the behaviour of items of similar content, relative to an item's own; 0:
    none."""
    content_neighbors: int = bounded_field(10, Limit(least=1))
    """How many items of similar content contribute to each item."""
    content: TfidfConfig = field(default_factory=TfidfConfig)
    """How similarity of content is computed."""


ItemItemConfigT = TypeVar("ItemItemConfigT", bound=ItemItemConfig, default=ItemItemConfig)

Updates = ItemUpdates[sparse.csr_matrix]
"""The content neighbours of items without behaviour at the fit: CSR [N, n], rows that sum to 1."""


class ItemItem(DenseScorer[ItemItemConfigT], ABC):
    """Scores by history times matrix.

    Scores are 0 without evidence for an item, NaN for unknown items and for queries without known
    items. `explain` names the item of the history that adds most. A subclass computes the matrix in
    `_item_matrix`, and in `_item_query_matrix` another for queries that start from items; their
    largest entries are kept, after smoothing by content.
    """

    Config = ItemItemConfig
    fusion_defaults = FusionDefaults(rare_item_query_weight=0.1)
    reason_templates = ReasonTemplates(
        query_item=(Claim.TOGETHER, Claim.ALIKE, Claim.GOES_WITH),
        shared_value="",
    )
    min_score = 0.0
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_weights": sparse.csr_matrix,
        "_item_query_weights": sparse.csr_matrix | None,
        "_known": BoolArray,
        "_tfidf": Tfidf | None,
        "_content_vectors": sparse.csr_matrix,
    }
    optional_state = frozenset({"_item_query_weights"})

    def __init__(self, config: ItemItemConfigT | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._weights = sparse.csr_matrix((0, 0), dtype=np.float32)
        self._item_query_weights: sparse.csr_matrix | None = None
        self._known: BoolArray = np.zeros(0, np.bool_)
        self._tfidf: Tfidf | None = None
        self._content_vectors = sparse.csr_matrix((0, 0), dtype=np.float32)

    @abstractmethod
    def _item_matrix(self, dataset: Dataset) -> Float32Array | sparse.csr_matrix:
        """The weights of the row's item for the column's, [n_items, n_items], dense or sparse."""

    def _item_query_matrix(self, dataset: Dataset, matrix: Any) -> Any:
        """The same for queries that start from items, given `_item_matrix`; None: no other."""
        return None

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        fitted = self.clone()
        matrix, tiebreak = self._item_matrix(dataset), dataset.catalogue.tiebreak
        item_query_matrix = self._item_query_matrix(dataset, matrix)
        smoothing = None
        if self.config.content_smoothing:
            fitted._tfidf, vectors = Tfidf.fit(self.config.content, dataset.catalogue)
            # Items without behaviour have none to contribute: they would crowd out those that do.
            used = np.bincount(dataset.interactions.items, minlength=dataset.n_items) > 0
            fitted._content_vectors = (
                sparse.diags_array(used.astype(np.float32)) @ vectors
            ).tocsr()
            smoothing = content_smoothing(
                vectors,
                fitted._content_vectors,
                self.config.content_smoothing,
                self.config.content_neighbors,
                tiebreak,
            )
        fitted._weights = self._largest_weights(matrix, smoothing, tiebreak)
        if item_query_matrix is not None:
            fitted._item_query_weights = self._largest_weights(
                item_query_matrix, smoothing, tiebreak
            )
        fitted._known = np.zeros(dataset.n_items, np.bool_)
        fitted._known[np.unique(fitted._weights.indices)] = True
        return fitted

    def _largest_weights(
        self, matrix: Any, smoothing: sparse.csr_matrix | None, tiebreak: UInt64Array
    ) -> sparse.csr_matrix:
        """The largest entries of each row, after smoothing by content if there is any."""
        if smoothing is not None:
            return smooth(smoothing, matrix, self.config.top_k, tiebreak)
        ranges = row_ranges(matrix.shape[0])
        blocks = [largest_entries(matrix[rows], self.config.top_k, tiebreak) for rows in ranges]
        return stack(blocks, matrix.shape)

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Updates | None:
        if self._tfidf is None:
            return None
        n_items = self._weights.shape[0]
        is_first = not isinstance(previous, ItemUpdates)
        empty = sparse.csr_matrix((0, n_items), dtype=np.float32)
        updates: Updates = Updates.empty(version, empty) if is_first else previous
        fields = self._tfidf.fields(catalogue)
        numbers, hashes = updates.outdated_outside(catalogue, fields, self._known)
        neighbors = similar_rows(
            self._tfidf.vectors(catalogue, numbers),
            self._content_vectors,
            self.config.content_neighbors,
            catalogue.tiebreak[:n_items],
            exclude_self=False,
        )
        retained = updates.values[updates.retained(numbers)]
        rows = sparse.vstack([retained, rows_to_sum_1(neighbors)]).tocsr()
        return updates.extended(catalogue, numbers, rows, hashes)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        updates: Updates | None = updates_in(queries, self.name)
        scores = self._weighted_sums(queries, self._smoothed_history(queries, updates))
        is_empty = ~scores.any(axis=1)
        if updates is None:
            scores[:, ~self._known] = np.nan
        else:
            new_scores = self._update_weight * (updates.values @ scores.T).T  # float32 [B, N]
            new_scores[:, np.diff(updates.values.indptr) == 0] = np.nan  # without neighbours
            scores[:, ~self._known] = np.nan
            scores = overlay_items(scores, updates.item_numbers, new_scores, axis=1)
        scores[is_empty] = np.nan
        return scores

    def _weighted_sums(self, queries: QueryBatch, history: SparseRows) -> Float32Array:
        """History times matrix, float32 [B, n]; items of a query have a matrix of their own."""
        if self._item_query_weights is None or not len(queries.items.values):
            return history.matmul(self._weights)
        is_item_query = (queries.items.lengths > 0)[history.rows]
        scores = history.where(is_item_query).matmul(self._item_query_weights)
        if not is_item_query.all():
            scores += history.where(~is_item_query).matmul(self._weights)
        return scores

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        n_items = self._weights.shape[0]
        history = self._decayed_history(queries, n_items).sum_duplicates()
        explanations = np.full(numbers.shape, ABSENT, np.int32)
        for row in range(len(queries.users)):
            events = slice(history.offsets[row], history.offsets[row + 1])
            items, weights = history.columns[events], history.weights[events]
            known = (numbers[row] >= 0) & (numbers[row] < n_items)
            if len(items) and known.any():
                matrix = self._weights
                if self._item_query_weights is not None and len(queries.items[row]):
                    matrix = self._item_query_weights
                candidates = numbers[row][known]
                explanations[row, known] = top_contributor(matrix, items, weights, candidates)
        return explanations

    @property
    def _update_weight(self) -> Any:
        """The weight of a content neighbour's score for an item that was added after the fit.

        The neighbour's own behaviour shall weigh `content_smoothing`, as in a fit; its score also
        holds what it took over itself from its own content neighbours.
        """
        return np.float32(self.config.content_smoothing / (1 + self.config.content_smoothing))

    def _decayed_history(self, queries: QueryBatch, n_items: int) -> SparseRows:
        """The query histories, weighted by age, over `n_items` items."""
        history = queries.effective_history
        return decayed_history(history, self.config.basket_decay, n_items, self.config.max_baskets)

    def _smoothed_history(self, queries: QueryBatch, updates: Updates | None) -> SparseRows:
        """The decayed histories over the items of the fit; neighbours stand for updated items."""
        n_items = self._weights.shape[0]
        if updates is None:
            return self._decayed_history(queries, n_items)
        width = max(n_items, int(updates.item_numbers.max()) + 1)
        history = self._decayed_history(queries, width)
        fitted, updated = history.split_columns(n_items, updates.item_numbers)
        if not len(updated.columns):
            return fitted
        neighbors = updated.matmul_sparse(updates.values)
        return fitted.hstack(
            neighbors.scaled(np.full(len(neighbors), self._update_weight, np.float32))
        )


_MAX_CONTRIBUTORS = 64
"""The most items of a history that are considered as an explanation: the heaviest ones."""


def top_contributor(
    matrix: sparse.csr_matrix, rows: Int32Array, weights: Float32Array, columns: Int32Array
) -> Int32Array:
    """Find the row that contributes most to each column of a weighted sum of rows.

    Args:
        matrix: CSR [n, m].
        rows: int32 [R], the rows of the sum; of more than 64 only the heaviest are considered.
        weights: float32 [R], their weights.
        columns: int32 [C], the columns to explain.

    Returns:
        int32 [C], one of `rows`, or -1 where none of them has an entry.
    """
    if len(rows) > _MAX_CONTRIBUTORS:
        heaviest = np.argpartition(weights, len(weights) - _MAX_CONTRIBUTORS)[-_MAX_CONTRIBUTORS:]
        rows, weights = rows[heaviest], weights[heaviest]
    starts = matrix.indptr[rows].astype(np.int64)
    lengths = matrix.indptr[rows + 1] - starts
    entries = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    entries += np.arange(int(lengths.sum()))
    positions = np.full(matrix.shape[1], ABSENT, np.int64)
    positions[columns] = np.arange(len(columns))
    column_positions = positions[matrix.indices[entries]]
    hits = np.flatnonzero(column_positions >= 0)
    owners = np.repeat(np.arange(len(rows)), lengths)[hits]
    order = np.argsort(matrix.data[entries[hits]] * weights[owners], kind="stable")
    best = np.full(len(columns), ABSENT, np.int64)
    best[column_positions[hits[order]]] = owners[order]  # the last one written is the largest
    return np.where(best >= 0, rows[best], ABSENT).astype(np.int32)
