"""Item neighbours: what is taken together and one after another, divided by popularity.

In the line of sequential and session-based nearest neighbours (Sarwar et al., 2001; Ludewig &
Jannach, 2018), with baskets, order and distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from plait.core.space import Range, tunable
from plait.core.types import Dataset
from plait.models.cooccurrence import pairs
from plait.models.itemitem import ItemItem, ItemItemConfig

__all__ = ["Neighbours", "NeighboursConfig"]


@dataclass(frozen=True, slots=True)
class NeighboursConfig(ItemItemConfig):
    """What `neighbours` can be told."""

    from_norm: float = tunable(0.5, Range(0.0, 1.0))
    """Counts are divided by the popularity of the item that announces to this power,"""
    to_norm: float = tunable(0.3, Range(0.0, 1.0))
    """and by that of the announced item to this power."""


class Neighbours(ItemItem):
    """Scores an item by how often it came with, or after, what the history holds."""

    Config = NeighboursConfig

    def _matrix(self, dataset: Dataset) -> sparse.csr_matrix:
        counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
        popularity = np.maximum(counts, 1).astype(np.float32)
        before = sparse.diags_array(popularity ** np.float32(-self.config.from_norm))
        after = sparse.diags_array(popularity ** np.float32(-self.config.to_norm))
        return (before @ pairs(dataset, self.config) @ after).tocsr().astype(np.float32)
