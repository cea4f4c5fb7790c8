"""Scores of a trained NeuMF in numpy; `plait.models.factorization.neumf` has the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plait.data.types import Float32Array, Int32Array
from plait.features.sparse_rows import SparseRows
from plait.pipeline.array_files import read_arrays, write_arrays

__all__ = ["FILE", "Pairwise"]

FILE = "network.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Pairwise:
    """Weights of the network by name, and `places` int32 [n_items]: the row of every item, from 1
    on, 0 for those it does not know. `epochs`: for how many it was trained, 0 for none.
    """

    weights: Mapping[str, Float32Array]
    places: Int32Array
    epochs: int = 0

    def save(self, folder: Path) -> None:
        """Write the weights."""
        epochs = np.array([self.epochs], np.int64)
        write_arrays(folder / FILE, {"places": self.places, "epochs": epochs, **self.weights})

    @staticmethod
    def load(folder: Path) -> Pairwise:
        """Map what `save` wrote."""
        arrays = read_arrays(folder / FILE)
        places = arrays.pop("places")
        epochs = arrays.pop("epochs", np.zeros(1, np.int64))  # of before they were kept
        return Pairwise(arrays, places, int(epochs[0]))

    def dense(self, taken: SparseRows) -> Float32Array:
        """float32 [B, n]: chances of users with the histories `taken`; NaN for unknown items and
        for users of whose history no item is known.
        """
        found = np.full((len(taken), len(self.places)), np.nan, np.float32)
        at = self.places[taken.columns]
        mine = SparseRows(taken.offsets, at, np.ones(len(at), np.float32), 0).where(at > 0)
        known = np.flatnonzero(self.places)
        rows = self.places[known]
        theirs = self.weights["deep.weight"][rows] @ self.weights["theirs.weight"].T
        products = self.weights["product.weight"][rows]
        popular = self.weights["popular.weight"][rows, 0]
        for row in np.flatnonzero(np.diff(mine.offsets)).tolist():
            items = mine.columns[mine.offsets[row] : mine.offsets[row + 1]]
            found[row, known] = self._chances(items, theirs, products) + popular
        np.clip(-found, -60, 60, out=found)
        np.exp(found, out=found)
        found += 1
        return np.reciprocal(found, out=found)

    def _chances(
        self, items: Int32Array, theirs: Float32Array, products: Float32Array
    ) -> Float32Array:
        """Logits float32 [n] of all known items after a history of the rows `items`."""
        weights = self.weights
        product = weights["product.weight"][items].mean(axis=0)
        deep = weights["deep.weight"][items].mean(axis=0)
        mine = weights["mine.weight"] @ deep + weights["mine.bias"]
        first = np.maximum(theirs + mine, 0)
        second = np.maximum(first @ weights["second.weight"].T + weights["second.bias"], 0)
        out = weights["out.weight"][0]
        logits: Float32Array = (
            products @ (product * out[: len(product)]) + second @ out[len(product) :]
        )
        return logits + weights["out.bias"]
