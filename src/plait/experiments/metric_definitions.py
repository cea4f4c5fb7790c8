"""The metrics of lists by name, in the definitions of several libraries.

With T targets of a user, h of them among the first k items, r_i = 1 if the item at rank i is a
target, else 0:

- `recall`: h / T, as RecBole, RecTools and LensKit; `recall@min`: h / min(k, T), which
  `plait evaluate` reports under the name recall;
- `precision`: h / k; `f1`: the harmonic mean of precision and recall@min;
- `hit_rate`: 1 if h > 0; `mrr`: 1 / rank of the first target, 0 without one;
- `ndcg`: sum of r_i / log2(i + 1), divided by that of min(k, T) targets at the top, as RecBole and
  LensKit; `ndcg@rectools`: divided by that of k targets, for any T;
- `map`: sum of r_i * precision at i, divided by min(k, T), as RecBole; `map@rectools`: by T;
- `rbp`: (1 - p) * sum of r_i * p^(i - 1) with p = 0.8 (Moffat and Zobel, TOIS 2008).

Items of equal score stand in random order: the metrics are expectations over it
(`plait.metrics.ranking`); those that a user passes as a function, and rbp, see ties in the order of
the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int64Array
from plait.errors import InputError
from plait.metrics.dcg import ideal_dcg
from plait.metrics.ranking import user_metrics
from plait.metrics.ties import tie_groups

__all__ = ["METRIC_NAMES", "Metric", "RankedLists", "metric_values", "own_metric_values"]

Metric = str | Callable[[list[str], set[str]], float]
"""The name of a metric, or a function of a list of items and the set of targets."""

METRIC_NAMES = (
    *("ndcg", "ndcg@rectools", "recall", "recall@min", "precision", "f1", "hit_rate", "mrr"),
    *("map", "map@rectools", "rbp"),
)

_PERSISTENCE = 0.8
"""The p of rbp."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedLists:
    """The lists of U users, up to K items each.

    Attributes:
        scores: float64 [U, K], best first; minus infinity pads.
        is_hit: bool [U, K], which items are targets.
        n_targets: int64 [U], how many targets each user has.
        items: By user the ids of the list.
        targets: By user the ids of the targets.
    """

    scores: Float64Array
    is_hit: BoolArray
    n_targets: Int64Array
    items: Sequence[list[str]]
    targets: Sequence[set[str]]


def metric_values(
    lists: RankedLists, names: Sequence[str], ks: Sequence[int]
) -> dict[str, Float64Array]:
    """Compute metrics of every user.

    Args:
        lists: The lists of U users.
        names: Names of metrics.
        ks: The cut-offs.

    Returns:
        float64 [U] by metric and cut-off: "ndcg@10", "ndcg@rectools@10".

    Raises:
        InputError: If there is no such metric.
    """
    unknown = [name for name in names if name not in METRIC_NAMES]
    if unknown:
        hint = f"there are {', '.join(METRIC_NAMES)}; or pass a function of items and targets"
        raise InputError(f"no metric {unknown[0]!r}", hint=hint, field="metrics")
    depth = max(ks)
    # In float64 nothing is rounded into a tie.
    groups = tie_groups(lists.scores, np.isfinite(lists.scores), depth)
    hits, targets = groups.hits(lists.is_hit), lists.n_targets
    standard = user_metrics(groups, hits, targets, ks)
    values: dict[str, Float64Array] = {}
    for k in ks:
        ideal = np.minimum(k, targets)
        gain = ideal_dcg(k)
        by_name = {
            "recall": standard[f"recall@{k}"] * ideal / targets,
            "recall@min": standard[f"recall@{k}"],
            "ndcg@rectools": standard[f"ndcg@{k}"] * gain[ideal] / gain[k],
            "map@rectools": standard[f"map@{k}"] * ideal / targets,
            "rbp": _rank_biased_precision(lists, k),
        }
        for name in names:
            values[f"{name}@{k}"] = by_name[name] if name in by_name else standard[f"{name}@{k}"]
    return values


def own_metric_values(
    lists: RankedLists, metrics: Mapping[str, Callable[[list[str], set[str]], float]]
) -> dict[str, Float64Array]:
    """Compute metrics that are functions.

    Args:
        lists: The lists of U users.
        metrics: By name a function of the whole list and the set of targets of one user.

    Returns:
        float64 [U] by name.

    Raises:
        InputError: If a function does not return a number.
    """
    values: dict[str, Float64Array] = {}
    for name, metric in metrics.items():
        numbers = [metric(*pair) for pair in zip(lists.items, lists.targets, strict=True)]
        try:
            values[name] = np.array(numbers, np.float64)
        except (TypeError, ValueError) as problem:
            message = f"metric {name!r} does not return a number: {problem}"
            raise InputError(message, field="metrics") from problem
        if values[name].shape != (len(lists.items),) or not np.isfinite(values[name]).all():
            raise InputError(f"metric {name!r} does not return a finite number", field="metrics")
    return values


def _rank_biased_precision(lists: RankedLists, k: int) -> Float64Array:
    hits = lists.is_hit[:, :k]
    weights = (1 - _PERSISTENCE) * _PERSISTENCE ** np.arange(hits.shape[1])
    values: Float64Array = hits @ weights
    return values
