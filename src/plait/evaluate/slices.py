"""Parts of users and of targets that a mean hides."""

from __future__ import annotations

import sys

import numpy as np

from plait.core.types import Bools, Dataset, Longs, Numbers
from plait.measure.splits import DAY, Split

__all__ = ["group_slices", "item_slices", "target_slices", "user_slices"]

BANDS = ((0, 0, "0"), (1, 4, "1-4"), (5, 19, "5-19"), (20, sys.maxsize, "20+"))

COUNTS = ((1, 4, "1-4"), (5, 19, "5-19"), (20, 99, "20-99"), (100, sys.maxsize, "100+"))
"""Events of an item in train. What has none is a new item."""

AGES = ((0, 7, "0-7d"), (7, 30, "7-30d"), (30, 90, "30-90d"), (90, 365, "90-365d"))
"""Days between the first event of an item and the question; an item that is older has none."""

HEAD = 0.5
"""The head is the most popular items that hold this share of the training events."""

MOST = 20
"""At most so many values of a user field become slices."""


def user_slices(split: Split, *, known: bool = True) -> dict[str, Bools]:
    """Bool [B] by name: bands of history length, and users of whom nothing is known.

    `known`: whether being a new user means anything; under held-out users all of them are.
    """
    lengths = split.queries.history.lengths
    found = {
        f"history:{name}": (lengths >= least) & (lengths <= most) for least, most, name in BANDS
    }
    if known:
        found["new-users"] = split.queries.users < 0
    return {name: mask for name, mask in found.items() if mask.any()}


def group_slices(dataset: Dataset, users: Numbers, group: str) -> dict[str, Bools]:
    """Bool [B] by name: users [B] by the values of a user field, the most frequent ones."""
    column = dataset.users.columns.get(group)
    if column is None or column.type != "category":
        return {}
    values = np.array([str(column.get(int(one))) for one in users], object)
    names, counts = np.unique(values.astype(str), return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:MOST]]
    return {f"{group}={name}": values == name for name in kept if name != "None"}


def item_slices(split: Split) -> dict[str, Bools]:
    """Bool [n_items] by name: new items, popularity in train, and its head and tail.

    Items of the same count are on the same side, so that numbering plays no part.
    """
    counts = np.bincount(split.train.interactions.items, minlength=split.train.n_items)
    falling = np.sort(counts)[::-1]
    place = int(np.searchsorted(np.cumsum(falling), HEAD * counts.sum()))
    least = falling[min(place, len(falling) - 1)] if len(falling) else 0
    head = (counts >= least) & ~split.new
    found = {"new-items": split.new, "head": head, "tail": ~head & ~split.new}
    for low, high, name in COUNTS:
        found[f"popularity:{name}"] = (counts >= low) & (counts <= high) & ~split.new
    return found


def target_slices(split: Split) -> dict[str, Bools]:
    """Bool [T] by name, over all targets: the slices of their items, and how old these were."""
    targets = split.targets.values
    found = {name: mask[targets] for name, mask in item_slices(split).items()}
    if split.train.clock == "time":
        ages = _ages(split)
        for low, high, name in AGES:
            found[f"age:{name}"] = (ages >= low * DAY) & (ages < high * DAY)
        found["age:365d+"] = ages >= AGES[-1][1] * DAY
    return {name: mask for name, mask in found.items() if mask.any()}


def _ages(split: Split) -> Longs:
    """How long before the question each target had its first event in train; -1: it had none."""
    found = split.train.interactions
    never = np.iinfo(np.int64).max
    first = np.full(split.train.n_items, never, np.int64)
    np.minimum.at(first, found.items, found.times)
    born = first[split.targets.values]
    asked = split.queries.times[split.targets.rows]
    return np.where((born == never) | (born > asked), -1, asked - np.minimum(born, asked))
