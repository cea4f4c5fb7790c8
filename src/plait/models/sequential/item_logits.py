"""The logits of all items for a batch of queries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int64Array
from plait.features.vector_math import dot_products
from plait.models.sequential.item_embedding_table import ItemVectors

__all__ = ["ItemLogits"]


@dataclass(frozen=True, eq=False)
class ItemLogits:
    """Logits of all items.

    Attributes:
        rows: int64 [R], the queries that have logits; the others had no known history.
        scores: float32 [R, N], minus infinity where an item has no vector.
        fitted: bool [n], items of the fit that have a vector.
    """

    rows: Int64Array
    scores: Float32Array
    fitted: BoolArray

    @staticmethod
    def of(
        states: Float32Array, rows: Int64Array, items: ItemVectors, fitted: BoolArray
    ) -> ItemLogits:
        """Compute logits from states.

        Args:
            states: float32 [R, D].
            rows: int64 [R], the queries of the states.
            items: The vectors of N items.
            fitted: bool [n], items of the fit that have a vector.
        """
        scores = dot_products(states, items.table)
        if not items.known.all():
            scores[:, ~items.known] = -np.inf
        return ItemLogits(rows, scores, fitted)

    @staticmethod
    def empty() -> ItemLogits:
        """Return the logits of a batch without any known history."""
        scores = np.zeros((0, 0), np.float32)
        return ItemLogits(np.zeros(0, np.int64), scores, np.zeros(0, np.bool_))

    @property
    def n_items(self) -> int:
        """The number of items."""
        return int(self.scores.shape[1])

    @cached_property
    def baseline(self) -> Float32Array:
        """float32 [R]: the logit of an item that is as likely as items are on average.

        Over the items of the fit alone, so that a later item changes no other item's score.
        """
        logits = self.scores[:, : len(self.fitted)]
        if not self.fitted.all():
            logits = logits[:, self.fitted]
        top = logits.max(axis=1, keepdims=True)
        baseline: Float32Array = np.log(np.exp(logits - top).mean(axis=1)) + top[:, 0]
        return baseline
