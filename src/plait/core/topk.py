"""The k best of every row."""

from __future__ import annotations

import numpy as np

from plait.core.types import ABSENT, Floats, Numbers

__all__ = ["top_k"]


def top_k(scores: Floats, k: int) -> tuple[Numbers, Floats]:
    """Columns and values of the k largest of each row of float32 [B, N], best first.

    NaN and minus infinity are never among them; a row with fewer than k others is padded with -1
    and NaN.
    """
    k = min(k, scores.shape[1])
    if k == 0:
        return np.zeros((len(scores), 0), np.int32), np.zeros((len(scores), 0), np.float32)
    clean = np.where(np.isnan(scores), -np.inf, scores)
    if k < clean.shape[1]:
        found = np.argpartition(clean, clean.shape[1] - k, axis=1)[:, -k:]
    else:
        found = np.broadcast_to(np.arange(k), clean.shape)
    values = np.take_along_axis(clean, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1).astype(np.int32)
    values = np.take_along_axis(values, order, axis=1)
    gone = np.isneginf(values)
    return np.where(gone, ABSENT, found).astype(np.int32), np.where(gone, np.nan, values)
