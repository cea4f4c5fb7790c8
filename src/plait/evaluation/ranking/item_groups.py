"""Groups of items by a field: for exposure in catalogue metrics and for the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.data.array_types import BoolArray
from plait.data.catalogue import Column
from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.splitting.splits import Split

__all__ = ["check_group", "group_summary", "item_groups"]

MAX_GROUPS = 12
"""Number of groups of items; all other values form one group."""

GROUPING_TYPES = ("category", "set")
"""Types of fields that form groups."""

OTHERS, NONE = "(others)", "(none)"


def check_group(dataset: Dataset, group: str) -> None:
    """Require a field that can group items or users.

    Args:
        dataset: The data set.
        group: Name of a field of type category or set; "" stands for no group.

    Raises:
        ProtocolError: If neither items nor users have such a field.
    """
    names = sorted(
        {
            name
            for catalogue in (dataset.catalogue, dataset.users)
            for name, kind in catalogue.types().items()
            if kind in GROUPING_TYPES
        }
    )
    if group and group not in names:
        raise ProtocolError(
            f"no category or set of items or users is called {group!r}",
            hint=f"there are {', '.join(names) or 'none'}",
            field="group",
        )


def item_groups(dataset: Dataset, group: str) -> dict[str, BoolArray]:
    """Group the available items by the values of a field.

    Args:
        dataset: The data set.
        group: Name of an item field; other names yield no groups.

    Returns:
        bool [n_items] by value: the values with most items, then all others together. With a
        field of type set an item may be in several groups.
    """
    column = dataset.catalogue.columns.get(group)
    if column is None or column.type not in GROUPING_TYPES:
        return {}
    alive = dataset.catalogue.alive
    if column.type == "set":
        return _set_groups(column, alive)
    values = np.array([NONE if value is None else str(value) for value in column.values], np.str_)
    names, counts = np.unique(values[alive], return_counts=True)
    largest = [str(name) for name in names[np.lexsort((names, -counts))][:MAX_GROUPS]]
    groups = {name: alive & (values == name) for name in largest}
    if len(names) > MAX_GROUPS:
        groups[OTHERS] = alive & ~np.isin(values, largest)
    return groups


def group_summary(split: Split, group: str) -> dict[str, Any]:
    """Describe the groups of items for the report.

    Args:
        split: The split; shares come from its training data.
        group: Name of an item field.

    Returns:
        The field and, by group, its share of the items and of the events; empty without groups.
    """
    train, groups = split.train, item_groups(split.query_time_data, group)
    if not groups:
        return {}
    n_items = max(int(train.catalogue.alive.sum()), 1)
    events = np.bincount(train.interactions.items, minlength=train.n_items)
    n_events = max(int(events.sum()), 1)
    shares = {
        name: {
            "items": round(int(mask.sum()) / n_items, 6),
            "events": round(int(events[mask].sum()) / n_events, 6),
        }
        for name, mask in groups.items()
    }
    return {"group": {"field": group, "shares": shares}}


def _set_groups(column: Column, alive: BoolArray) -> dict[str, BoolArray]:
    """Bool [n_items] by member of the sets, for the members with most items."""
    item_numbers: dict[str, list[int]] = {}
    for number in np.flatnonzero(alive).tolist():
        for name in column.get(number) or ():
            item_numbers.setdefault(name, []).append(number)
    largest = sorted(item_numbers, key=lambda name: (-len(item_numbers[name]), name))[:MAX_GROUPS]
    groups = {name: np.zeros(len(alive), np.bool_) for name in largest}
    for name in largest:
        groups[name][item_numbers[name]] = True
    return groups
