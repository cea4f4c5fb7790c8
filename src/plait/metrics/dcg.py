"""Discounted cumulative gain (Järvelin and Kekäläinen, 2002) of lists with binary relevance."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.data.array_types import Float64Array

__all__ = ["discount", "discounts", "ideal_dcg"]


def discount(ranks: Any) -> Float64Array:
    """The gain of a relevant item at a rank.

    Args:
        ranks: Ranks from 0, an array of any shape; fractions are ranks shared by ties.

    Returns:
        float64, of the shape of `ranks`: 1 / log2(rank + 2).
    """
    gains: Float64Array = 1 / np.log2(ranks + 2)
    return gains


def discounts(depth: int) -> Float64Array:
    """The gain of a relevant item at each of the first ranks.

    Args:
        depth: The number of ranks.

    Returns:
        float64 [depth].
    """
    return discount(np.arange(depth))


def ideal_dcg(depth: int) -> Float64Array:
    """The largest discounted cumulative gain by number of relevant items.

    Args:
        depth: The rank at which lists are cut off.

    Returns:
        float64 [depth + 1]: the gain of a list whose first 0, 1, ... `depth` items are relevant.
    """
    return np.concatenate([[0.0], np.cumsum(discounts(depth))])
