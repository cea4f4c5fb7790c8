"""What all lists of a model together do to the catalogue: coverage, Gini, exposure by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plait.data.catalogue import Column
from plait.data.types import BoolArray, Dataset, Int64Array
from plait.errors import ProtocolError
from plait.evaluation.ranking.diversity import likeness
from plait.evaluation.ranking.per_user import ItemStatistics, ModelResult
from plait.metrics.beyond_accuracy import coverage, gini, surprise
from plait.metrics.ties import Doubles
from plait.splitting.eval_queries import target_mask
from plait.splitting.splits import Split

__all__ = ["add_whole", "check_group", "gauge_of", "group_data", "groups_of", "profile_of"]

SAMPLE = 2_000
"""Lists that diversity looks at, evenly spaced in the order in which users came."""

LARGEST = 12
"""At most so many groups of items; the others are one."""

GROUPING = ("category", "set")
"""Types of fields that make groups."""

OTHERS, NONE = "(others)", "(none)"


def gauge_of(split: Split, goal: tuple[str, ...]) -> ItemStatistics:
    """What lists are measured by, from what was fitted on."""
    train = split.train
    taken = train.interactions.take(target_mask(train, goal)).items
    counts = np.bincount(train.interactions.items, minlength=train.n_items)
    share = counts / max(int(counts.sum()), 1)
    return ItemStatistics(
        surprise(taken, train.n_items), share, likeness(split.asked), _sampled(split)
    )


def profile_of(split: Split, gauge: ItemStatistics) -> Doubles:
    """The mean popularity of each query's history, float64 [U]; NaN where there is none."""
    history, size = split.queries.history, len(split)
    total = np.bincount(history.rows, gauge.popularity[history.items], size)
    with np.errstate(invalid="ignore"):
        found: Doubles = total / history.lengths
    return found


def check_group(dataset: Dataset, group: str) -> None:
    """ProtocolError unless `group` is a category or a set of items or users ("" is no group)."""
    catalogues = (dataset.catalogue, dataset.users)
    there = sorted(
        {name for one in catalogues for name, kind in one.types().items() if kind in GROUPING}
    )
    if group and group not in there:
        raise ProtocolError(
            f"no items and no users have a category or a set {group!r}",
            hint=f"there are {', '.join(there) or 'none'}",
            field="group",
        )


def groups_of(dataset: Dataset, group: str) -> dict[str, BoolArray]:
    """Bool [n_items] by value of an item field: the values with most items, then the others.

    An item may be in several groups of a set.
    """
    column = dataset.catalogue.columns.get(group)
    if column is None or column.type not in GROUPING:
        return {}
    if column.type == "set":
        return _sets(column, dataset.catalogue.alive)
    values = np.array([NONE if one is None else str(one) for one in column.values], np.str_)
    alive = dataset.catalogue.alive
    names, counts = np.unique(values[alive], return_counts=True)
    order = np.lexsort((names, -counts))
    kept = [str(one) for one in names[order][:LARGEST]]
    found = {name: alive & (values == name) for name in kept}
    if len(names) > LARGEST:
        found[OTHERS] = alive & ~np.isin(values, kept)
    return found


def _sets(column: Column, alive: BoolArray) -> dict[str, BoolArray]:
    """Bool [n_items] by member: the members of most items."""
    places: dict[str, list[int]] = {}
    for number in np.flatnonzero(alive).tolist():
        for name in column.get(number) or ():
            places.setdefault(name, []).append(number)
    kept = sorted(places, key=lambda name: (-len(places[name]), name))[:LARGEST]
    found = {name: np.zeros(len(alive), np.bool_) for name in kept}
    for name in kept:
        found[name][places[name]] = True
    return found


def _shares(train: Dataset, groups: Mapping[str, BoolArray]) -> dict[str, dict[str, float]]:
    """By group its share of the candidates and of the events, to hold exposure against."""
    items = max(int(train.catalogue.alive.sum()), 1)
    events = np.bincount(train.interactions.items, minlength=train.n_items)
    total = max(int(events.sum()), 1)
    return {
        name: {
            "items": round(int(mask.sum()) / items, 6),
            "events": round(int(events[mask].sum()) / total, 6),
        }
        for name, mask in groups.items()
    }


def add_whole(
    rows: Sequence[ModelResult], candidates: BoolArray, groups: Mapping[str, BoolArray]
) -> None:
    """Give every row the metrics of all its lists together."""
    for row in rows:
        for k, exposure in row.exposure.items():
            row.whole[f"coverage@{k}"] = coverage(row.absence[k], candidates)
            row.whole[f"gini@{k}"] = gini(exposure[candidates])
            for name, share in _exposed(exposure, groups).items():
                row.whole[f"exposure@{k}|{name}"] = share


def _exposed(exposure: Doubles, groups: Mapping[str, BoolArray]) -> dict[str, float]:
    total = float(exposure.sum())
    if not total:
        return {}
    return {name: float(exposure[mask].sum()) / total for name, mask in groups.items()}


def _sampled(split: Split) -> BoolArray:
    """Queries evenly spaced in the order of their users' first events, which no renaming moves."""
    found = split.asked.interactions
    first = np.full(split.asked.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, found.users, found.offsets)
    order: Int64Array = np.lexsort((split.queries.times, first[split.users]))
    chosen = np.zeros(len(split), np.bool_)
    chosen[order[:: max(1, -(-len(split) // SAMPLE))]] = True
    return chosen


def group_data(train: Dataset, group: str, groups: Mapping[str, BoolArray]) -> dict[str, Any]:
    """What the report says of the groups; nothing without any."""
    return {"group": {"field": group, "shares": _shares(train, groups)}} if groups else {}
