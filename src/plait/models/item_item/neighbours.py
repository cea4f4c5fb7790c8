"""Item neighbours: what is taken together and one after another, divided by popularity.

In the line of sequential and session-based nearest neighbours (Sarwar et al., 2001; Ludewig &
Jannach, 2018), with baskets, order and distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from plait.data.types import Dataset
from plait.features.blockwise import filter_entries, map_blocks, row_topk_mask, rows_of
from plait.models.item_item.base import ItemItem, ItemItemConfig
from plait.models.item_item.cooccurrence import CooccurrenceCounts
from plait.pipeline.constraints import Limit
from plait.pipeline.search_space import Range, tunable
from plait.training.memory_budget import require_memory

__all__ = ["Neighbours", "NeighboursConfig"]

_ENTRIES = 1 << 27
"""So many pairs are held before items lend each other theirs, 1 GB: up to 11,585 items have room
for all of them, more items for the strongest of each."""


@dataclass(frozen=True, slots=True)
class NeighboursConfig(ItemItemConfig):
    """What `neighbours` can be told."""

    source_popularity_exponent: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0))
    """Counts are divided by the popularity of the item that announces to this power,"""
    target_popularity_exponent: float = tunable(0.3, Range(0.0, 1.0), Limit(least=0))
    """and by that of the announced item to this power."""


class Neighbours(ItemItem[NeighboursConfig]):
    """Scores an item by how often it came with, or after, what the history holds."""

    Config = NeighboursConfig
    test_variants = ({"content_smoothing": 0.5, "content": {"min_df": 1}},)

    def _matrix(self, dataset: Dataset) -> sparse.csr_matrix:
        counted = CooccurrenceCounts.of(dataset, self.config)
        held = self._held(counted)
        popularity = np.maximum(counted.events, 1).astype(np.float32)
        before = popularity ** np.float32(-self.config.source_popularity_exponent)
        after = popularity ** np.float32(-self.config.target_popularity_exponent)

        def rows(block: slice) -> sparse.csr_matrix:
            found = counted.rows(block)
            found.data *= before[block][rows_of(found)] * after[found.indices]
            return filter_entries(found, row_topk_mask(found, held, dataset.catalogue.tiebreak))

        matrix = map_blocks(rows, counted.blocks, 2)
        matrix.sort_indices()
        return matrix

    def _held(self, counted: CooccurrenceCounts) -> int:
        """How many entries of a row there is room for; raises InputError where there is none."""
        size = len(counted.events)
        held: int = max(self.config.top_k, _ENTRIES // max(size, 1))
        entries = size * counted.entries(held)
        # Twice: the blocks, and the matrix that is made of them.
        require_memory({"top_k": int(2 * 8 * entries)}, "fitting `neighbours`")
        return held
