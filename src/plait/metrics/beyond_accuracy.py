"""Metrics of the lists of all users, in expectation over ties: coverage, novelty, exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.metrics.ties import TieGroups

__all__ = [
    "ExposureChances",
    "add_absence",
    "coverage",
    "exposure_chances",
    "gini",
    "mean_exposed_value",
    "self_information",
]


@dataclass(frozen=True, slots=True, eq=False)
class ExposureChances:
    """The probabilities that items are shown.

    Attributes:
        rows: int64 [E], the list.
        items: int32 [E], the item number.
        chances: float64 [E], above 0.
    """

    rows: Int64Array
    items: Int32Array
    chances: Float64Array


def exposure_chances(groups: TieGroups, numbers: Int32Array, k: int) -> ExposureChances:
    """Compute the probability of each item to be among the first k of a list.

    Args:
        groups: the lists.
        numbers: int32 [B, K], the candidates that the groups refer to.
        k: the cut-off.

    Returns:
        The probabilities above 0.
    """
    chances = (groups.inside(k) / groups.sizes)[groups.members]
    is_shown = chances > 0
    rows = groups.rows[groups.members[is_shown]]
    return ExposureChances(rows, numbers.ravel()[groups.cells[is_shown]], chances[is_shown])


def add_absence(absence: Float64Array, exposure: ExposureChances) -> None:
    """Accumulate the log probability of each item to be in none of the lists.

    Args:
        absence: float64 [n_items], changed in place; 0 at the start.
        exposure: the items that more lists show.
    """
    with np.errstate(divide="ignore"):
        np.add.at(absence, exposure.items, np.log1p(-exposure.chances))


def coverage(absence: Float64Array, candidates: BoolArray) -> float:
    """Compute the expected share of the candidates that at least one list shows.

    Catalogue coverage: Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy" (RecSys 2010).

    Args:
        absence: float64 [n_items], as from `add_absence`.
        candidates: bool [n_items].

    Returns:
        The share, 0 to 1.
    """
    presence = -np.expm1(absence[candidates])
    return float(presence.sum() / max(len(presence), 1))


def self_information(items: Int32Array, n_items: int) -> Float64Array:
    """Compute the self-information of items, -log2 p, with one event added to each count.

    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems" (2010).

    Args:
        items: int32 [N], the item of each event.
        n_items: the number of items.

    Returns:
        float64 [n_items], bits.
    """
    counts = np.bincount(items, minlength=n_items) + 1.0
    information: Float64Array = -np.log2(counts / counts.sum())
    return information


def mean_exposed_value(exposure: ExposureChances, values: Float64Array, batch: int) -> Float64Array:
    """Average a value of items over what each list shows.

    Args:
        exposure: the items that the lists show.
        values: float64 [n_items].
        batch: the number of lists.

    Returns:
        float64 [batch]; NaN for an empty list.
    """
    total = np.bincount(exposure.rows, exposure.chances * values[exposure.items], batch)
    length = np.bincount(exposure.rows, exposure.chances, batch)
    with np.errstate(invalid="ignore"):
        means: Float64Array = total / length
    return means


def gini(exposure: Float64Array) -> float:
    """Compute how unequally exposure is distributed over items.

    Sum over ascending x_i of (2 i - n - 1) x_i, divided by n times the sum of x (Gini, 1912; for
    recommendations: Fleder and Hosanagar, 2009).

    Args:
        exposure: float64 [n], at least 0.

    Returns:
        0 if all items are the same, near 1 if one item has everything; 0 without exposure.
    """
    total, count = float(exposure.sum()), len(exposure)
    if not total or not count:
        return 0.0
    coefficients = 2 * np.arange(1, count + 1) - count - 1
    return float((coefficients * np.sort(exposure)).sum() / (count * total))
