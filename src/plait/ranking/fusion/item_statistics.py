"""What a learned ranker knows of items: how many users chose them, when, and how that changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import Float32Array, Int32Array
from plait.data.dataset import Dataset, user_item_keys
from plait.utils.timestamps import DAY

__all__ = ["ItemStatistics", "item_statistics", "users_of_items"]

_RECENT_SHARE = 0.2
"""The share of the log's events that count as recent."""

_PRIOR_EVENTS = 5.0
"""The events of average recency that are added to those of an item."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemStatistics:
    """Statistics of n items at the time of the fit.

    Attributes:
        popularity: The logarithm of one plus the number of users, less that of the mean item,
            float32 [n].
        trend: The share of the item's events among the newest fifth of all events, pulled to that
            fifth, float32 [n].
        first_day: The day of the first event since 1970, float32 [n]; NaN without events or times.
        last_day: The day of the last event, float32 [n]; NaN as above.
        end_day: The day of the last event of all, 0 without times. Ages count up to this day: what
            happened since the fit is not in these statistics.
    """

    popularity: Float32Array
    trend: Float32Array
    first_day: Float32Array
    last_day: Float32Array
    end_day: float = 0.0

    def of(self, numbers: Int32Array) -> ItemStatistics:
        """Select the statistics of items.

        Args:
            numbers: Item numbers, int32 [...]; those behind the fit and -1 count as unknown.

        Returns:
            Arrays of the shape of `numbers`, NaN for unknown items.
        """
        is_known = (numbers >= 0) & (numbers < len(self.popularity))
        rows = np.where(is_known, numbers, 0)
        unknown = np.float32(np.nan)
        if not len(self.popularity):
            empty = np.full(numbers.shape, unknown)
            return ItemStatistics(empty, empty, empty, empty, self.end_day)
        return ItemStatistics(
            np.where(is_known, self.popularity[rows], unknown),
            np.where(is_known, self.trend[rows], unknown),
            np.where(is_known, self.first_day[rows], unknown),
            np.where(is_known, self.last_day[rows], unknown),
            self.end_day,
        )


def users_of_items(dataset: Dataset) -> Float32Array:
    """Count the users of each item.

    Args:
        dataset: The data set.

    Returns:
        float32 [n].
    """
    keys = np.unique(user_item_keys(dataset.interactions, dataset.n_items))
    items = keys % max(dataset.n_items, 1)
    return np.bincount(items, minlength=dataset.n_items).astype(np.float32)


def item_statistics(dataset: Dataset) -> ItemStatistics:
    """Compute the statistics of all items of a data set.

    Args:
        dataset: The data set.

    Returns:
        Arrays of `dataset.n_items` entries.
    """
    events, n_items = dataset.interactions, dataset.n_items
    pairs = np.unique(events.items.astype(np.int64) * dataset.n_users + events.users)
    users = np.bincount(pairs // max(dataset.n_users, 1), minlength=n_items)
    counts = np.bincount(events.items, minlength=n_items)
    has_times = dataset.clock == "time"
    recent = np.zeros(n_items)
    first, last = np.full((2, n_items), np.nan)
    if len(events):
        # Without times an event is the more recent, the fewer events of its user follow.
        age = _events_behind(dataset) if not has_times else events.times.max() - events.times
        is_recent = age <= np.quantile(age, _RECENT_SHARE)
        recent += np.bincount(events.items[is_recent], minlength=n_items)
    if has_times and len(events):
        order = np.argsort(events.times, kind="stable")
        days = events.times[order] / DAY
        last[events.items[order]] = days
        first[events.items[order[::-1]]] = days[::-1]
    overall = recent.sum() / max(len(events), 1)
    mean_users = users.mean() if n_items else 0.0
    return ItemStatistics(
        (np.log1p(users) - np.log1p(mean_users)).astype(np.float32),
        ((recent + _PRIOR_EVENTS * overall) / (counts + _PRIOR_EVENTS)).astype(np.float32),
        first.astype(np.float32),
        last.astype(np.float32),
        float(np.nanmax(last)) if has_times and len(events) else 0.0,
    )


def _events_behind(dataset: Dataset) -> np.ndarray:
    """How many events of the same user follow each event, int64 [N]."""
    users = dataset.interactions.users
    ends = np.cumsum(np.bincount(users, minlength=dataset.n_users))
    behind: np.ndarray = ends[users] - 1 - np.arange(len(users))
    return behind
