"""Unites what several strands brought into one candidate list a query."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from plait.data.types import ABSENT, CandidateLists, Int32Array

__all__ = ["unite"]


def unite(brought: Mapping[str, Int32Array], batch: int) -> CandidateLists:
    """Items without repetition, by number, with a column `<strand>.rank` (-1: did not bring it).

    `brought`: by strand int32 [B, k], best first, -1 pads. One sort of (number, place) pairs packed
    into int64 does it for the whole batch.
    """
    names = list(brought)
    widths = [brought[name].shape[1] for name in names]
    total = sum(widths)
    if total == 0:
        return CandidateLists(
            np.zeros((batch, 0), np.int32), {f"{name}.rank": _none(batch) for name in names}
        )
    placed = np.concatenate([brought[name] for name in names], axis=1).astype(np.int64)
    far = np.int64(1) << 40
    keys = np.sort(np.where(placed < 0, far, placed) * total + np.arange(total), axis=1)
    numbers, places = keys // total, keys % total
    first = np.ones_like(numbers, np.bool_)
    first[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    first &= numbers != far
    slots = np.cumsum(first, axis=1) - 1
    width = int(slots[:, -1].max()) + 1 if len(slots) else 0
    rows, columns = np.nonzero(numbers != far)
    union = np.full((batch, width), ABSENT, np.int32)
    at = slots[rows, columns]
    union[rows, at] = numbers[rows, columns]
    place = places[rows, columns]
    return CandidateLists(union, _ranks(names, widths, union.shape, (rows, at, place)))


def _ranks(
    names: list[str],
    widths: list[int],
    shape: tuple[int, ...],
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    rows, at, place = found
    ranks: dict[str, np.ndarray] = {}
    start = 0
    for name, width in zip(names, widths, strict=True):
        mine = (place >= start) & (place < start + width)
        rank = np.full(shape, ABSENT, np.int32)
        rank[rows[mine], at[mine]] = place[mine] - start
        ranks[f"{name}.rank"] = rank
        start += width
    return ranks


def _none(batch: int) -> Int32Array:
    return np.zeros((batch, 0), np.int32)
