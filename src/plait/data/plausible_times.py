"""Brings times that cannot be, as a clock that jumped ahead leaves them, back into the log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.dataset import Dataset
from plait.utils.timestamps import DAY

__all__ = ["with_plausible_times"]


def with_plausible_times(dataset: Dataset, now: int) -> tuple[Dataset, int]:
    """Give interactions that lie more than a day in the future the last time that can be.

    Args:
        dataset: The data set.
        now: The current time, microseconds since 1970 UTC.

    Returns:
        The data set, and how many interactions got another time. Where no time can be, the clock of
        this machine is wrong, and nothing changes.
    """
    times = dataset.interactions.times
    is_late = times > now + DAY
    count = int(is_late.sum())
    if dataset.clock != "time" or not count or count == len(times):
        return dataset, 0
    clipped = np.where(is_late, times[~is_late].max(), times)
    return replace(dataset, interactions=replace(dataset.interactions, times=clipped)), count
