"""What the lists of all users show, ties in expectation: coverage, novelty, exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.types import BoolArray, Int32Array, Int64Array
from plait.metrics.ties import Doubles, TieGroups

__all__ = [
    "ExposureChances",
    "add_absence",
    "coverage",
    "exposure_chances",
    "gini",
    "mean_worth",
    "novelty",
    "surprise",
]


@dataclass(frozen=True, slots=True, eq=False)
class ExposureChances:
    """E chances to be shown: `rows` int64 [E] lists, `items` int32 [E], `chances` float64 [E]."""

    rows: Int64Array
    items: Int32Array
    chances: Doubles


def exposure_chances(groups: TieGroups, numbers: Int32Array, k: int) -> ExposureChances:
    """Who is in the first k places of which list of `numbers` [B, K], and with what chance."""
    chances = (groups.inside(k) / groups.sizes)[groups.members]
    kept = chances > 0
    rows = groups.rows[groups.members[kept]]
    return ExposureChances(rows, numbers.ravel()[groups.cells[kept]], chances[kept])


def add_absence(absence: Doubles, part: ExposureChances) -> None:
    """Add, in place and by item number, the log of the chance to be in none of the lists."""
    with np.errstate(divide="ignore"):
        np.add.at(absence, part.items, np.log1p(-part.chances))


def coverage(absence: Doubles, candidates: BoolArray) -> float:
    """The expected share of the `candidates` (bool by number) that are in somebody's list."""
    there = -np.expm1(absence[candidates])
    return float(there.sum() / max(len(there), 1))


def surprise(items: Int32Array, n_items: int) -> Doubles:
    """-log2 of every item's share of the events `items`, one added to each count, float64."""
    counts = np.bincount(items, minlength=n_items) + 1.0
    worth: Doubles = -np.log2(counts / counts.sum())
    return worth


def mean_worth(part: ExposureChances, worth: Doubles, batch: int) -> Doubles:
    """The mean `worth` (by item number) of what each of `batch` lists shows, float64.

    NaN for an empty list.
    """
    total = np.bincount(part.rows, part.chances * worth[part.items], batch)
    length = np.bincount(part.rows, part.chances, batch)
    with np.errstate(invalid="ignore"):
        found: Doubles = total / length
    return found


def novelty(part: ExposureChances, surprises: Doubles, batch: int) -> Doubles:
    """The mean surprise of what each of `batch` lists shows, float64; NaN for an empty list."""
    return mean_worth(part, surprises, batch)


def gini(exposure: Doubles) -> float:
    """How unequally `exposure` [n] is spread: 0 all the same, near 1 everything on one."""
    total, count = float(exposure.sum()), len(exposure)
    if not total or not count:
        return 0.0
    rising = np.sort(exposure)
    places = 2 * np.arange(1, count + 1) - count - 1
    return float((places * rising).sum() / (count * total))
