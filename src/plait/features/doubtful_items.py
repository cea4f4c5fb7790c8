"""Finds items whose rise comes from few users or from new ones, as bought popularity does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int64Array
from plait.data.dataset import Dataset, user_item_keys
from plait.utils.timestamps import DAY

__all__ = ["DoubtfulItem", "doubtful_items"]

_WINDOW = 7 * DAY
"""What happened so long before the last event is new."""

_RISE = 3.0
"""An item rises if so many times as many users, or events, as before chose it."""

_LEAST_USERS = 10
"""Fewer users make no rise by their number."""

_LEAST_EVENTS = 50
"""Fewer events make no rise by their number."""

_FEW = 0.5
"""Below this share of users in the events of an item it has few users for them."""

_DEVIATIONS = 6.0
"""So many standard deviations more new users than other items have: their number is no accident."""

_LIMIT = 20
"""How many items are named at most."""


class DoubtfulItem(NamedTuple):
    """An item whose rise comes from few or new users.

    Attributes:
        item: The external id.
        reason: "few-users": most of its new events are repetitions; "new-users": many more of its
            users than elsewhere came with it.
        events: Its events in the last week.
        users: The users in them.
        new_users: Those of them whose first event lies in that week.
        expected: How many users it would have at its share of the time before.
    """

    item: str
    reason: Literal["few-users", "new-users"]
    events: int
    users: int
    new_users: int
    expected: float

    def to_dict(self) -> Mapping[str, Any]:
        """As JSON has it."""
        return {**self._asdict(), "expected": round(self.expected, 2)}


def doubtful_items(dataset: Dataset) -> list[DoubtfulItem]:
    """Find the items whose rise in the last week of a log comes from few or new users.

    An item rises where three times as many users, or events, chose it as its share of the time
    before lets expect. Its users are new where their share of first-time users lies six standard
    deviations above that of all items.

    Args:
        dataset: The data set.

    Returns:
        At most 20, the largest rise first; none without times or without a time before.
    """
    events = dataset.interactions
    if dataset.clock != "time" or not len(events):
        return []
    first = np.full(dataset.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, events.users, events.times)
    start = int(events.times.max()) - _WINDOW
    is_recent = events.times > start
    if is_recent.all():
        return []
    users, newcomers = _users_by_item(dataset, is_recent, first > start)
    users_before, _ = _users_by_item(dataset, ~is_recent, first > start)
    n_events = np.bincount(events.items[is_recent], minlength=dataset.n_items)
    n_before = np.bincount(events.items[~is_recent], minlength=dataset.n_items)
    expected = users_before * (users.sum() / max(users_before.sum(), 1))
    expected_events = n_before * (n_events.sum() / max(n_before.sum(), 1))
    is_repeated = (n_events >= _LEAST_EVENTS) & (n_events > _RISE * expected_events)
    is_repeated &= users < _FEW * n_events
    rises = (users >= _LEAST_USERS) & (users > _RISE * expected)
    is_new = rises & (_deviations(newcomers, users) > _DEVIATIONS)
    rise = np.maximum(users - expected, 0) + np.maximum(n_events - expected_events, 0)
    rise *= is_repeated | is_new
    order = np.lexsort((dataset.catalogue.tiebreak, -rise))[:_LIMIT]
    return [
        DoubtfulItem(
            dataset.catalogue.ids[item],
            "new-users" if is_new[item] else "few-users",
            int(n_events[item]),
            int(users[item]),
            int(newcomers[item]),
            float(expected[item]),
        )
        for item in order[rise[order] > 0].tolist()
    ]


def _users_by_item(
    dataset: Dataset, where: BoolArray, is_newcomer: BoolArray
) -> tuple[Int64Array, Int64Array]:
    """By item the users of some interactions, and those of them who are new, int64 [n_items]."""
    pairs = np.unique(user_item_keys(dataset.interactions.take(where), dataset.n_items))
    users, items = np.divmod(pairs, max(dataset.n_items, 1))
    newcomers = items[is_newcomer[users]]
    n_items = dataset.n_items
    return np.bincount(items, minlength=n_items), np.bincount(newcomers, minlength=n_items)


def _deviations(newcomers: Int64Array, users: Int64Array) -> Float64Array:
    """How far the new users of each item lie above what those of the others let expect."""
    others = np.maximum(users.sum() - users, 1)
    share = np.clip((newcomers.sum() - newcomers) / others, 0.01, 1.0)
    spread = np.sqrt(np.maximum(users * share * (1 - share), 1e-9))
    result: Float64Array = (newcomers - users * share) / spread
    return result
