"""Combines the results of several windows into one test and those of several seeds into a mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.evaluation.ranking.query_metrics import LIFT, POPULARITY, ModelResult

__all__ = ["EvalSet", "concat_eval_sets", "concat_windows", "mean_over_seeds"]


@dataclass(frozen=True, slots=True, eq=False)
class EvalSet:
    """The U queries of an evaluation and their T targets, common to all rows.

    Attributes:
        users: int32 [U], user numbers; a user may repeat under several windows.
        windows: int64 [U], the window of each query.
        targets: int64 [T], the query of each target.
        user_slices: bool [U] by name of the slice.
        target_slices: bool [T] by name of the slice.
        history_popularity: float64 [U], mean popularity of each history, NaN for an empty one.
    """

    users: Int32Array
    windows: Int64Array
    targets: Int64Array
    user_slices: Mapping[str, BoolArray]
    target_slices: Mapping[str, BoolArray]
    history_popularity: Float64Array

    def __len__(self) -> int:
        return len(self.users)

    @property
    def keys(self) -> Int64Array:
        """int64 [U]: a query has the same key in every run on the same data."""
        return self.windows << 32 | self.users.astype(np.int64)


def concat_eval_sets(windows: Sequence[EvalSet]) -> EvalSet:
    """Concatenate the queries of several windows.

    Args:
        windows: The queries of each window, oldest first.

    Returns:
        All queries; slices that a window lacks are empty there.
    """
    if len(windows) == 1:
        return windows[0]
    starts = np.cumsum([0, *map(len, windows[:-1])])
    targets = [window.targets + start for window, start in zip(windows, starts, strict=True)]
    return EvalSet(
        np.concatenate([window.users for window in windows]),
        np.concatenate([window.windows for window in windows]),
        np.concatenate(targets),
        _concat_masks(windows, "user_slices", [len(window) for window in windows]),
        _concat_masks(windows, "target_slices", [len(window.targets) for window in windows]),
        np.concatenate([window.history_popularity for window in windows]),
    )


def concat_windows(windows: Sequence[ModelResult]) -> ModelResult:
    """Combine the results of one model over several windows.

    Args:
        windows: Its result in each window, oldest first.

    Returns:
        Per-query metrics concatenated, seconds summed, and catalogue metrics averaged.
    """
    if len(windows) == 1:
        return windows[0]
    result = _combine(windows, np.concatenate, sum)
    result.top_items = np.concatenate([window.top_items for window in windows])
    return result


def mean_over_seeds(seeds: Sequence[ModelResult], history_popularity: Float64Array) -> ModelResult:
    """Average the results of one model over several seeds, query by query.

    Args:
        seeds: Its result for each seed.
        history_popularity: float64 [U], that of the `EvalSet`.

    Returns:
        The mean; `spread` holds the standard deviation between seeds of every metric.
    """
    if len(seeds) == 1:
        return seeds[0]
    totals = [_total_metrics(seed, history_popularity) for seed in seeds]
    result = _combine(seeds, _finite_mean, np.mean)
    result.top_items = seeds[0].top_items
    for name in dict.fromkeys(name for total in totals for name in total):
        values = [total.get(name, nan) for total in totals]
        is_same = all(value == values[0] for value in values)  # else rounding leaves 1e-16
        result.spread[name] = 0.0 if is_same else float(np.std(values, ddof=1))
    return result


def _combine(
    results: Sequence[ModelResult],
    merge: Callable[[Sequence[Float64Array]], Float64Array],
    total: Callable[[Sequence[float]], Any],
) -> ModelResult:
    """One result, whose per-query metrics are merged and whose seconds are totals."""

    def merged(attribute: str) -> dict[str, Float64Array]:
        metrics = [getattr(result, attribute) for result in results]
        return {name: merge([columns[name] for columns in metrics]) for name in metrics[0]}

    catalogue = [result.catalogue_metrics for result in results]
    names = dict.fromkeys(name for metrics in catalogue for name in metrics)
    return ModelResult(
        results[0].model,
        results[0].baseline,
        float(total([result.fit_seconds for result in results])),
        float(total([result.evaluate_seconds for result in results])),
        max(result.peak_mb for result in results),
        user_metrics=merged("user_metrics"),
        target_gains=merged("target_gains"),
        list_metrics=merged("list_metrics"),
        tied=merge([result.tied for result in results]),
        catalogue_metrics={
            name: float(np.mean([metrics[name] for metrics in catalogue if name in metrics]))
            for name in names
        },
    )


def _concat_masks(
    windows: Sequence[EvalSet], attribute: str, sizes: Sequence[int]
) -> dict[str, BoolArray]:
    """Masks of all windows by name; a slice that a window lacks is empty there."""
    masks = [getattr(window, attribute) for window in windows]
    empty = [np.zeros(size, np.bool_) for size in sizes]
    return {
        name: np.concatenate(
            [mask.get(name, none) for mask, none in zip(masks, empty, strict=True)]
        )
        for name in dict.fromkeys(name for window in masks for name in window)
    }


def _finite_mean(values: Sequence[Float64Array]) -> Float64Array:
    """The elementwise mean of the finite values; NaN where there is none."""
    stack = np.stack(values)
    finite = np.isfinite(stack)
    with np.errstate(invalid="ignore"):
        mean: Float64Array = np.where(finite, stack, 0).sum(axis=0) / finite.sum(axis=0)
    return mean


def _total_metrics(row: ModelResult, history_popularity: Float64Array) -> dict[str, float]:
    """What one seed reaches on all queries, by every metric."""
    means = {name: float(values.mean()) for name, values in row.user_metrics.items()}
    for name, values in row.list_metrics.items():
        defined = np.isfinite(values)
        if name.startswith(POPULARITY):
            defined &= np.isfinite(history_popularity)
            shown, taken = values[defined].sum(), history_popularity[defined].sum()
            means[name.replace(POPULARITY, LIFT)] = float(shown / taken) - 1 if taken else nan
        else:
            means[name] = float(values[defined].mean()) if defined.any() else nan
    return means | row.catalogue_metrics
