"""What every query got from every model: what a paired comparison of two runs is made from."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plait.data.types import Int64Array
from plait.errors import InputError, StorageError
from plait.metrics.bootstrap import (
    Interval,
    cluster_sums,
    percentile_intervals,
    ratio_draws,
    simultaneous_intervals,
)

__all__ = ["LOWER", "ROOTS", "PerQueryMetrics", "better", "read_detail", "write_detail"]

Singles = npt.NDArray[np.float32]

ROOTS = ("rmse",)
"""Metrics that are the root of a mean; what is kept of a query is the square."""

LOWER = ("rmse", "mae", "log_loss", "ece")
"""Metrics of which less is better."""


@dataclass(frozen=True, slots=True, eq=False)
class PerQueryMetrics:
    """Q queries: `keys` int64, the same query has the same key in every run on the same data;
    `users` int64, whose it is; `values` by model and metric, float32 [Q]; `weights` by metric,
    float32 [Q], where queries do not count the same.
    """

    keys: Int64Array
    users: Int64Array
    values: Mapping[str, Mapping[str, Singles]]
    weights: Mapping[str, Singles] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are kept, the same for all models."""
        return tuple(next(iter(self.values.values()), {}))

    def count(self, metric: str) -> int:
        """How many users `metric` is measured on: those for whom it weighs anything."""
        weights = self.weights.get(metric)
        return len(np.unique(self.users if weights is None else self.users[weights != 0]))

    def take(self, places: Int64Array) -> PerQueryMetrics:
        """The queries at `places`."""
        return PerQueryMetrics(
            self.keys[places],
            self.users[places],
            {
                model: {name: one[places] for name, one in found.items()}
                for model, found in self.values.items()
            },
            {name: one[places] for name, one in self.weights.items()},
        )

    def means(
        self, pairs: Sequence[tuple[str, str]], *, resamples: int, seed: int
    ) -> npt.NDArray[np.float64]:
        """Of (model, metric) `pairs` what they reach, float64 [1 + resamples, C]: first on all
        queries, then on those of users drawn with replacement, the same draws for all.
        """
        who, clusters = np.unique(self.users, return_inverse=True)
        plain = np.ones(len(self.keys), np.float32)
        weights = [self.weights.get(metric, plain) for _, metric in pairs]
        found = [
            self.values[model][metric] * weight
            for (model, metric), weight in zip(pairs, weights, strict=True)
        ]
        over = cluster_sums(np.stack(found, axis=1), clusters, len(who))
        under = cluster_sums(np.stack(weights, axis=1), clusters, len(who))
        draws = ratio_draws(over, under, resamples, seed)
        for place, (_, metric) in enumerate(pairs):
            if metric.partition("@")[0] in ROOTS:
                draws[:, place] = np.sqrt(draws[:, place])
        return draws

    def difference(
        self, metric: str, model: str, other: str, *, resamples: int = 1000, seed: int = 0
    ) -> Interval:
        """`model` less `other` by `metric`, paired."""
        pairs = ((model, metric), (other, metric))
        draws = self.means(pairs, resamples=resamples, seed=seed)
        return percentile_intervals(draws[:, :1] - draws[:, 1:])[0]

    def ahead(
        self, metric: str, models: Sequence[str], *, resamples: int = 1000, seed: int = 0
    ) -> list[Interval]:
        """The first of `models` less each other by `metric`, paired; all intervals hold at once."""
        pairs = [(one, metric) for one in models]
        return simultaneous_intervals(self.means(pairs, resamples=resamples, seed=seed), 0)


def better(metric: str, gap: float) -> bool:
    """Whether a difference speaks for the first of two models."""
    lower = metric.partition("|")[0].partition("@")[0] in LOWER
    return gap < 0 if lower else gap > 0


def write_detail(path: Path, detail: PerQueryMetrics) -> None:
    """One compressed .npz: `keys`, `users`, names, `values` [models, metrics, Q], `weights`.

    Raises StorageError if it cannot be written.
    """
    metrics, weighed = detail.metrics, list(detail.weights)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "keys": detail.keys,
        "users": detail.users,
        "models": np.array(list(detail.values), np.str_),
        "metrics": np.array(metrics, np.str_),
        "values": np.array(
            [[one[metric] for metric in metrics] for one in detail.values.values()], np.float32
        ),
        "weighed": np.array(weighed, np.str_),
        "weights": np.array([detail.weights[name] for name in weighed], np.float32),
    }
    try:
        with path.open("wb") as out:
            np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem}") from problem


def read_detail(path: Path) -> PerQueryMetrics:
    """What `write_detail` wrote. Raises InputError if it is missing or not whole."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        models = [str(one) for one in arrays["models"]]
        metrics = [str(one) for one in arrays["metrics"]]
        return PerQueryMetrics(
            arrays["keys"],
            arrays["users"],
            {
                model: dict(zip(metrics, rows, strict=True))
                for model, rows in zip(models, arrays["values"], strict=True)
            },
            {
                str(name): one
                for name, one in zip(arrays["weighed"], arrays["weights"], strict=True)
            },
        )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise InputError(
            f"the queries of a run cannot be read from {path}: {problem}",
            hint="plait evaluate --json FILE writes FILE and, beside it, FILE's queries as .npz",
        ) from problem
