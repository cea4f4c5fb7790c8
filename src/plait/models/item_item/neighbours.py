"""Item neighbours: ordered co-occurrence divided by popularity.

After item-based and sequential nearest neighbours (Sarwar et al., 2001; Ludewig and Jannach,
2018), with baskets, order and distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.dataset import Dataset
from plait.features.blockwise_matrices import blocks, map_blocks
from plait.features.interactions import interaction_matrix
from plait.features.sparse_topk import filter_entries, row_topk_mask, rows_of
from plait.models.item_item.base import ItemItem, ItemItemConfig
from plait.models.item_item.cooccurrence_counts import CooccurrenceCounts
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.search_space import Range, tunable
from plait.training.memory_budget import require_memory

__all__ = ["Neighbours", "NeighboursConfig"]

_MAX_PAIRS = 1 << 27
"""How many pairs are stored before content smoothing, 1 GB: all pairs of up to 11,585 items, of
more items the strongest of each."""


@dataclass(frozen=True, slots=True)
class NeighboursConfig(ItemItemConfig):
    """Settings of `neighbours`."""

    source_popularity_exponent: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0))
    """Counts are divided by the popularity of the predicting item to this power,"""
    target_popularity_exponent: float = tunable(0.3, Range(0.0, 1.0), Limit(least=0))
    """and by that of the predicted item to this power."""
    pair_shrinkage: float = tunable(0.0, Range(0.0, 10.0), Limit(least=0))
    """A pair that n users share counts n / (n + this): what one user did by chance does not outrank
    what several did; 0: every pair counts in full."""
    item_query_pair_shrinkage: float = bounded_field(5.0, Limit(least=0))
    """The same for queries that start from items ("more like this"), where a single pair may be all
    that is known."""
    use_weights: bool = False
    """Whether an item counts by the weights of its events, in pairs and in its popularity; false:
    by how often a user comes back to it."""


class Neighbours(ItemItem[NeighboursConfig]):
    """Scores an item by how often it came with, or after, the items of the history."""

    Config = NeighboursConfig
    test_variants = ({"content_smoothing": 0.5, "content": {"min_df": 1}}, {"use_weights": True})

    def _item_matrix(self, dataset: Dataset) -> sparse.csr_matrix:
        counts = CooccurrenceCounts.of(dataset, self.config, use_weights=self.config.use_weights)
        n_items = len(counts.event_counts)
        row_limit = max(self.config.top_k, _MAX_PAIRS // max(n_items, 1))
        # Twice: the blocks, and the matrix that is stacked from them.
        n_copies = 2 if self._has_one_shrinkage else 3  # the third is `_item_query_matrix`
        needed = int(n_copies * 8 * n_items * counts.mean_row_entries(row_limit))
        require_memory({"top_k": needed}, f"fitting `{self.name}`")
        popularity = np.where(counts.popularity > 0, counts.popularity, np.float32(1))
        source = popularity ** np.float32(-self.config.source_popularity_exponent)
        target = popularity ** np.float32(-self.config.target_popularity_exponent)

        interactions = interaction_matrix(dataset)
        users_by_item = interactions.T.tocsr()
        shrinkage = np.float32(self.config.pair_shrinkage)

        def normalized_rows(block: slice) -> sparse.csr_matrix:
            rows = counts.rows(block)
            if shrinkage:
                users = (users_by_item[block] @ interactions).tocsr()
                users.data /= users.data + shrinkage
                rows = rows.multiply(users).tocsr()
            rows.data *= source[block][rows_of(rows)] * target[rows.indices]
            mask = row_topk_mask(rows, row_limit, dataset.catalogue.tiebreak)
            return filter_entries(rows, mask)

        matrix = map_blocks(normalized_rows, counts.blocks, 2)
        matrix.sort_indices()
        return matrix

    @property
    def _has_one_shrinkage(self) -> bool:
        """Whether queries that start from items and others have the same weights."""
        return self.config.item_query_pair_shrinkage == self.config.pair_shrinkage

    def _item_query_matrix(self, dataset: Dataset, matrix: Any) -> Any:
        if self._has_one_shrinkage:
            return None
        before = np.float32(self.config.pair_shrinkage)
        after = np.float32(self.config.item_query_pair_shrinkage)
        interactions = interaction_matrix(dataset)
        users_by_item = interactions.T.tocsr()

        def shrunk_rows(block: slice) -> sparse.csr_matrix:
            users = (users_by_item[block] @ interactions).tocsr()
            users.data = (users.data + before) / (users.data + after)
            return matrix[block].multiply(users).tocsr()

        event_counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
        return map_blocks(shrunk_rows, blocks(event_counts), 2)
