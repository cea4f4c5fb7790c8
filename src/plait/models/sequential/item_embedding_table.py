"""Item vectors by number: those of the fit, and of items that came or changed after it.

An item's vector is a learned vector of its own plus the weighted sum of the vectors of its
features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from plait.data.array_types import BoolArray, Float32Array, UInt64Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.features.incremental_updates import ItemUpdates, field_hashes
from plait.features.tfidf import Tfidf, TfidfConfig

__all__ = ["FittedItems", "ItemSpace", "ItemVectors", "resized"]


@dataclass(frozen=True, slots=True, eq=False)
class ItemVectors:
    """The vectors of N items.

    Attributes:
        table: float32 [N, D].
        known: bool [N], items that have a vector.
    """

    table: Float32Array
    known: BoolArray


class FittedItems(Protocol):
    """The item vectors of a fit."""

    @property
    def tfidf(self) -> Tfidf:
        """How fields become features."""

    @property
    def items(self) -> ItemVectors:
        """The vectors of the items at the fit."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemSpace:
    """What a fit knows about n items.

    Attributes:
        tfidf: How fields become features.
        feature_vectors: float32 [V, D]; V is 0 if no field is read.
        id_vectors: float32 [n, D], the learned vector of each item; 0 without interactions.
        items: The vectors of the items at the fit.
        hashes: uint64 [n], hashes of the fields at the fit.
    """

    tfidf: Tfidf
    feature_vectors: Float32Array
    id_vectors: Float32Array
    items: ItemVectors
    hashes: UInt64Array

    @staticmethod
    def empty(features: TfidfConfig) -> ItemSpace:
        """Return a space without items.

        Args:
            features: How fields become features.
        """
        empty = np.zeros((0, 0), np.float32)
        items = ItemVectors(empty, np.zeros(0, np.bool_))
        return ItemSpace(Tfidf(features), empty, empty, items, np.zeros(0, np.uint64))

    @staticmethod
    def of(
        dataset: Dataset,
        tfidf: Tfidf,
        features: sparse.csr_matrix,
        id_vectors: Float32Array,
        feature_vectors: Float32Array,
    ) -> ItemSpace:
        """Build the space of a fit; items without interactions have the vector of their features.

        Args:
            dataset: The data of the fit.
            tfidf: How fields become features.
            features: float32 CSR [n, V], the features of all items.
            id_vectors: float32 [n, D], learned vectors of items.
            feature_vectors: float32 [V, D], learned vectors of features.
        """
        table = (id_vectors + features @ feature_vectors).astype(np.float32)
        n_events = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
        known = (n_events > 0) | (np.diff(features.indptr) > 0)
        fields = tfidf.fields(dataset.catalogue) if len(feature_vectors) else []
        hashes = field_hashes(dataset.catalogue, fields, range(dataset.n_items if fields else 0))
        return ItemSpace(tfidf, feature_vectors, id_vectors, ItemVectors(table, known), hashes)

    def update(
        self, catalogue: Catalogue, version: int, previous: Any
    ) -> ItemUpdates[ItemVectors] | None:
        """Compute the vectors of items whose fields are not those of the fit.

        Args:
            catalogue: The items as they are now.
            version: The log offset of the fit.
            previous: The result for an earlier catalogue, or anything else.

        Returns:
            The vectors of all items as they are now; None if no field is read.
        """
        if not len(self.feature_vectors):
            return None
        updates: ItemUpdates[ItemVectors] = ItemUpdates.empty(version, self.items)
        if isinstance(previous, ItemUpdates):
            updates = previous
        fields = self.tfidf.fields(catalogue)
        numbers, hashes = updates.outdated_items(catalogue, fields, self.hashes)
        if not len(numbers):
            return updates.extended(catalogue, numbers, updates.values, hashes)
        size = max(len(updates.values.table), int(numbers.max()) + 1)
        table = resized(updates.values.table, size)
        known = resized(updates.values.known, size)
        features = self.tfidf.vectors(catalogue, numbers)
        id_vectors = resized(self.id_vectors, size)[numbers]
        table[numbers] = id_vectors + features @ self.feature_vectors
        known[numbers] = (np.diff(features.indptr) > 0) | id_vectors.any(axis=1)
        return updates.extended(catalogue, numbers, ItemVectors(table, known), hashes)


def resized(array: Any, size: int) -> Any:
    """Return a copy with more rows.

    Args:
        array: [n, ...].
        size: The rows of the copy, unless there are more already.

    Returns:
        [max(n, size), ...]; new rows are zero.
    """
    added = np.zeros((max(size - len(array), 0), *array.shape[1:]), array.dtype)
    return np.concatenate([array, added])
