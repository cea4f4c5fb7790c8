"""Scores as float32 that order the items of every user as their float64 does."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import Float32Array, Float64Array, Int32Array

__all__ = ["ordered_float32"]

_LARGEST = int(np.array(np.finfo(np.float32).max).view(np.int32))
"""The bits of the largest finite number."""

_USER_STRIDE = 1 << 33
"""More than two keys can differ by."""


def ordered_float32(users: Int32Array, scores: Float64Array) -> Float32Array:
    """Round scores to float32 and keep their order within each user.

    A score that would be equal to a smaller one of the same user, or infinite, becomes the nearest
    number that is not; all others are rounded as usual.

    Args:
        users: int32 [N], user numbers.
        scores: float64 [N], finite.

    Returns:
        float32 [N], finite; equal for two rows of a user if and only if their scores are.
    """
    with np.errstate(over="ignore"):
        rounded = scores.astype(np.float32) + np.float32(0)  # -0 and 0 are one number
    if not len(scores):
        return rounded
    order = np.lexsort((scores, users))
    owners, ascending = users[order], scores[order]
    is_new_user = np.diff(owners, prepend=owners[0] - 1) != 0
    is_new = is_new_user | (np.diff(ascending, prepend=np.nan) != 0)
    bits = rounded[order][is_new].view(np.int32).astype(np.int64)
    keys = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)  # in the order of the numbers
    groups = np.cumsum(is_new_user)[is_new]
    places = np.arange(len(keys)) - np.flatnonzero(is_new_user[is_new])[groups - 1]
    sizes = np.bincount(groups)[groups]
    raised = np.maximum(keys, -_LARGEST) - places + groups * _USER_STRIDE
    keys = np.maximum.accumulate(raised) - groups * _USER_STRIDE + places
    keys = np.minimum(keys, _LARGEST - (sizes - 1 - places))
    ordered = np.empty(len(scores), np.float32)
    magnitudes = np.abs(keys).astype(np.int32).view(np.float32)
    numbers = np.where(keys < 0, -magnitudes, magnitudes).astype(np.float32)
    ordered[order] = numbers[np.cumsum(is_new) - 1]
    return ordered
