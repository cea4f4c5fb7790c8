"""What an evaluation found, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import DataWarning
from plait.evaluation.results.per_query import PerQueryMetrics
from plait.metrics.bootstrap import Interval

__all__ = ["FUSED", "LEAST", "Difference", "Report", "Result", "listless"]

FUSED = "fused"
"""The row of the whole recipe."""

LEAST = 6
"""Fewer users agree by chance in more than one sample of twenty: all of five in one of 16."""


def listless(metrics: Mapping[str, Interval]) -> bool:
    """Whether these are the metrics of a row that had no list for anybody."""
    shown = [one.value for name, one in metrics.items() if name.startswith("coverage@")]
    return bool(shown) and not any(shown)


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the table; `metrics` by name, slices as "recall@10|new-items".

    `spread`: the standard deviation of a metric over seeds, where there are several.
    """

    model: str
    baseline: bool
    fit_seconds: float
    evaluate_seconds: float
    peak_mb: float
    metrics: Mapping[str, Interval]
    spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """Whether the model had no list for anybody, such as a strand of words without words."""
        return listless(self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        found: dict[str, Any] = {
            "model": self.model,
            "baseline": self.baseline,
            "fit_seconds": round(self.fit_seconds, 4),
            "evaluate_seconds": round(self.evaluate_seconds, 4),
            "peak_mb": round(self.peak_mb, 1),
            "metrics": {name: one.to_dict() for name, one in self.metrics.items()},
        }
        spread = {name: None if math.isnan(one) else one for name, one in self.spread.items()}
        return found | ({"spread": spread} if spread else {})


@dataclass(frozen=True, slots=True)
class Difference:
    """`model` less `against`, user by user; a tie if the interval holds zero, if seeds alone may
    do as much, or if there are too few users to say.

    `seed_margin`: what they may do, where there are several
    (`plait.evaluation.results.seed_variance`). `users`: how many it was measured on, None where
    that was not kept.
    """

    metric: str
    model: str
    against: str
    difference: Interval
    seed_margin: float | None = None
    users: int | None = None

    @property
    def tie(self) -> bool:
        """Whether another sample of users, or other seeds, could turn it round."""
        return self.unknown or self._by_users or self.by_seeds

    @property
    def unknown(self) -> bool:
        """Whether nothing can be said: no interval, or so few users that all agree by chance."""
        few = self.users is not None and self.users < LEAST
        return math.isnan(self.difference.low) or (few and not self._by_users)

    @property
    def doubt(self) -> str:
        """Why nothing can be said of others; "" where something can."""
        if not self.unknown:
            return ""
        if self.users is None or not 1 < self.users < LEAST:
            return "one user says nothing of others" if self.users == 1 else "too few users to say"
        chance = 2 ** (self.users - 1)
        return f"{self.users} users are too few: by chance all agree in one sample of {chance}"

    @property
    def by_seeds(self) -> bool:
        """Whether users agree on it, and only seeds could turn it round."""
        margin = self.seed_margin
        if margin is None or self.unknown or self._by_users:
            return False
        return abs(self.difference.value) <= margin

    @property
    def _by_users(self) -> bool:
        return self.difference.low <= 0 <= self.difference.high

    @property
    def known(self) -> bool:
        """Whether there is one: a metric such as `gauc` may have nobody to be measured on."""
        return not math.isnan(self.difference.value)

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        names = {"metric": self.metric, "model": self.model, "against": self.against}
        found = {**names, **self.difference.to_dict(), "tie": self.tie}
        more = {"seed_margin": self.seed_margin, "users": self.users}
        return found | {name: one for name, one in more.items() if one is not None}


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found.

    `looked`: how often this protocol's test was looked at, this time included; 0 where no history
    is kept. `seeds`: what each fit started from. `recipes` by name as data. `run`: where a home
    keeps it. `detail`: what every query got, which a comparison with another run needs.
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
        """The row called `model`; KeyError names those there are."""
        for one in self.results:
            if one.model == model:
                return one
        raise KeyError(f"no row {model!r}; there are {[one.model for one in self.results]}")

    def to_dict(self) -> dict[str, Any]:
        """As `plait evaluate --json` writes it."""
        return {
            "protocol": {**self.protocol.to_dict(), "hash": self.protocol.hash},
            "results": [one.to_dict() for one in self.results],
            "paired": [one.to_dict() for one in self.paired],
            "flags": [one.to_dict() for one in self.flags],
            "data": dict(self.data),
            "excluded": self.data.get("excluded", 0),
            "looked": self.looked,
            "seeds": list(self.seeds),
            "recipes": dict(self.recipes),
            "run": self.run,
        }
