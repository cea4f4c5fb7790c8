"""Who counts how much for an item, so that few users or new ones cannot make it popular.

- A user counts once for an item: on the newest day, with the event of the largest weight there.
- Users with a single item count half: an account made for one purchase is one of these.
- What newcomers add to an item in a day is bounded by three times (`newcomer_limit`) what the users
  who were there before let expect. A user is a newcomer to an item whose first event with it lies
  within a week of the user's first event at all: who came for this item alone stays one.
- What an item gets in a day counts in full up to what the fifth item of that day gets, beyond that
  by its logarithm: a burst of one day does not outweigh what is popular day by day.

A *cell* is an item on a day. Without times there are no days, and only the first two rules hold.
Where all users are newcomers, as in a new shop, the third rule bounds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.data.dataset import Interactions
from plait.utils.timestamps import DAY

__all__ = [
    "NEWCOMER_DAYS",
    "NEWCOMER_LIMIT",
    "SINGLE_ITEM_WEIGHT",
    "DailyCells",
    "RobustInteractions",
    "first_days",
    "items_by_user",
    "robust_interactions",
    "user_weight",
]

SINGLE_ITEM_WEIGHT = 0.5
"""The weight of a user with a single item."""

NEWCOMER_DAYS = 7
"""A user whose first event with an item lies so few days behind the first of all is a newcomer."""

NEWCOMER_LIMIT = 3.0
"""Newcomers count up to so many times their expected number: without an established user, that is
where an honest item lies in 95 % of cases (their number is distributed geometrically)."""

_PARTS = 20
_LEAST_PART = 50
"""The parts of a log whose median ratio is taken, and the fewest interactions of one."""

_MOST_NEWCOMERS = 1e9
"""The ratio of newcomers to established users where there are none of these."""

_RANK = 5
"""Up to the count of the item of this rank a day counts in full."""


@dataclass(frozen=True, slots=True, eq=False)
class DailyCells:
    """What items got on days, sorted by (day, item).

    Attributes:
        days: int32 [C], days since 1970 UTC.
        items: int32 [C].
        counts: float64 [C], the summed weights of the users that count.
        decayed: float64 [C], the same with decay.
        newcomers: float64 [C], the part of `counts` that comes from newcomers.
    """

    days: Int32Array
    items: Int32Array
    counts: Float64Array
    decayed: Float64Array
    newcomers: Float64Array

    @staticmethod
    def of(
        days: Int64Array,
        items: Int64Array,
        counts: Float64Array,
        decayed: Float64Array,
        newcomers: Float64Array,
    ) -> DailyCells:
        """Sum up entries of the same day and item.

        Args:
            days: int64 [N], in any order.
            items: int64 [N].
            counts: float64 [N].
            decayed: float64 [N].
            newcomers: float64 [N].

        Returns:
            The cells, without those that no longer count.
        """
        width = int(items.max(initial=0)) + 1
        keys, cells = np.unique(days * width + items, return_inverse=True)
        sums = [np.bincount(cells, part, len(keys)) for part in (counts, decayed, newcomers)]
        stays = sums[0] > 1e-9
        return DailyCells(
            (keys // width)[stays].astype(np.int32),
            (keys % width)[stays].astype(np.int32),
            *(part[stays].astype(np.float64) for part in sums),
        )

    def __len__(self) -> int:
        return len(self.days)

    def take(self, where: slice | BoolArray) -> DailyCells:
        """Select cells.

        Args:
            where: A slice or a mask bool [C].

        Returns:
            These cells.
        """
        return DailyCells(
            self.days[where],
            self.items[where],
            self.counts[where],
            self.decayed[where],
            self.newcomers[where],
        )

    def saturated(self, unit: float, most_newcomers: float) -> Float64Array:
        """Compute what each cell counts.

        Args:
            unit: The weight of one user: so much always counts in full.
            most_newcomers: How much newcomers of a cell may weigh, established users being 1.

        Returns:
            float64 [C], `decayed` times the share of `counts` that counts.
        """
        counts = self._bounded_counts(unit, most_newcomers)
        order = np.lexsort((-counts, self.days))
        days, first = np.unique(self.days[order], return_index=True)
        ends = np.append(first[1:], len(order))
        fifth = np.minimum(first + _RANK - 1, len(order) - 1)
        limits = np.where(first + _RANK <= ends, counts[order[fifth]], 0.0)
        limit = np.maximum(limits, unit)[np.searchsorted(days, self.days)]
        excess = np.maximum(counts / limit, 1.0)
        share = counts / np.maximum(self.counts, 1e-12)
        result: Float64Array = self.decayed * share * (1 + np.log(excess)) / excess
        return result

    def _bounded_counts(self, unit: float, most_newcomers: float) -> Float64Array:
        """`counts` with newcomers up to their bound, float64 [C]."""
        established = np.maximum(self.counts - self.newcomers, 0.0)
        bound = np.maximum(most_newcomers * (established + unit), unit)
        counts: Float64Array = self.counts - np.maximum(self.newcomers - bound, 0.0)
        return counts


@dataclass(frozen=True, slots=True, eq=False)
class RobustInteractions:
    """One interaction of each user and item.

    Attributes:
        interactions: M interactions, weighted by how much the user counts.
        is_newcomer: bool [M], whether the user came with the item.
    """

    interactions: Interactions
    is_newcomer: BoolArray

    def newcomer_ratio(self) -> float:
        """Compute how much newcomers weigh, established users being 1.

        Returns:
            The median over up to twenty equal parts of the log, in the order of time: what
            happens in one of them does not move it.
        """
        order = np.argsort(self.interactions.times, kind="stable")
        weights = self.interactions.weights[order].astype(np.float64)
        n_parts = min(max(len(order) // _LEAST_PART, 1), _PARTS)
        starts = np.arange(n_parts) * len(order) // n_parts
        if not len(order):
            return 0.0
        newcomers = np.add.reduceat(weights * self.is_newcomer[order], starts)
        established = np.add.reduceat(weights, starts) - newcomers
        ratios = np.minimum(newcomers / np.maximum(established, 1e-12), _MOST_NEWCOMERS)
        return float(np.median(ratios))

    def cells(self, where: slice | BoolArray, decay: Float64Array) -> DailyCells:
        """Sum up by day and item.

        Args:
            where: Which interactions: a slice or a mask bool [M].
            decay: The decay of each, float64 [M].
        """
        chosen = self.interactions.take(where)
        weights = chosen.weights.astype(np.float64)
        return DailyCells.of(
            chosen.times // DAY,
            chosen.items.astype(np.int64),
            weights,
            weights * decay[where],
            weights * self.is_newcomer[where],
        )


def user_weight(event_weights: Mapping[str, float]) -> float:
    """Return the largest weight that a user can have for an item.

    Args:
        event_weights: Weights by event type; types that are absent weigh as "*", else 1.

    Returns:
        The largest weight; 1 if no weight is above 0.
    """
    largest = max({"*": 1.0, **event_weights}.values())
    return largest if largest > 0 else 1.0


def first_days(interactions: Interactions, n_users: int) -> Int32Array:
    """Find the day of the first event of each user.

    Args:
        interactions: N interactions with times.
        n_users: The number of users.

    Returns:
        int32 [n_users], days since 1970 UTC; 2^31 - 1 without an event.
    """
    days = np.full(n_users, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(days, interactions.users, (interactions.times // DAY).astype(np.int32))
    return days


def items_by_user(interactions: Interactions, n_users: int) -> Int32Array:
    """Count the items of each user, up to two.

    Args:
        interactions: N interactions of which each user and item occur once.
        n_users: The number of users.

    Returns:
        int32 [n_users]: 0, 1 or 2.
    """
    counts = np.bincount(interactions.users, minlength=n_users)
    return np.minimum(counts, 2).astype(np.int32)


def robust_interactions(interactions: Interactions, *, is_timed: bool) -> RobustInteractions:
    """Leave each user one interaction with an item, weighted by how much the user counts.

    Args:
        interactions: N interactions.
        is_timed: Whether `times` are times.

    Returns:
        One interaction of each user and item, of the newest day that with the largest weight, in
        their order. Without times nobody is a newcomer.
    """
    items = interactions.items.astype(np.int64)
    keys = interactions.users * (items.max(initial=0) + 1) + items
    days = interactions.times // DAY if is_timed else np.zeros_like(keys)
    order = np.lexsort((interactions.weights, days, keys))
    is_last = np.ones(len(keys), np.bool_)
    is_last[:-1] = np.diff(keys[order]) != 0
    rows = order[is_last]
    by_row = np.argsort(rows)
    counted = interactions.take(rows[by_row])
    n_users = int(counted.users.max(initial=-1)) + 1
    scale = np.where(
        items_by_user(counted, n_users)[counted.users] == 1,
        np.float32(SINGLE_ITEM_WEIGHT),
        np.float32(1),
    )
    is_newcomer = np.zeros(len(rows), np.bool_)
    if is_timed:
        first_with_item = days[order[np.roll(is_last, 1)]][by_row] if len(rows) else days
        first = first_days(interactions, n_users)[counted.users]
        is_newcomer = first_with_item - first < NEWCOMER_DAYS
    weighted = replace(counted, weights=(counted.weights * scale).astype(np.float32))
    return RobustInteractions(weighted, is_newcomer)
