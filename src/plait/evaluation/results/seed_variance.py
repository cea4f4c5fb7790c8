"""How much of a difference the random seeds alone can cause, and which rows depend on a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Any

from scipy.special import stdtrit

from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.report import FUSED

__all__ = [
    "ONE_SEED",
    "SeedSample",
    "SeedVariance",
    "depends_on_seed",
    "seed_margin",
    "with_seed_margin",
]

ONE_SEED = "one seed: the variation between seeds is unknown (use --seeds 3)"

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class SeedVariance:
    """The variation of one row between seeds.

    Attributes:
        n_seeds: Number of seeds that the row is the mean of.
        deviations: Standard deviation between seeds by metric; None where it is unknown.
        depends_on_seed: Whether the row depends on the seed at all.
    """

    n_seeds: int
    deviations: Mapping[str, float | None]
    depends_on_seed: bool = True

    def deviation(self, metric: str) -> float | None:
        """Look up the standard deviation between seeds.

        Args:
            metric: Name of the metric.

        Returns:
            The deviation of a single seed, None where it is unknown.
        """
        if self.n_seeds == 1:
            return None if self.depends_on_seed else 0.0
        deviation = self.deviations.get(metric)
        return deviation if deviation is not None and isfinite(deviation) else None


SeedSample = tuple[float, int, int]
"""Of a mean over seeds: their standard deviation, their number, and its degrees of freedom."""


def seed_margin(first: SeedSample, second: SeedSample) -> float:
    """Compute how far apart two means may lie because of their seeds alone.

    Half of the 95 % interval of their difference (Welch, "The generalization of Student's
    problem", 1947).

    Args:
        first: Deviation, number of seeds and degrees of freedom of the first mean.
        second: The same of the second mean.

    Returns:
        The margin, 0 if neither mean depends on the seed.
    """
    variances = [
        (deviation * deviation / count, degrees)
        for deviation, count, degrees in (first, second)
        if deviation > 0
    ]
    total = sum(variance for variance, _ in variances)
    if not total:
        return 0.0
    freedom = 1 / sum((variance / total) ** 2 / degrees for variance, degrees in variances)
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * sqrt(total)


def with_seed_margin(
    differences: Sequence[Difference], variances: Mapping[str, SeedVariance]
) -> list[Difference]:
    """Add to differences how far seeds alone may move them.

    Args:
        differences: Differences of rows.
        variances: Variation between seeds by row.

    Returns:
        The differences; the margin stays None where the deviation of neither row is known.
    """
    return [
        replace(gap, seed_margin=_margin(gap.metric, variances[gap.model], variances[gap.against]))
        for gap in differences
    ]


def _margin(metric: str, first: SeedVariance, second: SeedVariance) -> float | None:
    """The margin of two rows; a row of one seed is assumed to vary like the other row."""
    own, other = first.deviation(metric), second.deviation(metric)
    if max(first.n_seeds, second.n_seeds) < 2 or (own is None and other is None):
        return None
    return seed_margin(_sample(first, own, second, other), _sample(second, other, first, own))


def _sample(
    row: SeedVariance, deviation: float | None, other: SeedVariance, fallback: float | None
) -> SeedSample:
    """The sample of one row, with the other row's deviation where its own is unknown."""
    if deviation is None:
        return fallback or 0.0, row.n_seeds, max(other.n_seeds - 1, 1)
    return deviation, row.n_seeds, max(row.n_seeds - 1, 1)


def depends_on_seed(row: str, recipes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a row comes from a stage that trains or draws at random.

    Args:
        row: Name of the row.
        recipes: The report's recipes by name; reports of older versions do not list the stages
            that train.

    Returns:
        True for such a stage and for the fusion of a recipe that has one.
    """
    for name, recipe in recipes.items():
        bare = row.removeprefix(f"{name}/") if len(recipes) > 1 else row
        stages = recipe.get("trained") or ()
        if bare in stages or (stages and bare == FUSED):
            return True
    return False
