"""Compares rows of one or several runs query by query, by paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Any

import numpy as np

from plait.errors import InputError, ProtocolError
from plait.evaluation.protocol import PRECISION
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.per_query_metrics import PerQueryMetrics, is_better
from plait.evaluation.results.report import FUSED, has_no_lists
from plait.evaluation.results.run_store import Run
from plait.evaluation.results.seed_variance import SeedVariance, depends_on_seed, with_seed_margin
from plait.metrics.bootstrap import Interval

__all__ = ["ComparedRow", "Comparison", "compare", "slice_metric"]

MAIN_METRICS = ("ndcg", "recall", "rmse", "mae", "gauc", "log_loss")
"""The metrics that decide, in order of preference."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRow:
    """A row of a run under its display name.

    Attributes:
        label: The name shown to readers, unique within a comparison.
        row: The row as the report's JSON holds it.
        data: The `data` section of its report.
        variance: Its variation between seeds.
    """

    label: str
    row: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)
    variance: SeedVariance = field(
        default_factory=lambda: SeedVariance(1, {}, depends_on_seed=False)
    )

    @property
    def baseline(self) -> bool:
        """Whether the row is a baseline."""
        return bool(self.row["baseline"])

    @property
    def has_no_lists(self) -> bool:
        """Whether the model returned no list for any query."""
        return has_no_lists(self.metrics)

    @property
    def metrics(self) -> dict[str, Interval]:
        """All metrics by name."""
        return {name: Interval.of(interval) for name, interval in self.row["metrics"].items()}

    def metric(self, name: str) -> Interval | None:
        """Look up one metric.

        Args:
            name: Name of the metric, such as "ndcg@10".

        Returns:
            Its value and interval, None if the row has no such metric.
        """
        interval = self.row["metrics"].get(name)
        return None if interval is None else Interval.of(interval)

    def defined_metric(self, name: str) -> Interval | None:
        """Look up one metric that has a value.

        Args:
            name: Name of the metric.

        Returns:
            Its value and interval, None if the row lacks the metric or its value is undefined.
        """
        interval = self.metric(name)
        return None if interval is None or isnan(interval.value) else interval


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Rows of one or several runs, and the paired differences of the best row to each other.

    Attributes:
        runs: The compared runs.
        entries: The rows, best first by `main_metric`.
        metrics: Names of the compared metrics.
        differences: The best row less every other row, by metric.
        n_common: Number of queries that all rows share.
        n_most: Largest number of queries of any row.
    """

    runs: Sequence[Run]
    entries: Sequence[ComparedRow]
    metrics: Sequence[str]
    differences: Sequence[Difference]
    n_common: int
    n_most: int

    @property
    def main_metric(self) -> str:
        """The metric that decides: the first of `metrics` with a value in some row."""
        return _deciding_metric(self.entries, self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `plait compare --json` writes."""
        return {
            "runs": [run.name for run in self.runs],
            "protocol": dict(self.runs[0].report["protocol"]),
            "rows": [{"label": entry.label, **entry.row} for entry in self.entries],
            "differences": [
                {**difference.to_dict(), "verdict": difference.conclusion}
                for difference in self.differences
            ],
            "queries": self.n_common,
        }


