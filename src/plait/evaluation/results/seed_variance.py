"""What seeds alone may do to a difference, and which rows depend on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Any

from scipy.special import stdtrit

from plait.evaluation.results.report import FUSED, Difference

__all__ = ["ONE_SEED", "SeedVariance", "seed_margin", "seeded", "with_seed_margin"]

ONE_SEED = "one seed: how far seeds lie apart is not known (--seeds 3)"

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class SeedVariance:
    """Of a row: how many seeds it is the mean of, by metric their standard deviation (None: not
    known), and whether it depends on the seed at all.
    """

    count: int
    spread: Mapping[str, float | None]
    depends: bool = True

    def apart(self, metric: str) -> float | None:
        """The deviation of one seed; None where it is not known."""
        if self.count == 1:
            return None if self.depends else 0.0
        found = self.spread.get(metric)
        return found if found is not None and isfinite(found) else None


Sample = tuple[float, int, int]
"""How far seeds lie apart, of how many a mean is, and by how many less one that is known."""


def seed_margin(mine: Sample, theirs: Sample) -> float:
    """How far seeds alone may put two means apart: half of the 95 % interval of their difference
    (Welch, "The generalization of Student's problem", 1947). What does not depend on the seed
    deviates by 0.
    """
    parts = [
        (apart * apart / count, degrees) for apart, count, degrees in (mine, theirs) if apart > 0
    ]
    total = sum(part for part, _ in parts)
    if not total:
        return 0.0
    freedom = 1 / sum((part / total) ** 2 / degrees for part, degrees in parts)
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * sqrt(total)


def with_seed_margin(
    found: Sequence[Difference], rows: Mapping[str, SeedVariance]
) -> list[Difference]:
    """Differences with what seeds alone may do, where that is known of one of the two rows; `rows`
    by name.
    """
    return [replace(one, seed_margin=_margin_of(one, rows)) for one in found]


def _margin_of(one: Difference, rows: Mapping[str, SeedVariance]) -> float | None:
    """A row of one seed is taken to spread as the other one does."""
    mine, theirs = rows[one.model], rows[one.against]
    first, second = mine.apart(one.metric), theirs.apart(one.metric)
    if max(mine.count, theirs.count) < 2 or (first is None and second is None):
        return None
    return seed_margin(_sample(mine, first, theirs, second), _sample(theirs, second, mine, first))


def _sample(
    row: SeedVariance, apart: float | None, other: SeedVariance, lent: float | None
) -> Sample:
    if apart is None:
        return lent or 0.0, row.count, max(other.count - 1, 1)
    return apart, row.count, max(row.count - 1, 1)


def seeded(row: str, recipes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a row comes from a stage that trains or draws; `recipes` are the report's, and one
    that was kept before they told of it has none.
    """
    for name, told in recipes.items():
        bare = row.removeprefix(f"{name}/") if len(recipes) > 1 else row
        stages = told.get("trained") or ()
        if bare in stages or (stages and bare == FUSED):
            return True
    return False
