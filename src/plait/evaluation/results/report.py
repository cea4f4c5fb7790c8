"""The report of an evaluation, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import DataWarning
from plait.evaluation.results.per_query import PerQueryMetrics, is_better
from plait.evaluation.results.undefined_metrics import format_bounds
from plait.metrics.bootstrap import Interval

__all__ = ["FUSED", "MIN_USERS", "Difference", "Report", "Result", "has_no_lists"]

FUSED = "fused"
"""The row of the whole recipe."""

MIN_USERS = 6
"""Fewer users agree by chance in more than one sample of twenty: all of five in one of 16."""


def has_no_lists(metrics: Mapping[str, Interval]) -> bool:
    """Tell whether a model returned no list for any query.

    Args:
        metrics: Metrics of its row by name.

    Returns:
        True if the row has a coverage and it is 0 at every k.
    """
    coverages = [value.value for name, value in metrics.items() if name.startswith("coverage@")]
    return bool(coverages) and not any(coverages)


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the report.

    Attributes:
        model: Name of the row.
        baseline: Whether the row is a baseline.
        fit_seconds: Seconds to fit.
        evaluate_seconds: Seconds to answer all queries.
        peak_mb: Peak memory in MB (10^6 bytes).
        metrics: Metrics by name, slices as "recall@10|new-items".
        spread: Standard deviation between seeds by metric, empty for a single seed.
    """

    model: str
    baseline: bool
    fit_seconds: float
    evaluate_seconds: float
    peak_mb: float
    metrics: Mapping[str, Interval]
    spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_no_lists(self) -> bool:
        """Whether the model returned no list for any query, as a text model without texts."""
        return has_no_lists(self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON holds it."""
        row: dict[str, Any] = {
            "model": self.model,
            "baseline": self.baseline,
            "fit_seconds": round(self.fit_seconds, 4),
            "evaluate_seconds": round(self.evaluate_seconds, 4),
            "peak_mb": round(self.peak_mb, 1),
            "metrics": {name: interval.to_dict() for name, interval in self.metrics.items()},
        }
        if self.spread:
            row["spread"] = {
                name: None if math.isnan(deviation) else deviation
                for name, deviation in self.spread.items()
            }
        return row


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an evaluation.

    Attributes:
        protocol: The resolved protocol.
        results: The rows of models and baselines.
        paired: Differences of each fusion to the best other row and to the first fusion.
        flags: Warnings about the data.
        data: Counts and identity of the data.
        looked: How often the test of this protocol was evaluated, this evaluation included; 0
            where no history is kept.
        seeds: Seeds of the fits.
        recipes: Recipes by name, as data.
        run: Id of the run, the folder in which a home stores it.
        detail: Per-query metrics, which a comparison with another run needs.
    """

    protocol: Protocol
    results: Sequence[Result]
    paired: Sequence[Difference] = ()
    flags: Sequence[DataWarning] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    looked: int = 0
    seeds: tuple[int, ...] = ()
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    run: str = ""
    detail: PerQueryMetrics | None = None

    def result(self, model: str) -> Result:
        """Look up a row.

        Args:
            model: Name of the row.

        Returns:
            The row.

        Raises:
            KeyError: If there is no such row; the message lists the rows.
        """
        for row in self.results:
            if row.model == model:
                return row
        raise KeyError(f"no row {model!r}; there are {[row.model for row in self.results]}")

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `plait evaluate --json` writes."""
        return {
            "protocol": {**self.protocol.to_dict(), "hash": self.protocol.hash},
            "results": [row.to_dict() for row in self.results],
            "paired": [difference.to_dict() for difference in self.paired],
            "flags": [flag.to_dict() for flag in self.flags],
            "data": dict(self.data),
            "excluded": self.data.get("excluded", 0),
            "looked": self.looked,
            "seeds": list(self.seeds),
            "recipes": dict(self.recipes),
            "run": self.run,
        }
