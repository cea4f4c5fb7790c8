"""What seeds alone may do to a difference, and which rows depend on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

from scipy.special import stdtrit

from plait.evaluate.report import Difference

__all__ = ["FUSED", "ONE_SEED", "Seeds", "judged", "margin", "seeded"]

FUSED = "fused"
"""The row of the whole recipe."""

ONE_SEED = "one seed: how far seeds lie apart is not known (--seeds 3)"

LEVEL = 0.95

Seeds = tuple[int, Mapping[str, float | None]]
"""How many seeds a row is the mean of, and by metric their standard deviation (None: unknown)."""


def margin(mine: float, many: int, theirs: float, others: int) -> float:
    """How far seeds alone may put two means apart, of `many` and `others` seeds whose standard
    deviations are `mine` and `theirs`: half of the 95 % interval of their difference (Welch, "The
    generalization of Student's problem", 1947). What does not depend on the seed deviates by 0.
    """
    parts = [
        (apart * apart / count, count - 1)
        for apart, count in ((mine, many), (theirs, others))
        if count > 1 and apart > 0
    ]
    total = sum(part for part, _ in parts)
    if not total:
        return 0.0
    freedom = 1 / sum((part / total) ** 2 / degrees for part, degrees in parts)
    return float(stdtrit(freedom, (1 + LEVEL) / 2)) * sqrt(total)


def judged(found: Sequence[Difference], rows: Mapping[str, Seeds]) -> list[Difference]:
    """Differences with what seeds alone may do, where one of the two rows was measured with
    several; `rows` by name.
    """
    return [replace(one, seed_margin=_margin_of(one, rows)) for one in found]


def _margin_of(one: Difference, rows: Mapping[str, Seeds]) -> float | None:
    (many, mine), (others, theirs) = rows[one.model], rows[one.against]
    if max(many, others) < 2:
        return None
    return margin(mine.get(one.metric) or 0.0, many, theirs.get(one.metric) or 0.0, others)


def seeded(row: str, recipes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a row comes from a stage that trains; `recipes` are the report's, and one that was
    kept before they told of it has none.
    """
    for name, told in recipes.items():
        bare = row.removeprefix(f"{name}/") if len(recipes) > 1 else row
        stages = told.get("trained") or ()
        if bare in stages or (stages and bare == FUSED):
            return True
    return False
