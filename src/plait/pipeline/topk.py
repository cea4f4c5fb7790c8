"""The k best of every row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.data.types import ABSENT, Float32Array, Int32Array, Int64Array

__all__ = ["top_k"]

Hashes = npt.NDArray[np.uint64]


def top_k(
    scores: Float32Array, k: int, *, above: float = -np.inf, ties: Hashes | None = None
) -> tuple[Int32Array, Float32Array]:
    """Columns and values of the k largest of each row of float32 [B, N], best first.

    NaN and whatever is not larger than `above` is never among them; a row with fewer than k others
    is padded with -1 and NaN. Equal values stand in the order of `ties` [N], or of their columns.
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
            kept = _largest(chosen, k)
            places, chosen = places[kept], chosen[kept]
        if ties is None:
            order = np.argsort(-chosen, kind="stable")[:k]
        else:
            order = np.lexsort((ties[places], -chosen))[:k]
        numbers[row, : len(order)] = places[order]
        values[row, : len(order)] = chosen[order]
    return numbers, values


def _largest(values: Float32Array, k: int) -> Int64Array:
    """The places of the k largest and of all that equal the last of them, in order."""
    border = np.partition(values, len(values) - k)[len(values) - k]
    return np.flatnonzero(values >= border)
