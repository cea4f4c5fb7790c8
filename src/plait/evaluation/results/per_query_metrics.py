"""Per-query metrics of every model: the input of a paired comparison of two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.array_types import Float32Array, Float64Array, Int64Array
from plait.errors import InputError, StorageError
from plait.metrics.bootstrap import (
    Interval,
    cluster_sums,
    percentile_intervals,
    ratio_draws,
    simultaneous_intervals,
)
from plait.utils.npz_files import read_npz

__all__ = [
    "LOWER_IS_BETTER",
    "ROOTS",
    "PerQueryMetrics",
    "is_better",
    "read_per_query",
    "write_per_query",
]

ROOTS = ("rmse",)
"""Metrics that are the root of a mean; the per-query value is the square."""

LOWER_IS_BETTER = ("rmse", "mae", "log_loss", "ece")
"""Metrics of which a lower value is better."""


@dataclass(frozen=True, slots=True, eq=False)
class PerQueryMetrics:
    """Metrics of Q queries for every model.

    Attributes:
        keys: int64 [Q]; a query has the same key in every run on the same data.
        users: int64 [Q], the user number of each query.
        values: float32 [Q] by model and metric.
        weights: float32 [Q] by metric, for metrics whose queries do not count equally.
    """

    keys: Int64Array
    users: Int64Array
    values: Mapping[str, Mapping[str, Float32Array]]
    weights: Mapping[str, Float32Array] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, the same for all models."""
        return tuple(next(iter(self.values.values()), {}))

    def count_users(self, metric: str) -> int:
        """Count the users that a metric is measured on.

        Args:
            metric: Name of the metric.

        Returns:
            Number of users with a query of nonzero weight.
        """
        weights = self.weights.get(metric)
        return len(np.unique(self.users if weights is None else self.users[weights != 0]))

    def take(self, rows: Int64Array) -> PerQueryMetrics:
        """Select queries by position.

        Args:
            rows: int64 [N], positions among the queries.

        Returns:
            The metrics of these queries, in that order.
        """
        return PerQueryMetrics(
            self.keys[rows],
            self.users[rows],
            {
                model: {name: column[rows] for name, column in columns.items()}
                for model, columns in self.values.items()
            },
            {name: column[rows] for name, column in self.weights.items()},
        )

    def means(self, pairs: Sequence[tuple[str, str]], *, resamples: int, seed: int) -> Float64Array:
        """Compute means on all queries and on bootstrap resamples of users.

        Args:
            pairs: C pairs of model and metric.
            resamples: Number of resamples; all pairs share the drawn users.
            seed: Seed of the draws.

        Returns:
            float64 [1 + resamples, C]; the first row is the mean of all queries.
        """
        users, clusters = np.unique(self.users, return_inverse=True)
        equal = np.ones(len(self.keys), np.float32)
        weights = [self.weights.get(metric, equal) for _, metric in pairs]
        weighted = [
            self.values[model][metric] * weight
            for (model, metric), weight in zip(pairs, weights, strict=True)
        ]
        numerators = cluster_sums(np.stack(weighted, axis=1), clusters, len(users))
        denominators = cluster_sums(np.stack(weights, axis=1), clusters, len(users))
        draws = ratio_draws(numerators, denominators, resamples, seed)
        for column, (_, metric) in enumerate(pairs):
            if metric.partition("@")[0] in ROOTS:
                draws[:, column] = np.sqrt(draws[:, column])
        return draws

    def difference(
        self, metric: str, model: str, other: str, *, resamples: int = 1000, seed: int = 0
    ) -> Interval:
        """Compute the paired difference of two models.

        Args:
            metric: Name of the metric.
            model: The first model.
            other: The model that is subtracted.
            resamples: Number of bootstrap resamples.
            seed: Seed of the bootstrap.

        Returns:
            The difference with its 95 % interval.
        """
        pairs = ((model, metric), (other, metric))
        draws = self.means(pairs, resamples=resamples, seed=seed)
        return percentile_intervals(draws[:, :1] - draws[:, 1:])[0]

    def differences_from_first(
        self, metric: str, models: Sequence[str], *, resamples: int = 1000, seed: int = 0
    ) -> list[Interval]:
        """Compute the paired differences of the first model to each other one.

        Args:
            metric: Name of the metric.
            models: The models, the one to compare with first.
            resamples: Number of bootstrap resamples.
            seed: Seed of the bootstrap.

        Returns:
            One difference for each further model; all intervals hold simultaneously.
        """
        pairs = [(model, metric) for model in models]
        return simultaneous_intervals(self.means(pairs, resamples=resamples, seed=seed), 0)


def is_better(metric: str, gap: float) -> bool:
    """Tell whether a difference favours the first of two models.

    Args:
        metric: Name of the metric, such as "rmse" or "ndcg@10|head".
        gap: The first model less the second.

    Returns:
        Whether the first model is better; False for no difference.
    """
    lower = metric.partition("|")[0].partition("@")[0] in LOWER_IS_BETTER
    return gap < 0 if lower else gap > 0


def write_per_query(path: Path, detail: PerQueryMetrics) -> None:
    """Write per-query metrics as one compressed .npz.

    Args:
        path: The file to write. It holds `keys`, `users`, the names of models and metrics,
            `values` [models, metrics, Q] and `weights`.
        detail: The metrics.

    Raises:
        StorageError: If the file cannot be written.
    """
    arrays: dict[str, Any] = {
        "keys": detail.keys,
        "users": detail.users,
        "models": np.array(list(detail.values), np.str_),
        "metrics": np.array(detail.metrics, np.str_),
        "values": np.array(
            [[columns[name] for name in detail.metrics] for columns in detail.values.values()],
            np.float32,
        ),
        "weighed": np.array(list(detail.weights), np.str_),
        "weights": np.array(list(detail.weights.values()), np.float32),
    }
    try:
        with path.open("wb") as out:
            np.savez_compressed(out, **arrays)
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem}") from problem


def read_per_query(path: Path) -> PerQueryMetrics:
    """Read what `write_per_query` wrote.

    Args:
        path: The .npz file.

    Returns:
        The metrics.

    Raises:
        InputError: If the file is missing or damaged.
    """
    try:
        arrays = read_npz(path)
        metrics = arrays["metrics"].tolist()
        return PerQueryMetrics(
            arrays["keys"],
            arrays["users"],
            {
                model: dict(zip(metrics, columns, strict=True))
                for model, columns in zip(arrays["models"].tolist(), arrays["values"], strict=True)
            },
            dict(zip(arrays["weighed"].tolist(), arrays["weights"], strict=True)),
        )
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise InputError(
            f"the queries of a run cannot be read from {path}: {problem}",
            hint="plait evaluate --json FILE writes FILE and, beside it, FILE's queries as .npz",
        ) from problem
