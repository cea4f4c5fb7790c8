"""From rows of users to means with their intervals: all of them, in slices, and in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np

from plait.data.types import BoolArray
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.aggregation import EvalSet
from plait.evaluation.ranking.per_user import LIFT, POPULARITY, ModelResult
from plait.evaluation.results.per_query import PerQueryMetrics
from plait.evaluation.results.report import Difference, Result
from plait.metrics.bootstrap import (
    Interval,
    cluster_sums,
    intervals,
    percentile_intervals,
    ratio_draws,
)
from plait.metrics.ranking import sliced
from plait.metrics.ties import Doubles

__all__ = ["detail_of", "differences", "results"]

PAIRED = ("recall", "ndcg")
"""The metrics that are sliced and compared in pairs."""

NOTHING = Interval(nan, nan, nan)
"""Of lists that nobody has."""

KEPT = ("recall", "ndcg", "mrr")
"""The metrics that are kept query by query, for comparisons with other runs."""


def results(rows: Sequence[ModelResult], ground: EvalSet, protocol: Protocol) -> list[Result]:
    """Every row's means with their intervals; all rows share the resamples."""
    everybody = np.ones(len(ground), np.bool_)
    found: list[dict[str, Interval]] = [{} for _ in rows]
    _fill(found, [row.users for row in rows], everybody, "", ground, protocol)
    _lists(found, rows, ground, protocol)
    for place, row in enumerate(rows):
        found[place].update({name: Interval(one, one, one) for name, one in row.whole.items()})
    for name, mask in ground.user_slices.items():
        _fill(found, [_main(row.users) for row in rows], mask, f"|{name}", ground, protocol)
    for name, mask in ground.target_slices.items():
        parts = [_part(row.gains, ground, mask) for row in rows]
        asked = np.bincount(ground.targets[mask], minlength=len(ground)) > 0
        _fill(found, parts, asked, f"|{name}", ground, protocol)
    return [
        Result(
            row.model,
            row.baseline,
            row.fit_seconds,
            row.evaluate_seconds,
            row.peak_mb,
            metrics,
            row.spread,
        )
        for row, metrics in zip(rows, found, strict=True)
    ]


def differences(
    row: ModelResult, others: Sequence[ModelResult], ground: EvalSet, protocol: Protocol
) -> list[Difference]:
    """What `row` is ahead of the best of `others`, by each main metric."""
    pairs, gaps = [], []
    for metric, mine in _main(row.users).items():
        best = max(others, key=lambda one: float(one.users[metric].mean()))
        pairs.append((metric, best.model))
        gaps.append(mine - best.users[metric])
    found = _intervals(np.stack(gaps, axis=1), np.ones(len(ground), np.bool_), ground, protocol)
    users = len(np.unique(ground.users))
    return [
        Difference(metric, row.model, against, one, users=users)
        for (metric, against), one in zip(pairs, found, strict=True)
    ]


def detail_of(rows: Sequence[ModelResult], ground: EvalSet) -> PerQueryMetrics:
    """What every query got from every row."""
    values = {
        row.model: {
            name: one.astype(np.float32)
            for name, one in row.users.items()
            if name.partition("@")[0] in KEPT
        }
        for row in rows
    }
    return PerQueryMetrics(ground.keys, ground.users.astype(np.int64), values)


def _fill(
    found: Sequence[dict[str, Interval]],
    values: Sequence[Mapping[str, Doubles]],
    mask: BoolArray,
    suffix: str,
    ground: EvalSet,
    protocol: Protocol,
) -> None:
    """Intervals of all rows and metrics over the queries where `mask`, in one resampling."""
    names = list(values[0])
    table = np.stack([one[name][mask] for one in values for name in names], axis=1)
    every = iter(_intervals(table, mask, ground, protocol))
    for metrics in found:
        metrics.update({f"{name}{suffix}": next(every) for name in names})


def _intervals(
    table: Doubles, mask: BoolArray, ground: EvalSet, protocol: Protocol
) -> list[Interval]:
    """Means of columns [n, C] over the queries where `mask`, users drawn with all of theirs."""
    chance = {"resamples": protocol.resamples, "seed": protocol.seed}
    if protocol.windows == 1:
        return intervals(table, **chance)
    if not mask.any():
        return [NOTHING] * table.shape[1]
    users, clusters = np.unique(ground.users[mask], return_inverse=True)
    over = cluster_sums(table, clusters, len(users))
    under = np.bincount(clusters, minlength=len(users)).astype(np.float64)[:, None]
    return percentile_intervals(ratio_draws(over, under, **chance))


def _lists(
    found: Sequence[dict[str, Interval]],
    rows: Sequence[ModelResult],
    ground: EvalSet,
    protocol: Protocol,
) -> None:
    """Means over users with a list, NaN where nobody has one; columns with the same users are
    resampled together.
    """
    alike: dict[bytes, list[tuple[int, str]]] = {}
    lifted: dict[bytes, list[tuple[int, str]]] = {}
    for place, row in enumerate(rows):
        for name, values in row.lists.items():
            there, group = np.isfinite(values), alike
            if name.startswith(POPULARITY):
                there, group = there & np.isfinite(ground.profile), lifted
            group.setdefault(there.tobytes(), []).append((place, name))
    for group, measured in ((alike, _intervals), (lifted, _lifts)):
        for raw, columns in group.items():
            mask = np.frombuffer(raw, np.bool_)
            if not mask.any():
                for place, name in columns:
                    found[place][name.replace(POPULARITY, LIFT)] = NOTHING
                continue
            table = np.stack([rows[place].lists[name][mask] for place, name in columns], axis=1)
            every = measured(table, mask, ground, protocol)
            for (place, name), one in zip(columns, every, strict=True):
                found[place][name.replace(POPULARITY, LIFT)] = one


def _lifts(table: Doubles, mask: BoolArray, ground: EvalSet, protocol: Protocol) -> list[Interval]:
    """How much more popular what is shown is than what users took: 0.5 is half as much again.

    `table` [n, C]: the mean popularity of lists, of users with a list and a history. Abdollahpouri
    et al., "The unfairness of popularity bias in recommendation" (2019).
    """
    users, clusters = np.unique(ground.users[mask], return_inverse=True)
    over = cluster_sums(table, clusters, len(users))
    under = cluster_sums(ground.profile[mask][:, None], clusters, len(users))
    return percentile_intervals(ratio_draws(over, under, protocol.resamples, protocol.seed) - 1)


def _main(metrics: Mapping[str, Doubles]) -> dict[str, Doubles]:
    return {name: one for name, one in metrics.items() if name.partition("@")[0] in PAIRED}


def _part(gains: Mapping[str, Doubles], ground: EvalSet, mask: BoolArray) -> dict[str, Doubles]:
    """The main metrics by some of the targets alone, NaN for a query with none of them."""
    rows = ground.targets[mask]
    return {name: sliced(name, one[mask], rows, len(ground)) for name, one in gains.items()}
