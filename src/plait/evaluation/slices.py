"""Slices of queries, targets and examples, by history length, item popularity and item age."""

from __future__ import annotations

import sys

import numpy as np

from plait.data.array_types import BoolArray, Int32Array, Int64Array
from plait.data.types import Dataset, Interactions
from plait.splitting.labelled_examples import Examples
from plait.splitting.splits import Split
from plait.utils.timestamps import DAY

__all__ = [
    "age_slices",
    "band_slices",
    "click_slices",
    "first_event_times",
    "group_slices",
    "item_slices",
    "known_event_slices",
    "known_events",
    "target_slices",
    "user_slices",
]

HISTORY_BANDS = ((0, 0, "0"), (1, 4, "1-4"), (5, 19, "5-19"), (20, sys.maxsize, "20+"))

POPULARITY_BANDS = ((1, 4, "1-4"), (5, 19, "5-19"), (20, 99, "20-99"), (100, sys.maxsize, "100+"))
"""Events of an item in train. An item without any is a new item."""

AGE_BANDS = ((0, 7, "0-7d"), (7, 30, "7-30d"), (30, 90, "30-90d"), (90, 365, "90-365d"))
"""Days between the first event of an item and the query; older items are in "365d+"."""

NEVER = np.iinfo(np.int64).max
"""Time of the first event of an item without events."""

HEAD = 0.5
"""The head is the most popular items that hold this share of the training events."""

MAX_VALUES = 20
"""Number of values of a user field that become slices."""


def user_slices(split: Split, *, known: bool = True) -> dict[str, BoolArray]:
    """Slice queries by history length and by users unknown to train.

    Args:
        split: The split with B queries.
        known: Whether new users are a slice; under held-out users all of them are new.

    Returns:
        bool [B] by name, without empty slices.
    """
    slices = band_slices("history", split.queries.history.lengths, HISTORY_BANDS)
    if known:
        slices["new-users"] = split.queries.users < 0
    return {name: mask for name, mask in slices.items() if mask.any()}


def known_events(split: Split) -> Int64Array:
    """Count the events that are known of the user of each query.

    Args:
        split: The split with B queries.

    Returns:
        int64 [B], events of every weight.
    """
    assert split.queries.events is not None
    return split.queries.events.lengths


def known_event_slices(split: Split) -> dict[str, BoolArray]:
    """Slice queries by the number of events that are known of their users.

    Args:
        split: The split with B queries.

    Returns:
        bool [B] by "events:N".
    """
    counts = known_events(split)
    return {f"events:{count}": counts == count for count in np.unique(counts).tolist()}


def click_slices(dataset: Dataset, examples: Examples, cut: int) -> dict[str, BoolArray]:
    """Slice examples of clicks by history length, item popularity and item age.

    Args:
        dataset: The whole data set; it holds impressions, and so tells the age of items.
        examples: N examples after `cut`; their training data hold no misses.
        cut: Begin of the test window, microseconds.

    Returns:
        bool [N] by name, without empty slices.
    """
    rows, items = examples.item_numbers.rows, examples.item_numbers.values
    counts = np.bincount(examples.train.interactions.items, minlength=dataset.n_items)
    slices = band_slices("history", examples.queries.history.lengths[rows], HISTORY_BANDS)
    slices["new-items"] = (counts == 0)[items]
    slices |= band_slices("popularity", counts[items], POPULARITY_BANDS)
    before = dataset.interactions.take(dataset.interactions.times <= cut)
    first = first_event_times(before, dataset.n_items)
    slices |= age_slices(first, items, examples.queries.times[rows])
    return {name: mask for name, mask in slices.items() if mask.any()}


def group_slices(dataset: Dataset, users: Int32Array, group: str) -> dict[str, BoolArray]:
    """Slice users by the most frequent values of a category.

    Args:
        dataset: The data set.
        users: int32 [B], user numbers.
        group: Name of a user field; other names yield no slices.

    Returns:
        bool [B] by "FIELD=VALUE".
    """
    column = dataset.users.columns.get(group)
    if column is None or column.type != "category":
        return {}
    values = np.array([str(column.get(int(number))) for number in users], object)
    names, counts = np.unique(values.astype(str), return_counts=True)
    frequent = names[np.argsort(-counts, kind="stable")[:MAX_VALUES]]
    return {f"{group}={name}": values == name for name in frequent if name != "None"}


def item_slices(split: Split) -> dict[str, BoolArray]:
    """Slice items by popularity in train.

    Args:
        split: The split.

    Returns:
        bool [n_items] by name: new items, head and tail, and bands of popularity. Items of equal
        counts are all head or all tail, so that numbering has no effect.
    """
    counts = np.bincount(split.train.interactions.items, minlength=split.train.n_items)
    falling = np.sort(counts)[::-1]
    last = int(np.searchsorted(np.cumsum(falling), HEAD * counts.sum()))
    least = falling[min(last, len(falling) - 1)] if len(falling) else 0
    head = (counts >= least) & ~split.new
    slices = {"new-items": split.new, "head": head, "tail": ~head & ~split.new}
    bands = band_slices("popularity", counts, POPULARITY_BANDS)
    return slices | {name: mask & ~split.new for name, mask in bands.items()}


def target_slices(split: Split) -> dict[str, BoolArray]:
    """Slice targets by the popularity and the age of their items.

    Args:
        split: The split with T targets.

    Returns:
        bool [T] by name, without empty slices.
    """
    targets = split.targets.values
    slices = {name: mask[targets] for name, mask in item_slices(split).items()}
    if split.cold is not None:
        slices |= {"cold": split.cold[targets], "warm": ~split.cold[targets]}
    if split.train.clock == "time":
        first = first_event_times(split.train.interactions, split.train.n_items)
        slices |= age_slices(first, targets, split.queries.times[split.targets.rows])
    return {name: mask for name, mask in slices.items() if mask.any()}


def first_event_times(events: Interactions, n_items: int) -> Int64Array:
    """Find the time of each item's first event.

    Args:
        events: The events.
        n_items: Number of items.

    Returns:
        int64 [n_items], microseconds; `NEVER` without events.
    """
    first = np.full(n_items, NEVER, np.int64)
    np.minimum.at(first, events.items, events.times)
    return first


def age_slices(first: Int64Array, items: Int32Array, times: Int64Array) -> dict[str, BoolArray]:
    """Slice items by their age at the time of the query.

    Args:
        first: int64 [n_items], time of each item's first event.
        items: int32 [T], item numbers, -1 for an unknown item.
        times: int64 [T], times of the queries in microseconds.

    Returns:
        bool [T] by name; items without an earlier event are in no slice.
    """
    born = np.append(first, NEVER)[items]
    ages = np.where(born > times, -1, times - np.minimum(born, times))
    slices = {
        f"age:{name}": (ages >= low * DAY) & (ages < high * DAY) for low, high, name in AGE_BANDS
    }
    slices["age:365d+"] = ages >= AGE_BANDS[-1][1] * DAY
    return slices


def band_slices(
    name: str, counts: Int64Array, bands: tuple[tuple[int, int, str], ...]
) -> dict[str, BoolArray]:
    """Slice by bands of a count.

    Args:
        name: Name of the count.
        counts: int64 [N].
        bands: Smallest and largest count of each band, and its name.

    Returns:
        bool [N] by "NAME:BAND".
    """
    return {f"{name}:{band}": (counts >= low) & (counts <= high) for low, high, band in bands}
