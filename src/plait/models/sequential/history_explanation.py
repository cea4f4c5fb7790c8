"""The item of a history that explains a candidate: the nearest one by cosine."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import ABSENT, Int32Array
from plait.data.history import History
from plait.features.vector_math import l2_normalize
from plait.models.sequential.item_embedding_table import ItemVectors

__all__ = ["nearest_history_item"]

_RECENT = 50
"""The newest items of a history that can explain another item."""


def nearest_history_item(
    history: History, items: ItemVectors, item_numbers: Int32Array
) -> Int32Array:
    """Find the item of each history that is nearest to each candidate, by cosine.

    Args:
        history: B histories, of which the newest items count.
        items: The vectors of N items.
        item_numbers: int32 [B, K], the candidates.

    Returns:
        int32 [B, K]; -1 where candidate or history has no vector.
    """
    table, known = items.table, items.known
    result = np.full(item_numbers.shape, ABSENT, np.int32)
    for row in range(len(history)):
        start = max(history.offsets[row], history.offsets[row + 1] - _RECENT)
        past = np.unique(history.items[start : history.offsets[row + 1]])
        past = past[past < len(known)]
        past = past[known[past]]
        is_known = (item_numbers[row] >= 0) & (item_numbers[row] < len(known))
        is_known[is_known] = known[item_numbers[row][is_known]]
        if len(past) and is_known.any():
            candidates = item_numbers[row][is_known]
            cosines = l2_normalize(table[candidates]) @ l2_normalize(table[past]).T
            result[row, is_known] = past[cosines.argmax(axis=1)]
    return result
