"""What a reader is told where a metric has no value: a dash, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isnan

from plait.metrics.bootstrap import Interval

__all__ = ["DASH", "ends_of", "undefined_metric_notes", "undefined_reason"]

DASH = "\N{EN DASH}"

_WHY = {
    "auc": "there are clicks alone, or misses alone",
    "gauc": "no user has both a click and a miss",
    "r2": "all ratings are the same",
    "novelty": "nobody got a list",
    "diversity": "nobody got a list of two items",
    "popularity-lift": "nobody with a history that train knows got a list",
}


def undefined_reason(metric: str) -> str:
    """Why `metric` ("gauc", "diversity@10|head") may have no value."""
    bare = metric.partition("|")[0].partition("@")[0]
    return _WHY.get(bare, "there is nothing to measure it on")


def ends_of(gap: Interval) -> str:
    """The ends of a difference, "" where they are not known."""
    return "" if isnan(gap.low) else f" [{gap.low:+.4f} {gap.high:+.4f}]"


def undefined_metric_notes(
    rows: Iterable[Mapping[str, Interval]], names: Iterable[str]
) -> Iterator[str]:
    """A line for each of the metrics `names` that one of the rows has no value for, and one for
    those whose value is of too few users to have an interval.
    """
    every, wanted = list(rows), list(names)
    for name in wanted:
        if any(name in row and isnan(row[name].value) for row in every):
            yield f"{DASH} {name}: {undefined_reason(name)}"
    alone = [name for name in wanted if any(_alone(row.get(name)) for row in every)]
    if alone:
        yield f"no interval of {', '.join(alone)}: one user says nothing of others"


def _alone(one: Interval | None) -> bool:
    return one is not None and isnan(one.low) and not isnan(one.value)
