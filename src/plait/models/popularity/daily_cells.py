"""Who counts how much for an item, so that few users or new ones cannot make it popular.

- A user counts once for an item: on the newest day, with the event of the largest weight there.
- Users with a single item count half: an account made for one purchase is one of these.
- What an item gets in a day counts in full up to what the fifth item of that day gets, beyond that
  by its logarithm: a burst of one day does not outweigh what is popular day by day.

A *cell* is an item on a day. Without times there are no days, and only the first two rules hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.data.dataset import Interactions
from plait.utils.timestamps import DAY

__all__ = ["SINGLE_ITEM_WEIGHT", "DailyCells", "items_by_user", "robust_interactions"]

SINGLE_ITEM_WEIGHT = 0.5
"""The weight of a user with a single item."""

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
    """

    days: Int32Array
    items: Int32Array
    counts: Float64Array
    decayed: Float64Array

    @staticmethod
    def of(
        days: Int64Array, items: Int64Array, counts: Float64Array, decayed: Float64Array
    ) -> DailyCells:
        """Sum up entries of the same day and item.

        Args:
            days: int64 [N], in any order.
            items: int64 [N].
            counts: float64 [N].
            decayed: float64 [N].

        Returns:
            The cells, without those that no longer count.
        """
        width = int(items.max(initial=0)) + 1
        keys, cells = np.unique(days * width + items, return_inverse=True)
        sums: Float64Array = np.bincount(cells, counts, len(keys)).astype(np.float64)
        decayed_sums: Float64Array = np.bincount(cells, decayed, len(keys)).astype(np.float64)
        stays = sums > 1e-9
        return DailyCells(
            (keys // width)[stays].astype(np.int32),
            (keys % width)[stays].astype(np.int32),
            sums[stays],
            decayed_sums[stays],
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
            self.days[where], self.items[where], self.counts[where], self.decayed[where]
        )

    def saturated(self, unit: float) -> Float64Array:
        """Compute what each cell counts.

        Args:
            unit: The weight of one user: so much always counts in full.

        Returns:
            float64 [C], `decayed` times the share of `counts` that counts.
        """
        order = np.lexsort((-self.counts, self.days))
        days, first = np.unique(self.days[order], return_index=True)
        ends = np.append(first[1:], len(order))
        fifth = np.minimum(first + _RANK - 1, len(order) - 1)
        limits = np.where(first + _RANK <= ends, self.counts[order[fifth]], 0.0)
        limit = np.maximum(limits, unit)[np.searchsorted(days, self.days)]
        excess = np.maximum(self.counts / limit, 1.0)
        result: Float64Array = self.decayed * (1 + np.log(excess)) / excess
        return result


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


def robust_interactions(interactions: Interactions, *, is_timed: bool) -> Interactions:
    """Leave each user one interaction with an item, weighted by how much the user counts.

    Args:
        interactions: N interactions.
        is_timed: Whether `times` are times.

    Returns:
        One interaction of each user and item, of the newest day that with the largest weight, in
        their order.
    """
    items = interactions.items.astype(np.int64)
    keys = interactions.users * (items.max(initial=0) + 1) + items
    days = interactions.times // DAY if is_timed else np.zeros_like(keys)
    order = np.lexsort((interactions.weights, days, keys))
    is_last = np.ones(len(keys), np.bool_)
    is_last[:-1] = np.diff(keys[order]) != 0
    counted = interactions.take(np.sort(order[is_last]))
    n_items = items_by_user(counted, int(counted.users.max(initial=-1)) + 1)
    scale = np.where(n_items[counted.users] == 1, np.float32(SINGLE_ITEM_WEIGHT), np.float32(1))
    return replace(counted, weights=(counted.weights * scale).astype(np.float32))
