"""Which users count for which items, as the log goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from plait.data.array_types import Float64Array, Int32Array, Int64Array
from plait.data.recent_interactions import MAX_RECENT_ROWS
from plait.models.popularity.daily_cells import SINGLE_ITEM_WEIGHT

__all__ = ["Count", "CountedPairs", "item_of", "pair_keys", "user_of"]

_SHIFT = 32


def pair_keys(users: Int32Array, items: Int32Array) -> Int64Array:
    """Encode users and items in one number each.

    Args:
        users: int32 [N].
        items: int32 [N].

    Returns:
        int64 [N].
    """
    return users.astype(np.int64) << _SHIFT | items


def user_of(pair: int) -> int:
    """Decode the user of a pair.

    Args:
        pair: As from `pair_keys`.
    """
    return pair >> _SHIFT


def item_of(pair: int) -> int:
    """Decode the item of a pair.

    Args:
        pair: As from `pair_keys`.
    """
    return pair & (1 << _SHIFT) - 1


class Count(NamedTuple):
    """What an item gets on a day.

    Attributes:
        pair: The pair of user and item.
        day: The day.
        amount: Negative for what no longer counts.
        age: When, in half-lives after the fit; NaN: some time that day.
    """

    pair: int
    day: int
    amount: float
    age: float


class _Choice(NamedTuple):
    """The event with which a user counts for an item."""

    day: int
    weight: float
    age: float = math.nan


class CountedPairs:
    """For each pair of a user and an item the event with which the user counts.

    Args:
        n_items: How many items each user chose before, up to two, int32 [n_users].
    """

    def __init__(self, n_items: Int32Array) -> None:
        self._fitted_items = n_items
        self._n_items: dict[int, int] = {}
        self._keys = np.zeros(0, np.int64)
        self._days = np.zeros(0, np.int64)
        self._weights = np.zeros(0)
        self._changed: dict[int, _Choice] = {}
        self._only: dict[int, int] = {}

    def remember(self, keys: Int64Array, days: Int64Array, weights: Float64Array) -> None:
        """Take note of what a fit has counted.

        Args:
            keys: int64 [N], ascending.
            days: int64 [N], the newest day of each.
            weights: float64 [N], the largest weight on it.
        """
        if len(keys):
            self._keys, self._days, self._weights = keys, days, weights

    def count(self, key: int, day: int, weight: float, age: float) -> Iterator[Count]:
        """Count an event of a pair.

        Args:
            key: The pair.
            day: The day of the event.
            weight: The weight of its type.
            age: When, in half-lives after the fit.

        Yields:
            What changes.
        """
        user = user_of(key)
        before = self._find(key)
        if before is not None and (day, weight) <= before[:2]:
            return
        n_items = self._item_count(user)
        if len(self._changed) > MAX_RECENT_ROWS:  # memory is bounded; a user may count twice
            self._changed.clear()
            self._only.clear()
        if before is None:
            n_items += 1
            self._n_items[user] = min(n_items, 2)
            if n_items == 1:
                self._only[user] = key
            elif n_items == 2:
                yield from self._rest_of_first(user)
        scale = SINGLE_ITEM_WEIGHT if n_items == 1 else 1.0
        if before is not None:
            yield Count(key, before.day, -before.weight * scale, before.age)
        self._changed[key] = _Choice(day, weight, age)
        yield Count(key, day, weight * scale, age)

    def _rest_of_first(self, user: int) -> Iterator[Count]:
        """What the first item of a user gets in addition when the user chooses another."""
        first = self._only.pop(user, None)
        if first is None:
            position = int(self._keys.searchsorted(user << _SHIFT))
            if position == len(self._keys) or user_of(int(self._keys[position])) != user:
                return
            first = int(self._keys[position])
        counted = self._find(first)
        if counted is not None:
            rest = (1 - SINGLE_ITEM_WEIGHT) * counted.weight
            yield Count(first, counted.day, rest, counted.age)

    def _find(self, key: int) -> _Choice | None:
        changed = self._changed.get(key)
        if changed is not None:
            return changed
        position = int(self._keys.searchsorted(key))
        if position == len(self._keys) or self._keys[position] != key:
            return None
        return _Choice(int(self._days[position]), float(self._weights[position]))

    def _item_count(self, user: int) -> int:
        known = self._fitted_items[user] if user < len(self._fitted_items) else 0
        return self._n_items.get(user, int(known))
