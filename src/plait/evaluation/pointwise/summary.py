"""Parts that the reports of ratings and of clicks share: rows, differences and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from plait.data.types import Dataset
from plait.evaluation.pointwise.fit_predict import Predictions
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.per_query_metrics import PerQueryMetrics, is_better
from plait.evaluation.results.report import Result
from plait.metrics.bootstrap import Interval
from plait.splitting.labelled_examples import Examples

__all__ = ["all_predictions", "data_sizes", "mean_metrics", "paired_differences", "to_result"]


def all_predictions(
    by_recipe: Mapping[str, list[Predictions]], baselines: Sequence[Predictions]
) -> list[Predictions]:
    """List all rows; with several recipes they are renamed to RECIPE/ROW.

    Args:
        by_recipe: Rows of each recipe.
        baselines: Rows of the baselines.

    Returns:
        The rows of the recipes, then the baselines.
    """
    for name, rows in by_recipe.items():
        for row in rows:
            if len(by_recipe) > 1:
                row.model = f"{name}/{row.model}"
    return [*(row for rows in by_recipe.values() for row in rows), *baselines]


def mean_metrics(
    seeds: Sequence[Mapping[str, Interval]],
) -> tuple[dict[str, Interval], dict[str, float]]:
    """Average metrics over seeds.

    Args:
        seeds: Metrics for each seed.

    Returns:
        The means and, of several seeds, their standard deviations by metric.
    """
    metrics: dict[str, Interval] = {}
    spread: dict[str, float] = {}
    for metric in seeds[0]:
        values = np.array([seed[metric] for seed in seeds])
        metrics[metric] = Interval(*values.mean(axis=0).tolist())
        if len(seeds) > 1:
            is_same = bool((values[:, 0] == values[0, 0]).all())  # else rounding leaves 1e-16
            spread[metric] = 0.0 if is_same else float(values[:, 0].std(ddof=1))
    return metrics, spread


def to_result(
    row: Predictions, metrics: Mapping[str, Interval], spread: Mapping[str, float]
) -> Result:
    """Build a row of the report.

    Args:
        row: The predictions.
        metrics: Their metrics.
        spread: Standard deviations between seeds.

    Returns:
        The row, with the share of the examples that its model knows.
    """
    known = Interval(row.known, row.known, row.known)
    costs = (row.fit_seconds, row.evaluate_seconds, row.peak_mb)
    return Result(row.model, row.baseline, *costs, {**metrics, "known": known}, dict(spread))


def paired_differences(
    by_recipe: Mapping[str, list[Predictions]],
    baselines: Sequence[Predictions],
    detail: PerQueryMetrics,
    protocol: Protocol,
) -> list[Difference]:
    """Compare each recipe's first row with the best other row and with the first recipe's.

    Args:
        by_recipe: Rows of each recipe.
        baselines: Rows of the baselines.
        detail: Per-query metrics of all rows.
        protocol: A resolved protocol.

    Returns:
        The differences that are defined.
    """
    differences = []
    first = next(iter(by_recipe.values()))[0].model
    for fused, *models in by_recipe.values():
        others = [row.model for row in (*models, *baselines)]
        for metric in detail.metrics:
            means = detail.means([(row, metric) for row in others], resamples=0, seed=0)[0]
            scores = means if is_better(metric, 1.0) else -means
            best = int(np.where(np.isnan(scores), -np.inf, scores).argmax())
            opponents = dict.fromkeys([others[best], first])
            for other in opponents:
                if other == fused.model:
                    continue
                gap = detail.difference(
                    metric, fused.model, other, resamples=protocol.resamples, seed=protocol.seed
                )
                n_users = detail.count_users(metric)
                differences.append(Difference(metric, fused.model, other, gap, users=n_users))
    return [difference for difference in differences if difference.known]


def data_sizes(dataset: Dataset, test: Examples, learn: Examples) -> dict[str, int]:
    """Count the data, the training data, the queries and the examples.

    Args:
        dataset: The whole data set.
        test: Examples of the test.
        learn: Examples of the validation.

    Returns:
        Counts by name.
    """
    return {
        "users": len(np.unique(dataset.interactions.users)),
        "items": int(test.query_time_data.catalogue.alive.sum()),
        "interactions": len(dataset.interactions),
        "train": len(test.train.interactions),
        "queries": len(test.queries),
        "targets": len(test),
        "excluded": 0,
        "learned_from": len(learn),
    }
