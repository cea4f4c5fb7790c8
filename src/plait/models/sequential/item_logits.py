"""What a network that points at items says to a batch of questions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plait.data.types import ABSENT, BoolArray, Float32Array, History, Int32Array, Int64Array

__all__ = ["ItemLogits", "nearest"]

_FEW = 4
_RECENT = 50
"""So many of the newest items can be named as the reason for another."""


@dataclass(frozen=True, eq=False)
class ItemLogits:
    """`scores` float32 [R, N]: logits of all items, minus infinity where an item has no vector.

    `rows` int64 [R]: the questions they answer; the others had nothing to start from. `fitted` bool
    [n]: the items of the fit that have a vector.
    """

    rows: Int64Array
    scores: Float32Array
    fitted: BoolArray

    @staticmethod
    def of(
        states: Float32Array,
        rows: Int64Array,
        items: tuple[Float32Array, BoolArray],
        fitted: BoolArray,
    ) -> ItemLogits:
        """From states [R, D] and `items`: vectors [N, D] and which of them are known, bool [N]."""
        table, known = items
        scores = _products(states, table)
        if not known.all():
            scores[:, ~known] = -np.inf
        return ItemLogits(rows, scores, fitted)

    @staticmethod
    def nothing() -> ItemLogits:
        """No question had anything to start from."""
        return ItemLogits(
            np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros(0, np.bool_)
        )

    @property
    def width(self) -> int:
        """How many items there are."""
        return int(self.scores.shape[1])

    @cached_property
    def chance(self) -> Float32Array:
        """float32 [R]: the logit of an item as likely as all are on average.

        Of the items of the fit alone, so that one that comes later changes no other's score.
        """
        logits = self.scores[:, : len(self.fitted)]
        if not self.fitted.all():
            logits = logits[:, self.fitted]
        top = logits.max(axis=1, keepdims=True)
        found: Float32Array = np.log(np.exp(logits - top).mean(axis=1)) + top[:, 0]
        return found


def nearest(
    history: History, table: Float32Array, known: BoolArray, numbers: Int32Array
) -> Int32Array:
    """int32 like `numbers` [B, K]: the newest items' nearest to each, by cosine; -1 for none."""
    found = np.full(numbers.shape, ABSENT, np.int32)
    for row in range(len(history)):
        first = max(history.offsets[row], history.offsets[row + 1] - _RECENT)
        mine = np.unique(history.items[first : history.offsets[row + 1]])
        mine = mine[mine < len(known)]
        mine = mine[known[mine]]
        there = (numbers[row] >= 0) & (numbers[row] < len(known))
        there[there] = known[numbers[row][there]]
        if len(mine) and there.any():
            like = _unit(table[numbers[row][there]]) @ _unit(table[mine]).T
            found[row, there] = mine[like.argmax(axis=1)]
    return found


def _products(rows: Float32Array, others: Float32Array) -> Float32Array:
    """float32 [B, n]: dot products. For single requests not by BLAS, whose threads wait."""
    if len(rows) > _FEW:
        return rows @ others.T
    found = np.empty((len(rows), len(others)), np.float32)
    for place, row in enumerate(rows):
        found[place] = np.einsum("nd,d->n", others, row)
    return found


def _unit(rows: Float32Array) -> Float32Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Float32Array = rows / np.maximum(lengths, 1e-12)
    return units
