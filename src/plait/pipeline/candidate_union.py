"""Unites the candidates of several sources into one list a query."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from plait.data.array_types import ABSENT, Int32Array
from plait.data.candidates import CandidateLists

__all__ = ["COMPANIONS", "SHOWN", "unite"]

COMPANIONS = "companions"
"""The source of candidates that share users with the items of a query: `companions.rank`."""

SHOWN = "shown"
"""The source of items that earlier responses have shown, where boosts count their places:
`shown.rank`."""

_PADDING = np.int64(1) << 40
"""Sorts behind every item number."""


def unite(retrieved: Mapping[str, Int32Array], batch: int) -> CandidateLists:
    """Unite candidates; one sort of (number, position) pairs, packed into int64, for all queries.

    Args:
        retrieved: The candidates of each source, int32 [B, k], best first, padded with -1.
        batch: The number of queries B.

    Returns:
        Each item once, by number, with a column `<source>.rank`: its rank from 0 there, or -1.
    """
    widths = {name: numbers.shape[1] for name, numbers in retrieved.items()}
    total = sum(widths.values())
    if total == 0:
        empty = np.zeros((batch, 0), np.int32)
        return CandidateLists(empty, {f"{name}.rank": empty for name in retrieved})
    packed = np.concatenate(list(retrieved.values()), axis=1).astype(np.int64)
    keys = np.where(packed < 0, _PADDING, packed) * total + np.arange(total)
    numbers, positions = np.divmod(np.sort(keys, axis=1), total)
    is_item = numbers != _PADDING
    is_first = is_item.copy()
    is_first[:, 1:] &= numbers[:, 1:] != numbers[:, :-1]
    slots = np.cumsum(is_first, axis=1) - 1
    rows, columns = np.nonzero(is_item)
    slots, positions = slots[rows, columns], positions[rows, columns]
    union = np.full((batch, int(slots.max(initial=-1)) + 1), ABSENT, np.int32)
    union[rows, slots] = numbers[rows, columns]
    ranks: dict[str, Int32Array] = {}
    start = 0
    for name, width in widths.items():
        mask = (positions >= start) & (positions < start + width)
        rank = np.full(union.shape, ABSENT, np.int32)
        rank[rows[mask], slots[mask]] = positions[mask] - start
        ranks[f"{name}.rank"] = rank
        start += width
    return CandidateLists(union, ranks)
