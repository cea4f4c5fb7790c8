"""Vectors of items, by number: those of the fit, and of items that came or changed after it.

An item's vector is its own plus what its features add up to: `meaning`, a vector a feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.catalogue import Catalogue
from plait.data.types import BoolArray, Dataset, Float32Array
from plait.features.item_changes import Changes, Prints, prints
from plait.features.tfidf import Tfidf, TfidfConfig
from plait.pipeline.array_files import read_arrays, write_arrays

__all__ = ["FreshItems", "ItemSpace"]


@dataclass(frozen=True, slots=True, eq=False)
class FreshItems:
    """All items as they are now: `table` float32 [N, D], `known` bool [N]."""

    changes: Changes
    table: Float32Array
    known: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class ItemSpace:
    """`own` and `table` float32 [n, D] and `known` bool [n] by item number; `meaning` [V, D]."""

    tfidf: Tfidf
    meaning: Float32Array
    own: Float32Array
    table: Float32Array
    known: BoolArray
    prints: Prints

    @staticmethod
    def empty(features: TfidfConfig) -> ItemSpace:
        """No items."""
        none = np.zeros((0, 0), np.float32)
        nobody, blank = np.zeros(0, np.bool_), np.zeros(0, np.uint64)
        return ItemSpace(Tfidf(features), none, none, none, nobody, blank)

    @staticmethod
    def of(
        dataset: Dataset,
        tfidf: Tfidf,
        vectors: sparse.csr_matrix,
        learned: tuple[Float32Array, Float32Array],
        taken: BoolArray,
    ) -> ItemSpace:
        """From feature `vectors` [n, V], what was `learned` (own [n, D], meaning [V, D]), and which
        items were `taken` by somebody: the others are what their features say.
        """
        own, meaning = learned
        table = (own + vectors @ meaning).astype(np.float32)
        known = taken | (np.diff(vectors.indptr) > 0)
        fields = tfidf.fields(dataset.catalogue) if len(meaning) else []
        read = prints(dataset.catalogue, fields, range(dataset.n_items if fields else 0))
        return ItemSpace(tfidf, meaning, own, table, known, read)

    def fresh(self, catalogue: Catalogue, version: int, previous: Any) -> FreshItems | None:
        """The items of `catalogue`; None where no field is read. `previous` is built upon."""
        if not len(self.meaning):
            return None
        old = previous
        if not isinstance(old, FreshItems):
            old = FreshItems(Changes.none(version), self.table, self.known)
        fields = self.tfidf.fields(catalogue)
        numbers = old.changes.altered(catalogue, fields, self.prints)
        changes = old.changes.extended(catalogue, numbers)
        if not len(numbers):
            return FreshItems(changes, old.table, old.known)
        size = max(len(old.table), int(numbers.max()) + 1)
        table = _grown(old.table, size)
        known = _grown(old.known, size)
        said = self.tfidf.vectors(catalogue, numbers)
        own = _grown(self.own, size)[numbers]
        table[numbers] = own + said @ self.meaning
        known[numbers] = (np.diff(said.indptr) > 0) | own.any(axis=1)
        return FreshItems(changes, table, known)

    def save(self, folder: Path) -> None:
        """Write everything."""
        self.tfidf.save(folder)
        arrays = {
            "meaning": self.meaning,
            "own": self.own,
            "table": self.table,
            "known": self.known,
            "prints": self.prints,
        }
        write_arrays(folder / "items.safetensors", arrays)

    @staticmethod
    def load(features: TfidfConfig, folder: Path) -> ItemSpace:
        """Map what `save` wrote."""
        return ItemSpace(Tfidf.load(features, folder), **read_arrays(folder / "items.safetensors"))


def _grown(array: Any, size: int) -> Any:
    """A copy with room for `size` rows; the new ones are zero."""
    more = np.zeros((max(size - len(array), 0), *array.shape[1:]), array.dtype)
    return np.concatenate([array, more])
