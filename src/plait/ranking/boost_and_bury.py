"""Applies the order that a query requests: companions first, boosts up, buries down.

Scores of different recipes differ in scale and sign, so a boost moves an item by its place in the
list and not by its score: an item at place p with the factor f goes to where place
(p + 2) ** (1 / f) - 2 is. A factor of 1.5 moves place 6 to 2 and place 25 to 7, a factor of 0.5
moves place 1 to 6 and place 2 to 13; a factor of 0 puts an item behind all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int32Array
from plait.data.query_batch import QueryBatch
from plait.data.query_controls import Boost
from plait.errors import FilterError
from plait.ranking.filters.filter_expression import compile_filter

__all__ = ["boost_factors", "requested_order"]

_HEAD = 3.0
"""What is added to a rank from 0 before the power: a factor of 1.5 moves the second to the top."""


def boost_factors(queries: QueryBatch, numbers: Int32Array) -> Float32Array:
    """Multiply the factors of the boosts that match each candidate.

    Args:
        queries: B queries with `boosts`.
        numbers: Item numbers, int32 [B, K]; -1 is padding.

    Returns:
        float32 [B, K], 1 where none matches.

    Raises:
        FilterError: An expression does not fit the fields of the catalogue.
    """
    factors = np.ones(numbers.shape, np.float32)
    if queries.boosts is None or queries.live is None:
        return factors
    catalogue = queries.live.state.catalogue
    for row, boosts in enumerate(queries.boosts):
        is_known = (numbers[row] >= 0) & (numbers[row] < len(catalogue))
        known = numbers[row][is_known]
        for position, boost in enumerate(boosts):
            matches = _matches(boost, position, catalogue)[known]
            factors[row, np.flatnonzero(is_known)[matches]] *= np.float32(boost.factor)
    return factors


def requested_order(
    score: Float32Array | Float64Array,
    ties: Any,
    factors: Float32Array | None,
    companion_ranks: Int32Array | None,
    present: BoolArray,
    has_place: BoolArray | None = None,
) -> tuple[Float64Array, Int32Array]:
    """Replace scores by those that give the requested order.

    Args:
        score: float32 [B, K], larger is better.
        ties: What orders candidates of equal score, [B, K], smaller first.
        factors: The factors of the boosts, float32 [B, K]; NaN for what fills a list, which no
            boost moves and which stays behind all others; None: there are no boosts.
        companion_ranks: int32 [B, K], the rank of a companion and -1 for others; None: none.
        present: bool [B, K], the candidates that may be shown; the others come last.
        has_place: bool [B, K], those and what earlier responses of this list have shown; None:
            there are none.

    Returns:
        Scores float64 [B, K], -inf for those that may not be shown, and the places int32 [B, K]
        that break their ties.
    """
    keys: Sequence[Any] = (ties, -score)
    if companion_ranks is not None:
        behind = np.iinfo(np.int32).max
        keys = (*keys, np.where(companion_ranks < 0, behind, companion_ranks))
    counted = present if has_place is None else has_place
    ranking = np.lexsort((*keys, ~counted), axis=1)
    places: Int32Array = np.empty(score.shape, np.int32)
    np.put_along_axis(places, ranking, np.arange(score.shape[1], dtype=np.int32)[None, :], axis=1)
    moved: Float64Array = places.astype(np.float64) + _HEAD
    if factors is not None:
        with np.errstate(divide="ignore", over="ignore"):
            moved = moved ** (1.0 / factors.astype(np.float64))
        moved[np.isnan(moved)] = np.inf
    return np.where(present, -moved, -np.inf), places


def _matches(boost: Boost, position: int, catalogue: Any) -> BoolArray:
    try:
        return compile_filter(boost.filter).mask(catalogue)
    except FilterError as problem:
        field = f"boosts.{position}.filter"
        raise FilterError(problem.message, hint=problem.hint, field=field) from None
