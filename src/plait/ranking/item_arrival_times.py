"""The arrival time of items: by a date field of the catalogue, or by the log."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import Float64Array
from plait.data.catalogue import NO_TIME
from plait.data.state_view import State

__all__ = ["DATE_FIELDS", "arrival_times"]

DATE_FIELDS = (
    *("created_at", "created", "date_created", "added_at", "added", "date_added", "published_at"),
    *("published", "publish_date", "date_published", "release_date", "released", "launched_at"),
)
"""Fields of type time that say since when an item is there, likeliest first."""


def arrival_times(state: State, time: int, n_fitted: int) -> Float64Array:
    """Return when items came.

    Args:
        state: The state of the log.
        time: The time of the query, in microseconds; a later date counts as unknown.
        n_fitted: How many items the fit knew: an item of a later number without any other sign has
            just come.

    Returns:
        float64 [n_items], microseconds: the first of `DATE_FIELDS` that the catalogue has, else
        the time of the event that first described the item; NaN for unknown.
    """
    catalogue = state.catalogue
    times = np.full(len(catalogue), np.nan)
    times[n_fitted:] = time
    n_known = min(len(state.arrivals), len(times))
    known = np.flatnonzero(state.arrivals[:n_known] != NO_TIME)
    times[known] = state.arrivals[known]
    columns = (catalogue.columns[name] for name in DATE_FIELDS if name in catalogue.columns)
    column = next((column for column in columns if column.type == "time"), None)
    if column is not None:
        dated = np.flatnonzero(column.values != NO_TIME)
        times[dated] = column.values[dated]
    return np.where(times <= time, times, np.nan)
