"""From rows of users to a report: means, intervals, slices, differences, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plait.core.types import Bools
from plait.evaluate.flags import Flag
from plait.evaluate.protocol import Protocol
from plait.evaluate.rows import Row
from plait.measure.bootstrap import Interval, intervals
from plait.measure.exposure import coverage
from plait.measure.ties import Doubles

__all__ = ["Difference", "Report", "Result", "differences", "results"]

PAIRED = ("recall", "ndcg")
"""The metrics that are sliced and compared in pairs."""


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the table; `metrics` by name, slices as "recall@10|new-items"."""

    model: str
    baseline: bool
    fit_seconds: float
    evaluate_seconds: float
    peak_mb: float
    metrics: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {
            "model": self.model,
            "baseline": self.baseline,
            "fit_seconds": round(self.fit_seconds, 4),
            "evaluate_seconds": round(self.evaluate_seconds, 4),
            "peak_mb": round(self.peak_mb, 1),
            "metrics": {name: one._asdict() for name, one in self.metrics.items()},
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """`model` less `against`, user by user; a tie if the interval holds zero."""

    metric: str
    model: str
    against: str
    difference: Interval

    @property
    def tie(self) -> bool:
        """Whether another sample of users could turn it round."""
        return self.difference.low <= 0 <= self.difference.high

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        names = {"metric": self.metric, "model": self.model, "against": self.against}
        return {**names, **self.difference._asdict(), "tie": self.tie}


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found. `looked`: how often this protocol's test was looked at, this time
    included; 0 where no history is kept.
    """

    protocol: Protocol
    results: Sequence[Result]
    paired: Sequence[Difference] = ()
    flags: Sequence[Flag] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    looked: int = 0

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
        }


def results(
    rows: Sequence[Row],
    protocol: Protocol,
    slices: Mapping[str, Bools],
    candidates: Bools,
) -> list[Result]:
    """Every row's means with their intervals; all rows share the resamples.

    `slices` bool [U] by name; `candidates` bool by item number: what coverage is a share of.
    """
    users = [row.users for row in rows]
    found: list[dict[str, Interval]] = [{} for _ in rows]
    _fill(found, users, np.ones(len(rows[0].tied), np.bool_), "", protocol)
    _exposure(found, rows, protocol, candidates)
    for name, mask in slices.items():
        _fill(found, [_main(one) for one in users], mask, f"|{name}", protocol)
    for name, parts in _by_slice([row.parts for row in rows]).items():
        first = next(iter(parts[0].values()))
        if np.isfinite(first).any():
            _fill(found, parts, np.isfinite(first), f"|{name}", protocol)
    return [
        Result(row.model, row.baseline, row.fit_seconds, row.evaluate_seconds, row.peak_mb, metrics)
        for row, metrics in zip(rows, found, strict=True)
    ]


def differences(row: Row, others: Sequence[Row], protocol: Protocol) -> list[Difference]:
    """What `row` is ahead of the best of `others`, by each main metric."""
    pairs, gaps = [], []
    for metric, mine in _main(row.users).items():
        best = max(others, key=lambda one: float(one.users[metric].mean()))
        pairs.append((metric, best.model))
        gaps.append(mine - best.users[metric])
    found = intervals(np.stack(gaps, axis=1), resamples=protocol.resamples, seed=protocol.seed)
    return [
        Difference(metric, row.model, against, one)
        for (metric, against), one in zip(pairs, found, strict=True)
    ]


def _fill(
    found: Sequence[dict[str, Interval]],
    values: Sequence[Mapping[str, Doubles]],
    mask: Bools,
    suffix: str,
    protocol: Protocol,
) -> None:
    """Intervals of all rows and metrics over the users where `mask`, in one resampling."""
    names = list(values[0])
    table = np.stack([one[name][mask] for one in values for name in names], axis=1)
    every = iter(intervals(table, resamples=protocol.resamples, seed=protocol.seed))
    for metrics in found:
        metrics.update({f"{name}{suffix}": next(every) for name in names})


def _exposure(
    found: Sequence[dict[str, Interval]], rows: Sequence[Row], protocol: Protocol, candidates: Bools
) -> None:
    """Coverage, which belongs to all lists together and has no interval, and novelty.

    Novelty is a mean over users with a list; columns with the same users are resampled together.
    """
    alike: dict[bytes, list[tuple[int, str]]] = {}
    for place, row in enumerate(rows):
        for k, absence in row.absence.items():
            share = coverage(absence, candidates)
            found[place][f"coverage@{k}"] = Interval(share, share, share)
        for name, values in row.novelty.items():
            alike.setdefault(np.isfinite(values).tobytes(), []).append((place, name))
    for mask, columns in alike.items():
        kept = np.frombuffer(mask, np.bool_)
        table = np.stack([rows[place].novelty[name][kept] for place, name in columns], axis=1)
        every = intervals(table, resamples=protocol.resamples, seed=protocol.seed)
        for (place, name), one in zip(columns, every, strict=True):
            found[place][name] = one


def _main(metrics: Mapping[str, Doubles]) -> dict[str, Doubles]:
    return {name: one for name, one in metrics.items() if name.partition("@")[0] in PAIRED}


def _by_slice(
    rows: Sequence[Mapping[str, Doubles]],
) -> dict[str, list[dict[str, Doubles]]]:
    """By slice, for each row its metrics by their bare names."""
    names = dict.fromkeys(name.partition("|")[2] for name in rows[0])
    return {
        part: [
            {name.partition("|")[0]: one for name, one in row.items() if name.endswith(f"|{part}")}
            for row in rows
        ]
        for part in names
    }
