"""Scores of a trained NeuMF in numpy; `plait.models.factorization.neumf` has the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plait.data.array_types import Float32Array, Int32Array
from plait.features.sparse_rows import SparseRows

__all__ = ["NeuMFScorer"]


@dataclass(frozen=True, slots=True, eq=False)
class NeuMFScorer:
    """A trained network for inference.

    Attributes:
        weights: The weights of the network by name.
        rows: int32 [n_items], the table row of every item from 1, 0 for unknown items.
        epochs: For how many epochs it was trained, 0 for none.
    """

    weights: Mapping[str, Float32Array]
    rows: Int32Array
    epochs: int = 0

    def score_all(self, history: SparseRows) -> Float32Array:
        """Compute the chance that each item is the next one.

        Args:
            history: B histories over item numbers.

        Returns:
            float32 [B, n_items]; NaN for unknown items and for histories without a known item.
        """
        scores = np.full((len(history), len(self.rows)), np.nan, np.float32)
        rows = self.rows[history.columns]
        past = SparseRows(history.offsets, rows, np.ones(len(rows), np.float32), 0).where(rows > 0)
        known = np.flatnonzero(self.rows)
        known_rows = self.rows[known]
        item_projections = (
            self.weights["mlp_items.weight"][known_rows] @ self.weights["item_proj.weight"].T
        )
        gmf_items = self.weights["gmf_items.weight"][known_rows]
        biases = self.weights["item_bias.weight"][known_rows, 0]
        for row in np.flatnonzero(np.diff(past.offsets)).tolist():
            past_rows = past.columns[past.offsets[row] : past.offsets[row + 1]]
            scores[row, known] = self._logits(past_rows, item_projections, gmf_items) + biases
        np.clip(-scores, -60, 60, out=scores)
        np.exp(scores, out=scores)
        scores += 1
        return np.reciprocal(scores, out=scores)

    def _logits(
        self, past_rows: Int32Array, item_projections: Float32Array, gmf_items: Float32Array
    ) -> Float32Array:
        """float32 [n]: logits of all known items, less their biases, after one history."""
        weights = self.weights
        gmf_user = weights["gmf_items.weight"][past_rows].mean(axis=0)
        mlp_user = weights["mlp_items.weight"][past_rows].mean(axis=0)
        user_projection = weights["user_proj.weight"] @ mlp_user + weights["user_proj.bias"]
        first = np.maximum(item_projections + user_projection, 0)
        second = np.maximum(first @ weights["hidden.weight"].T + weights["hidden.bias"], 0)
        out = weights["out.weight"][0]
        dim = len(gmf_user)
        logits: Float32Array = gmf_items @ (gmf_user * out[:dim]) + second @ out[dim:]
        return logits + weights["out.bias"]
