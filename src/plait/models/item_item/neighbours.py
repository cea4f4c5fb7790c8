"""Item neighbours: what is taken together and one after another, divided by popularity.

In the line of sequential and session-based nearest neighbours (Sarwar et al., 2001; Ludewig &
Jannach, 2018), with baskets, order and distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from plait.data.types import Dataset
from plait.features.blockwise import foremost, only, rows_of, shared
from plait.models.item_item.base import ItemItem, ItemItemConfig
from plait.models.item_item.cooccurrence import Pairs
from plait.pipeline.constraints import Limit
from plait.pipeline.search_space import Range, tunable
from plait.training.memory_budget import check_room

__all__ = ["Neighbours", "NeighboursConfig"]

_ENTRIES = 1 << 27
"""So many pairs are held before items lend each other theirs, 1 GB: up to 11,585 items have room
for all of them, more items for the strongest of each."""


@dataclass(frozen=True, slots=True)
class NeighboursConfig(ItemItemConfig):
    """What `neighbours` can be told."""

    from_norm: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0))
    """Counts are divided by the popularity of the item that announces to this power,"""
    to_norm: float = tunable(0.3, Range(0.0, 1.0), Limit(least=0))
    """and by that of the announced item to this power."""


class Neighbours(ItemItem):
    """Scores an item by how often it came with, or after, what the history holds."""

    Config = NeighboursConfig

    def _matrix(self, dataset: Dataset) -> sparse.csr_matrix:
        counted = Pairs.of(dataset, self.config)
        held = self._held(counted)
        popularity = np.maximum(counted.events, 1).astype(np.float32)
        before = popularity ** np.float32(-self.config.from_norm)
        after = popularity ** np.float32(-self.config.to_norm)

        def rows(block: slice) -> sparse.csr_matrix:
            found = counted.rows(block)
            found.data *= before[block][rows_of(found)] * after[found.indices]
            return only(found, foremost(found, held, dataset.catalogue.tiebreak))

        matrix = shared(rows, counted.blocks, 2)
        matrix.sort_indices()
        return matrix

    def _held(self, counted: Pairs) -> int:
        """How many entries of a row there is room for; raises InputError where there is none."""
        size = len(counted.events)
        held: int = max(self.config.neighbours, _ENTRIES // max(size, 1))
        entries = size * counted.entries(held)
        # Twice: the blocks, and the matrix that is made of them.
        check_room({"neighbours": int(2 * 8 * entries)}, "fitting `neighbours`")
        return held
