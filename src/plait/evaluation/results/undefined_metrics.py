"""Notes that explain undefined metric values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isnan

from plait.metrics.bootstrap import Interval

__all__ = ["DASH", "format_bounds", "undefined_metric_notes", "undefined_reason"]

DASH = "\N{EN DASH}"
"""Stands in tables for an undefined value."""

_REASONS = {
    "auc": "there are only clicks, or only misses",
    "gauc": "no user has both a click and a miss",
    "r2": "all ratings are the same",
    "novelty": "no query got a list",
    "diversity": "no query got a list of two items",
    "popularity-lift": "no user with a history in train got a list",
}


def undefined_reason(metric: str) -> str:
    """State why a metric may be undefined.

    Args:
        metric: Name of the metric, such as "gauc" or "diversity@10|head".

    Returns:
        A clause without a full stop.
    """
    bare = metric.partition("|")[0].partition("@")[0]
    return _REASONS.get(bare, "there is nothing to measure it on")


def format_bounds(interval: Interval) -> str:
    """Format the bounds of a difference.

    Args:
        interval: The difference.

    Returns:
        " [low high]", or "" where the bounds are undefined.
    """
    return "" if isnan(interval.low) else f" [{interval.low:+.4f} {interval.high:+.4f}]"


def undefined_metric_notes(
    rows: Iterable[Mapping[str, Interval]], names: Iterable[str]
) -> Iterator[str]:
    """Explain which metrics have no value, and which have no interval.

    Args:
        rows: Metrics of every row.
        names: Names of the shown metrics.

    Yields:
        A line for each metric without a value in some row, and one for those without an interval.
    """
    without_interval = []
    intervals = list(rows)
    for name in names:
        shown = [metrics[name] for metrics in intervals if name in metrics]
        if any(isnan(interval.value) for interval in shown):
            yield f"{DASH} {name}: {undefined_reason(name)}"
        if any(isnan(interval.low) and not isnan(interval.value) for interval in shown):
            without_interval.append(name)
    if without_interval:
        yield f"no interval of {', '.join(without_interval)}: it takes more than one user"
