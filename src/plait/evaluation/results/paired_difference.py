"""The paired difference of one metric between two rows of a report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from plait.evaluation.results.per_query_metrics import is_better
from plait.evaluation.results.undefined_metrics import format_bounds
from plait.metrics.bootstrap import Interval

__all__ = ["MIN_USERS", "Difference"]


@dataclass(frozen=True, slots=True, repr=False)
class Difference:
    """The paired difference of two rows.

    Attributes:
        metric: Name of the metric.
        model: The first row.
        against: The row that is subtracted.
        difference: `model` less `against` with its interval.
        seed_margin: How far seeds alone may move it, None where that is unknown
            (`plait.evaluation.results.seed_variance`).
        users: Number of users it was measured on, None in reports that do not state it.
    """

    metric: str
    model: str
    against: str
    difference: Interval
    seed_margin: float | None = None
    users: int | None = None

    @property
    def tie(self) -> bool:
        """Whether another sample of users, or other seeds, could reverse it."""
        return self.unknown or self._holds_zero or self.by_seeds

    @property
    def unknown(self) -> bool:
        """Whether there is no interval, or so few users that all may agree by chance."""
        few = self.users is not None and self.users < MIN_USERS
        return math.isnan(self.difference.low) or (few and not self._holds_zero)

    @property
    def unknown_reason(self) -> str:
        """Why the difference is unknown; "" where it is known."""
        if not self.unknown:
            return ""
        if self.users == 1:
            return "one user is not enough"
        if self.users is None or not 1 < self.users < MIN_USERS:
            return "there are too few users"
        samples = 2 ** (self.users - 1)
        return f"{self.users} users are too few: all agree by chance in one sample of {samples}"

    @property
    def by_seeds(self) -> bool:
        """Whether the users agree on it and only other seeds could reverse it."""
        margin = self.seed_margin
        if margin is None or self.unknown or self._holds_zero:
            return False
        return abs(self.difference.value) <= margin

    @property
    def _holds_zero(self) -> bool:
        return self.difference.low <= 0 <= self.difference.high

    @property
    def known(self) -> bool:
        """Whether it has a value: `gauc` has none if no user can be measured."""
        return not math.isnan(self.difference.value)

    @property
    def conclusion(self) -> str:
        """Which row is better, with the lead and its bounds, or why that is undecided."""
        gap, metric, pair = self.difference, self.metric, f"{self.model} and {self.against}"
        bounds = f"[{gap.low:+.4f} {gap.high:+.4f}]"
        if self.unknown:
            value = f"{gap.value:+.4f}{format_bounds(gap)}"
            return f"{metric}: unknown, {pair} ({value}; {self.unknown_reason})"
        if self.by_seeds:
            margin = f"seeds alone can account for {self.seed_margin:.4f}"
            text = f"{metric}: tie within the spread of seeds, {pair}"
            return f"{text} ({gap.value:+.4f} {bounds}; {margin})"
        if self.tie:
            return f"{metric}: tie, {pair} ({gap.value:+.4f} {bounds})"
        ahead, behind = self.model, self.against
        if not is_better(metric, gap.value):
            ahead, behind = behind, ahead
        if gap.value < 0:  # the lead is stated as a positive number, whichever way the metric goes
            bounds = f"[{-gap.high:+.4f} {-gap.low:+.4f}]"
        return f"{metric}: {ahead} is better than {behind} by {abs(gap.value):.4f} {bounds}"

    def __repr__(self) -> str:
        return self.conclusion

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON holds it."""
        names = {"metric": self.metric, "model": self.model, "against": self.against}
        optional = {"seed_margin": self.seed_margin, "users": self.users}
        return {
            **names,
            **self.difference.to_dict(),
            "tie": self.tie,
            **{name: value for name, value in optional.items() if value is not None},
        }


MIN_USERS = 6
"""Fewer users agree by chance in more than one sample of twenty: all of five in one of 16."""
