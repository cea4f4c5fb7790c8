"""Which users count for which items, as the log goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.data.recent_interactions import MAX_RECENT_ROWS
from plait.models.popularity.robust_counts import NEWCOMER_DAYS, SINGLE_ITEM_WEIGHT

__all__ = ["Count", "CountedPairs", "item_of", "pair_keys", "user_of"]

_SHIFT = 32

_NEVER = np.iinfo(np.int32).max
"""The first day of a user without an event."""


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
        is_newcomer: Whether the user came with the item.
    """

    pair: int
    day: int
    amount: float
    age: float
    is_newcomer: bool


class _Choice(NamedTuple):
    """The event with which a user counts for an item."""

    day: int
    weight: float
    is_newcomer: bool
    age: float = math.nan


class CountedPairs:
    """For each pair of a user and an item the event with which the user counts.

    Args:
        n_items: How many items each user chose before, up to two, int32 [n_users].
        first_days: The day of the first event of each user, int32 [n_users].
    """

    def __init__(self, n_items: Int32Array, first_days: Int32Array) -> None:
        self._fitted_items = n_items
        self._fitted_first_days = first_days
        self._first_days: dict[int, int] = {}
        self._n_items: dict[int, int] = {}
        self._keys = np.zeros(0, np.int64)
        self._days = np.zeros(0, np.int64)
        self._weights = np.zeros(0)
        self._newcomers = np.zeros(0, np.bool_)
        self._changed: dict[int, _Choice] = {}
        self._only: dict[int, int] = {}

    def remember(
        self, keys: Int64Array, days: Int64Array, weights: Float64Array, first: Int64Array
    ) -> None:
        """Take note of what a fit has counted.

        Args:
            keys: int64 [N], ascending.
            days: int64 [N], the newest day of each.
            weights: float64 [N], the largest weight on it.
            first: int64 [N], the first day of each that is at hand.
        """
        if len(keys):
            self._keys, self._days, self._weights = keys, days, weights
            self._newcomers = self.came_with_item(keys, first)

    def came_with_item(self, keys: Int64Array, first: Int64Array) -> BoolArray:
        """Tell for which items users are newcomers; their first days follow.

        Args:
            keys: Pairs, int64 [N].
            first: The first day of each, int64 [N].

        Returns:
            bool [N].
        """
        users = keys >> _SHIFT
        known = self._fitted_first_days
        is_fitted = users < len(known)
        if is_fitted.all():
            arrivals = np.minimum(known[users], first)
            if (arrivals == known[users]).all():
                return np.asarray(first - arrivals < NEWCOMER_DAYS, np.bool_)
        for user, day in zip(users.tolist(), first.tolist(), strict=True):
            self._first_days[user] = min(self._first_day(user), day)
        arrivals = np.array([self._first_day(user) for user in users.tolist()], np.int64)
        return np.asarray(first - arrivals < NEWCOMER_DAYS, np.bool_)

    def count(
        self, key: int, day: int, weight: float, age: float, *, is_newcomer: bool
    ) -> Iterator[Count]:
        """Count an event of a pair.

        Args:
            key: The pair.
            day: The day of the event.
            weight: The weight of its type.
            age: When, in half-lives after the fit.
            is_newcomer: Whether the user came with the item, if the pair is new.

        Yields:
            What changes.
        """
        user = user_of(key)
        before = self._find(key)
        if before is not None and (day, weight) <= before[:2]:
            return
        n_fitted = int(self._fitted_items[user]) if user < len(self._fitted_items) else 0
        n_items = self._n_items.get(user, n_fitted)
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
            is_newcomer = before.is_newcomer
            yield Count(key, before.day, -before.weight * scale, before.age, is_newcomer)
        self._changed[key] = _Choice(day, weight, is_newcomer, age)
        yield Count(key, day, weight * scale, age, is_newcomer)

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
            yield Count(first, counted.day, rest, counted.age, counted.is_newcomer)

    def _find(self, key: int) -> _Choice | None:
        changed = self._changed.get(key)
        if changed is not None:
            return changed
        position = int(self._keys.searchsorted(key))
        if position == len(self._keys) or self._keys[position] != key:
            return None
        return _Choice(
            int(self._days[position]),
            float(self._weights[position]),
            bool(self._newcomers[position]),
        )

    def _first_day(self, user: int) -> int:
        if user in self._first_days:
            return self._first_days[user]
        is_known = user < len(self._fitted_first_days)
        return int(self._fitted_first_days[user]) if is_known else _NEVER
