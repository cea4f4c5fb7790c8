"""Summarises per-query metrics as means with bootstrap intervals: overall, by slice, in pairs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import nan

import numpy as np

from plait.data.array_types import BoolArray, Float64Array
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.fold_aggregation import EvalSet
from plait.evaluation.ranking.query_metrics import LIFT, POPULARITY, ModelResult
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.per_query_metrics import PerQueryMetrics
from plait.evaluation.results.report import Result
from plait.metrics.bootstrap import (
    Interval,
    cluster_sums,
    intervals,
    percentile_intervals,
    ratio_draws,
)
from plait.metrics.ranking import sliced

__all__ = ["differences_to_best", "per_query_metrics", "summarize"]

PAIRED = ("recall", "ndcg")
"""The metrics that are sliced and compared in pairs."""

PER_QUERY = ("recall", "ndcg", "mrr")
"""The metrics that are stored query by query, for comparisons with other runs."""

UNDEFINED = Interval(nan, nan, nan)
"""The value of a metric of lists where no query got a list."""


def summarize(rows: Sequence[ModelResult], eval_set: EvalSet, protocol: Protocol) -> list[Result]:
    """Compute the means of every row with their intervals.

    Args:
        rows: Results of the models; all share the resampled users.
        eval_set: The queries and their slices.
        protocol: A resolved protocol.

    Returns:
        One row of the report for each result.
    """
    metrics: list[dict[str, Interval]] = [{} for _ in rows]

    def add(
        values: Sequence[Mapping[str, Float64Array]], mask: BoolArray, suffix: str = ""
    ) -> None:
        names = list(values[0])
        table = np.stack([columns[name][mask] for columns in values for name in names], axis=1)
        means = iter(_means(table, mask, eval_set, protocol))
        for row_metrics in metrics:
            row_metrics.update({f"{name}{suffix}": next(means) for name in names})

    add([row.user_metrics for row in rows], np.ones(len(eval_set), np.bool_))
    _add_list_metrics(metrics, rows, eval_set, protocol)
    for row_metrics, row in zip(metrics, rows, strict=True):
        row_metrics.update(
            {name: Interval(value, value, value) for name, value in row.catalogue_metrics.items()}
        )
    for name, mask in eval_set.user_slices.items():
        add([_paired_metrics(row.user_metrics) for row in rows], mask, f"|{name}")
    for name, mask in eval_set.target_slices.items():
        queries = eval_set.targets[mask]
        gains = [
            {
                metric: sliced(metric, values[mask], queries, len(eval_set))
                for metric, values in row.target_gains.items()
            }
            for row in rows
        ]
        add(gains, np.bincount(queries, minlength=len(eval_set)) > 0, f"|{name}")
    return [
        Result(
            row.model,
            row.baseline,
            row.fit_seconds,
            row.evaluate_seconds,
            row.peak_mb,
            row_metrics,
            row.spread,
        )
        for row, row_metrics in zip(rows, metrics, strict=True)
    ]


def differences_to_best(
    row: ModelResult, others: Sequence[ModelResult], eval_set: EvalSet, protocol: Protocol
) -> list[Difference]:
    """Compare a row with the best other row, by each main metric.

    Args:
        row: The row.
        others: The other rows.
        eval_set: The queries.
        protocol: A resolved protocol.

    Returns:
        One paired difference for each metric.
    """
    gaps: list[Float64Array] = []
    pairs: list[tuple[str, str]] = []
    for metric, values in _paired_metrics(row.user_metrics).items():
        means = [float(other.user_metrics[metric].mean()) for other in others]
        best = others[means.index(max(means))]
        pairs.append((metric, best.model))
        gaps.append(values - best.user_metrics[metric])
    everything = np.ones(len(eval_set), np.bool_)
    means_of_gaps = _means(np.stack(gaps, axis=1), everything, eval_set, protocol)
    n_users = len(np.unique(eval_set.users))
    return [
        Difference(metric, row.model, against, gap, users=n_users)
        for (metric, against), gap in zip(pairs, means_of_gaps, strict=True)
    ]


def per_query_metrics(
    rows: Sequence[ModelResult], eval_set: EvalSet, own_metrics: Collection[str] = ()
) -> PerQueryMetrics:
    """Select the metrics that are stored query by query.

    Args:
        rows: Results of the models.
        eval_set: The queries.
        own_metrics: The names of one's own metrics, which are selected too.

    Returns:
        The metrics of every query, as float32.
    """
    values = {
        row.model: {
            name: column.astype(np.float32)
            for name, column in row.user_metrics.items()
            if name.partition("@")[0] in PER_QUERY or name in own_metrics
        }
        for row in rows
    }
    return PerQueryMetrics(eval_set.keys, eval_set.users.astype(np.int64), values)


def _means(
    table: Float64Array, mask: BoolArray, eval_set: EvalSet, protocol: Protocol
) -> list[Interval]:
    """Means of columns [n, C] over the masked queries; users are drawn with all their queries."""
    if protocol.windows == 1 and protocol.name != "cold-users":
        return intervals(table, resamples=protocol.resamples, seed=protocol.seed)
    if not mask.any():
        return [UNDEFINED] * table.shape[1]
    users, clusters = np.unique(eval_set.users[mask], return_inverse=True)
    sums = cluster_sums(table, clusters, len(users))
    counts = np.bincount(clusters, minlength=len(users)).astype(np.float64)[:, None]
    return percentile_intervals(ratio_draws(sums, counts, protocol.resamples, protocol.seed))


def _popularity_lifts(
    table: Float64Array, mask: BoolArray, eval_set: EvalSet, protocol: Protocol
) -> list[Interval]:
    """The popularity of the shown items relative to that of histories: 0.5 is half as much again.

    `table` [n, C]: mean popularity of the lists of users with a list and a history (Abdollahpouri
    et al., "The unfairness of popularity bias in recommendation", 2019).
    """
    users, clusters = np.unique(eval_set.users[mask], return_inverse=True)
    shown = cluster_sums(table, clusters, len(users))
    history = cluster_sums(eval_set.history_popularity[mask][:, None], clusters, len(users))
    draws = ratio_draws(shown, history, protocol.resamples, protocol.seed)
    return percentile_intervals(draws - 1)


def _add_list_metrics(
    metrics: Sequence[dict[str, Interval]],
    rows: Sequence[ModelResult],
    eval_set: EvalSet,
    protocol: Protocol,
) -> None:
    """Means over the users with a list; columns of the same users are resampled together."""
    plain: dict[bytes, list[tuple[int, str]]] = {}
    lifts: dict[bytes, list[tuple[int, str]]] = {}
    for number, row in enumerate(rows):
        for name, values in row.list_metrics.items():
            defined, groups = np.isfinite(values), plain
            if name.startswith(POPULARITY):
                defined, groups = defined & np.isfinite(eval_set.history_popularity), lifts
            groups.setdefault(defined.tobytes(), []).append((number, name))
    for groups, summary in ((plain, _means), (lifts, _popularity_lifts)):
        for raw_mask, columns in groups.items():
            mask = np.frombuffer(raw_mask, np.bool_)
            means = [UNDEFINED] * len(columns)
            if mask.any():
                table = np.stack(
                    [rows[number].list_metrics[name][mask] for number, name in columns], axis=1
                )
                means = summary(table, mask, eval_set, protocol)
            for (number, name), mean in zip(columns, means, strict=True):
                metrics[number][name.replace(POPULARITY, LIFT)] = mean


def _paired_metrics(metrics: Mapping[str, Float64Array]) -> dict[str, Float64Array]:
    return {name: values for name, values in metrics.items() if name.partition("@")[0] in PAIRED}
