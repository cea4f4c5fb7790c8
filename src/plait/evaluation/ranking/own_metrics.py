"""One's own metrics: functions of a list and the targets of a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import isfinite

import numpy as np

from plait.data.array_types import Float64Array
from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.evaluation.ranking.query_metrics import ModelResult
from plait.metrics.ranking import METRICS

__all__ = ["OwnMetric", "add_own_metrics", "named_metrics"]

OwnMetric = Callable[[list[str], set[str]], float]
"""Returns a number for the items of a list, best first, and the set of targets."""

_RESERVED = (*METRICS, "coverage", "novelty", "diversity", "gini", "exposure", "popularity-lift")


def named_metrics(metrics: Iterable[OwnMetric] | OwnMetric) -> dict[str, OwnMetric]:
    """Name functions that measure lists.

    Args:
        metrics: The functions; the name of each is its `__name__`.

    Returns:
        The functions by name.

    Raises:
        InputError: If something is no function, or a name is taken.
    """
    named: dict[str, OwnMetric] = {}
    for metric in [metrics] if callable(metrics) else list(metrics):
        name = str(getattr(metric, "__name__", type(metric).__name__))
        if not callable(metric):
            raise InputError(
                f"metrics holds {metric!r}, expected functions of a list and its targets",
                hint="the metrics of a report are always computed; pass your own functions only",
                field="metrics",
            )
        if name in named or name.partition("@")[0] in _RESERVED or "|" in name:
            raise InputError(
                f"the name {name!r} of a metric is taken or not allowed",
                hint="give the function another name",
                field="metrics",
            )
        named[name] = metric
    return named


def add_own_metrics(
    rows: Sequence[ModelResult],
    targets: Ragged,
    item_ids: Sequence[str],
    metrics: Mapping[str, OwnMetric],
) -> None:
    """Compute one's own metrics for every row and query.

    Args:
        rows: The rows with their lists; their `user_metrics` are extended.
        targets: The targets of U queries.
        item_ids: The ids of the items by number.
        metrics: The functions by name.

    Raises:
        InputError: If a function does not return a finite number.
    """
    if not metrics:
        return
    bounds = targets.offsets.tolist()
    wanted_items = [
        {item_ids[item] for item in targets.values[start:stop].tolist()}
        for start, stop in pairwise(bounds)
    ]
    for row in rows:
        lists = [
            [item_ids[item] for item in items if item >= 0] for items in row.top_items.tolist()
        ]
        for name, metric in metrics.items():
            row.user_metrics[name] = _values(name, metric, lists, wanted_items)


def _values(
    name: str, metric: OwnMetric, lists: list[list[str]], targets: list[set[str]]
) -> Float64Array:
    """A metric of every query; InputError with the name of the metric if it is no number."""
    values = np.empty(len(lists))
    for query, pair in enumerate(zip(lists, targets, strict=True)):
        value = metric(*pair)
        try:
            values[query] = value
        except (TypeError, ValueError) as problem:
            raise InputError(
                f"metric {name!r} returned {value!r}, expected a number", field="metrics"
            ) from problem
        if not isfinite(values[query]):
            raise InputError(
                f"metric {name!r} returned {value!r}, expected a finite number", field="metrics"
            )
    return values
