"""How relevant items are, from clicks: a position-based click model, fitted by EM.

A click needs that a person looks at the place and finds the item relevant:
P(click) = examination(rank) x relevance(query, item). The same item at several places tells the two
apart (Chuklin et al., 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int64Array

__all__ = ["ClickModel", "fit_click_model"]

_ITERATIONS = 40
_RANKS = 50
"""Places behind this one are looked at as often as this one."""

_PRIOR_CLICKS, _PRIOR_LOOKS = 0.5, 2.0
"""What is added to clicks and looks: an item shown once is neither certainly good nor bad."""

_LEAST = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class ClickModel:
    """What clicks say.

    Attributes:
        examination: By rank from 0 the share of persons who look there, 1 for the first, float64
            [R].
        relevance: By pair of a query and an item the share of those who look at it that click,
            float64 [P].
        looks: By pair how often it was looked at, as far as is known, float64 [P].
    """

    examination: Float64Array
    relevance: Float64Array
    looks: Float64Array


def fit_click_model(pairs: Int64Array, ranks: Int64Array, clicked: BoolArray) -> ClickModel:
    """Fit a position-based model to the items that responses showed.

    Args:
        pairs: The number of the pair of a query and an item, from 0 on, int64 [M].
        ranks: The place of the item in the response, from 0 on, int64 [M].
        clicked: Whether the item was clicked, bool [M].

    Returns:
        The model.
    """
    n_pairs = int(pairs.max(initial=-1)) + 1
    places = np.minimum(ranks, _RANKS - 1)
    n_ranks = int(places.max(initial=0)) + 1
    shown = np.bincount(places, minlength=n_ranks)
    # Without the same pair at two places, nothing tells places from items: then all differences
    # between places are those of the items, of which the first ones would be the better ones.
    examination = 1 / np.log2(np.arange(n_ranks) + 2)
    relevance = np.full(n_pairs, 0.5)
    for _ in range(_ITERATIONS):
        looked = _chance(examination[places], relevance[pairs], clicked)
        liked = _chance(relevance[pairs], examination[places], clicked)
        relevance = np.bincount(pairs, liked, n_pairs) + _PRIOR_CLICKS
        relevance /= np.bincount(pairs, minlength=n_pairs) + _PRIOR_LOOKS
        examination = (np.bincount(places, looked, n_ranks) + 1) / (shown + 2)
        examination = np.clip(examination / examination[0], _LEAST, 1.0)
    looks = np.bincount(pairs, examination[places], n_pairs).astype(np.float64)
    clicks = np.bincount(pairs, clicked, n_pairs)
    shares = (clicks + _PRIOR_CLICKS) / (np.maximum(looks, clicks) + _PRIOR_LOOKS)
    return ClickModel(examination, shares, looks)


def _chance(of_this: Float64Array, of_other: Float64Array, clicked: BoolArray) -> Float64Array:
    """The chance that one of two conditions held, of which a click needs both."""
    both = of_this * of_other
    chances: Float64Array = np.where(clicked, 1.0, (of_this - both) / np.maximum(1 - both, _LEAST))
    return chances
