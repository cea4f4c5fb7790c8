"""Parts of users and of targets that a mean hides."""

from __future__ import annotations

import sys

import numpy as np

from plait.data.types import BoolArray, Dataset, Int32Array, Int64Array, Interactions
from plait.splitting.labelled_examples import Examples
from plait.splitting.splits import DAY, Split

__all__ = [
    "age_slices",
    "births",
    "click_slices",
    "group_slices",
    "item_slices",
    "target_slices",
    "user_slices",
]

BANDS = ((0, 0, "0"), (1, 4, "1-4"), (5, 19, "5-19"), (20, sys.maxsize, "20+"))

COUNTS = ((1, 4, "1-4"), (5, 19, "5-19"), (20, 99, "20-99"), (100, sys.maxsize, "100+"))
"""Events of an item in train. What has none is a new item."""

AGES = ((0, 7, "0-7d"), (7, 30, "7-30d"), (30, 90, "30-90d"), (90, 365, "90-365d"))
"""Days between the first event of an item and the question; an item that is older has none."""

NEVER = np.iinfo(np.int64).max
"""When an item without events had its first one."""

HEAD = 0.5
"""The head is the most popular items that hold this share of the training events."""

MOST = 20
"""At most so many values of a user field become slices."""


def user_slices(split: Split, *, known: bool = True) -> dict[str, BoolArray]:
    """Bool [B] by name: bands of history length, and users of whom nothing is known.

    `known`: whether being a new user means anything; under held-out users all of them are.
    """
    found = _history_slices(split.queries.history.lengths)
    if known:
        found["new-users"] = split.queries.users < 0
    return {name: mask for name, mask in found.items() if mask.any()}


def click_slices(dataset: Dataset, examples: Examples, cut: int) -> dict[str, BoolArray]:
    """Bool [N] by name, over all examples behind `cut`: how much the user had done, and how much
    train has of the item and how old it was.

    Train holds no misses; how old an item is `dataset` tells, where it was first taken or shown.
    """
    rows, items = examples.numbers.rows, examples.numbers.values
    counts = np.bincount(examples.train.interactions.items, minlength=dataset.n_items)
    found = _history_slices(examples.queries.history.lengths[rows])
    found["new-items"] = (counts == 0)[items]
    found |= {name: mask[items] for name, mask in _popularity_slices(counts).items()}
    before = dataset.interactions.take(dataset.interactions.times <= cut)
    found |= age_slices(births(before, dataset.n_items), items, examples.queries.times[rows])
    return {name: mask for name, mask in found.items() if mask.any()}


def group_slices(dataset: Dataset, users: Int32Array, group: str) -> dict[str, BoolArray]:
    """Bool [B] by name: users [B] by the values of a user field, the most frequent ones."""
    column = dataset.users.columns.get(group)
    if column is None or column.type != "category":
        return {}
    values = np.array([str(column.get(int(one))) for one in users], object)
    names, counts = np.unique(values.astype(str), return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:MOST]]
    return {f"{group}={name}": values == name for name in kept if name != "None"}


def item_slices(split: Split) -> dict[str, BoolArray]:
    """Bool [n_items] by name: new items, popularity in train, and its head and tail.

    Items of the same count are on the same side, so that numbering plays no part.
    """
    counts = np.bincount(split.train.interactions.items, minlength=split.train.n_items)
    falling = np.sort(counts)[::-1]
    place = int(np.searchsorted(np.cumsum(falling), HEAD * counts.sum()))
    least = falling[min(place, len(falling) - 1)] if len(falling) else 0
    head = (counts >= least) & ~split.new
    found = {"new-items": split.new, "head": head, "tail": ~head & ~split.new}
    return found | {name: mask & ~split.new for name, mask in _popularity_slices(counts).items()}


def target_slices(split: Split) -> dict[str, BoolArray]:
    """Bool [T] by name, over all targets: the slices of their items, and how old these were."""
    targets = split.targets.values
    found = {name: mask[targets] for name, mask in item_slices(split).items()}
    if split.train.clock == "time":
        first = births(split.train.interactions, split.train.n_items)
        found |= age_slices(first, targets, split.queries.times[split.targets.rows])
    return {name: mask for name, mask in found.items() if mask.any()}


def births(found: Interactions, size: int) -> Int64Array:
    """When each of `size` items had its first event, int64 [size]; NEVER: it had none."""
    first = np.full(size, NEVER, np.int64)
    np.minimum.at(first, found.items, found.times)
    return first


def age_slices(first: Int64Array, items: Int32Array, asked: Int64Array) -> dict[str, BoolArray]:
    """Bool [T] by name: how long before the questions, `asked` [T] in microseconds, the `items` [T]
    had their first event. What had none by then, or is unknown (-1), is in no slice.
    """
    born = np.append(first, NEVER)[items]
    ages = np.where(born > asked, -1, asked - np.minimum(born, asked))
    found = {f"age:{name}": (ages >= low * DAY) & (ages < high * DAY) for low, high, name in AGES}
    found["age:365d+"] = ages >= AGES[-1][1] * DAY
    return found


def _history_slices(lengths: Int64Array) -> dict[str, BoolArray]:
    return {
        f"history:{name}": (lengths >= least) & (lengths <= most) for least, most, name in BANDS
    }


def _popularity_slices(counts: Int64Array) -> dict[str, BoolArray]:
    return {f"popularity:{name}": (counts >= low) & (counts <= high) for low, high, name in COUNTS}