def compare(
    runs: Sequence[Run], rows: Sequence[str] = (), *, resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Compare rows of `runs` with the best of them on the queries that all rows share.

    With more than two rows the intervals hold for all pairs simultaneously.

    Args:
        runs: Runs of the same protocol on the same data.
        rows: Names of the rows to compare, with or without their recipe. By default the fusions
            of several runs, or all rows of a single run that returned lists.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Returns:
        The rows, best first, and their paired differences.

    Raises:
        InputError: If there is no run, a row does not exist, or fewer than two rows remain.
        ProtocolError: If the runs differ in protocol (`k` and `resamples` may differ) or data, or
            share no query or no metric.
    """
    if not runs:
        raise InputError("expected one or more runs to compare, got none", field="run")
    for run in runs[1:]:
        _require_comparable(runs[0], run)
    chosen = _choose_rows(runs, rows)
    labels = _distinct_labels(chosen)
    entries = [_compared_row(label, *pair) for label, pair in zip(labels, chosen, strict=True)]
    metrics = _main_metrics(runs)
    shared = _on_common_queries(chosen, labels, metrics)
    deciding = _deciding_metric(entries, metrics)
    entries.sort(key=lambda entry: _loss(entry, deciding))
    variances = {entry.label: entry.variance for entry in entries}
    labels = [entry.label for entry in entries]
    differences = _differences_from_best(shared, labels, metrics, resamples, seed)
    return Comparison(
        runs,
        entries,
        metrics,
        with_seed_margin(differences, variances),
        len(shared.keys),
        max(len(run.detail.keys) for run, _ in chosen),
    )


def slice_metric(metric: str) -> str:
    """Return the metric that slices show where `metric` decides.

    Args:
        metric: Name of the deciding metric.

    Returns:
        "auc" for "gauc", which needs more users than a slice has; else `metric`.
    """
    return "auc" if metric == "gauc" else metric


def _require_comparable(first: Run, second: Run) -> None:
    """ProtocolError with every difference that makes the figures of two runs incomparable."""
    reasons = []
    if first.hash != second.hash:
        left, right = first.report["protocol"], second.report["protocol"]
        reasons += [
            f"{name} is {left.get(name)!r} and {right.get(name)!r}"
            for name in sorted((set(left) | set(right)) - {"hash", *PRECISION})
            if left.get(name) != right.get(name)
        ]
        if not reasons and all(left.get(name) == right.get(name) for name in PRECISION):
            reasons = [f"the protocols are {first.hash} and {second.hash}"]
    for name, subject in (("version", "the log ends at"), ("fingerprint", "the interactions are")):
        left, right = first.report["data"].get(name), second.report["data"].get(name)
        if left != right:
            reasons.append(f"{subject} {left} and {right}")
    if reasons:
        raise ProtocolError(
            f"{first.name} and {second.name} cannot be compared: {'; '.join(reasons)}",
            hint="evaluate both by one protocol on one state of the log",
            field="run",
        )


def _choose_rows(runs: Sequence[Run], names: Sequence[str]) -> list[tuple[Run, str]]:
    """The rows to compare, two or more; InputError names a row that no run has."""
    chosen = [(run, row) for run in runs for row in _rows_of(run, names, is_single=len(runs) == 1)]
    for name in names:
        if not any(_matches(row, name) for _, row in chosen):
            available = dict.fromkeys(row for run in runs for row in run.detail.values)
            raise InputError(
                f"row {name!r} does not exist in {', '.join(run.name for run in runs)}",
                hint=f"there are {', '.join(available)}",
                field="row",
            )
    if len(chosen) < 2:
        raise InputError(
            "a comparison needs at least two rows, got one",
            hint="name another run, or rows: --row fused --row popular-recent",
            field="run",
        )
    return chosen


def _rows_of(run: Run, names: Sequence[str], *, is_single: bool) -> list[str]:
    """The rows of one run that are compared."""
    rows = list(run.detail.values)
    if names:
        return list(dict.fromkeys(row for name in names for row in rows if _matches(row, name)))
    if is_single:
        return [row for row in rows if not ComparedRow(row, run.row(row)).has_no_lists] or rows
    return [row for row in rows if _matches(row, FUSED)] or rows[:1]


def _matches(row: str, name: str) -> bool:
    """Whether `name` denotes this row, with or without its recipe."""
    return row == name or row.endswith(f"/{name}")


def _compared_row(label: str, run: Run, row: str) -> ComparedRow:
    data = run.row(row)
    is_random = depends_on_seed(row, run.report.get("recipes") or {})
    variance = SeedVariance(run.n_seeds, data.get("spread") or {}, is_random)
    return ComparedRow(label, data, run.report["data"], variance)


def _main_metrics(runs: Sequence[Run]) -> list[str]:
    """The metrics that decide and that all runs have, each at its largest common k."""
    common = set.intersection(*(set(run.detail.metrics) for run in runs))
    largest: dict[str, tuple[int, str]] = {}
    for metric in common:
        name, _, k = metric.partition("@")
        largest[name] = max(largest.get(name, (-1, "")), (int(k or 0), metric))
    metrics = [largest[name][1] for name in MAIN_METRICS if name in largest]
    if not metrics:
        cutoffs = " and ".join(str(run.report["protocol"].get("k")) for run in runs)
        raise ProtocolError(
            f"the runs have no metric in common: k is {cutoffs}",
            hint="evaluate again with a k that all runs have",
            field="k",
        )
    return metrics


def _distinct_labels(chosen: Sequence[tuple[Run, str]]) -> list[str]:
    """Distinct labels: the row, with its recipe or its run where that is needed."""
    recipes = [next(iter(run.report.get("recipes") or {run.name: None})) for run, _ in chosen]
    candidates = (
        [row for _, row in chosen],
        [f"{recipe}/{row}" for recipe, (_, row) in zip(recipes, chosen, strict=True)],
        [f"{run.name}/{row}" for run, row in chosen],
    )
    for labels in candidates:
        if len(set(labels)) == len(labels):
            return labels
    return [f"{number}:{label}" for number, label in enumerate(candidates[-1])]


def _on_common_queries(
    chosen: Sequence[tuple[Run, str]], labels: Sequence[str], metrics: Sequence[str]
) -> PerQueryMetrics:
    """All rows under their labels, on the queries that they share."""
    details = [run.detail for run, _ in chosen]
    common = details[0].keys
    for detail in details[1:]:
        common = np.intersect1d(common, detail.keys)
    if not len(common):
        raise ProtocolError("the runs have no query in common", field="run")
    aligned = []
    for detail in details:
        order = np.argsort(detail.keys, kind="stable")
        aligned.append(detail.take(order[np.searchsorted(detail.keys, common, sorter=order)]))
    values = {
        label: {metric: detail.values[row][metric] for metric in metrics}
        for label, (_, row), detail in zip(labels, chosen, aligned, strict=True)
    }
    return PerQueryMetrics(aligned[0].keys, aligned[0].users, values, aligned[0].weights)


def _differences_from_best(
    shared: PerQueryMetrics,
    labels: Sequence[str],
    metrics: Sequence[str],
    resamples: int,
    seed: int,
) -> list[Difference]:
    """The first label less every other one by every metric, where that is defined."""
    gaps = {
        metric: shared.differences_from_first(metric, labels, resamples=resamples, seed=seed)
        for metric in metrics
    }
    differences = [
        Difference(metric, labels[0], other, gaps[metric][number], users=shared.count_users(metric))
        for number, other in enumerate(labels[1:])
        for metric in metrics
    ]
    return [difference for difference in differences if difference.known]


def _loss(entry: ComparedRow, metric: str) -> float:
    """A sort key: smaller is better, undefined values last."""
    interval = entry.defined_metric(metric)
    if interval is None:
        return inf
    return -interval.value if is_better(metric, 1.0) else interval.value


def _deciding_metric(entries: Sequence[ComparedRow], metrics: Sequence[str]) -> str:
    """The first of `metrics` that some entry has a value for."""
    defined = (name for name in metrics if any(entry.defined_metric(name) for entry in entries))
    return next(defined, metrics[0])
