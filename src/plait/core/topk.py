"""The k best of every row."""

from __future__ import annotations

import numpy as np

from plait.core.types import ABSENT, Floats, Numbers

__all__ = ["top_k"]


def top_k(scores: Floats, k: int, *, above: float = -np.inf) -> tuple[Numbers, Floats]:
    """Columns and values of the k largest of each row of float32 [B, N], best first.

    NaN and whatever is not larger than `above` is never among them; a row with fewer than k others
    is padded with -1 and NaN. Equal values keep the order of their columns.
    """
    k = min(k, scores.shape[1])
    numbers = np.full((len(scores), k), ABSENT, np.int32)
    values = np.full((len(scores), k), np.nan, np.float32)
    if not k:
        return numbers, values
    for row, one in enumerate(scores):
        # Only real candidates are partitioned: selection degenerates where most values are equal.
        places = np.flatnonzero(one > above)
        chosen = one[places]
        if len(places) > k:
            kept = np.sort(np.argpartition(chosen, len(places) - k)[len(places) - k :])
            places, chosen = places[kept], chosen[kept]
        order = np.argsort(-chosen, kind="stable")
        numbers[row, : len(order)] = places[order]
        values[row, : len(order)] = chosen[order]
    return numbers, values
