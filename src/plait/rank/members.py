"""Which candidates of a list are in another list of the same query."""

from __future__ import annotations

import numpy as np

from plait.core.ragged import Ragged
from plait.core.types import Bools, Numbers

__all__ = ["members"]


def members(numbers: Numbers, others: Ragged) -> Bools:
    """bool [B, K]: whether `numbers` [B, K] stand in row b of `others`; padding never does.

    Candidate lists come sorted by number from the union, so one binary search for each of the
    (few) others does it; unsorted ones take a slower way.
    """
    found = np.zeros(numbers.shape, np.bool_)
    if not found.size or not len(others.values):
        return found
    stride = np.int64(max(int(numbers.max()), int(others.values.max())) + 2)
    rows = np.arange(len(numbers), dtype=np.int64)[:, None]
    keys = (rows * stride + np.where(numbers < 0, stride - 1, numbers)).ravel()
    wanted = (others.rows * stride + others.values)[others.values >= 0]
    rising = (keys[1:] > keys[:-1]) | (numbers.ravel()[1:] < 0)
    if not rising.all():
        return np.isin(keys, wanted).reshape(numbers.shape)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found.ravel()[places[keys[places] == wanted]] = True
    return found
