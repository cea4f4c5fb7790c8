"""The item vectors of a fit of `unified`, and the weights that make those of later items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, UInt64Array
from plait.data.catalogue import Catalogue
from plait.features.incremental_updates import ItemUpdates
from plait.features.tfidf import Tfidf, TfidfConfig
from plait.models.multimodal.item_content import FrozenEncoders, ItemContent
from plait.models.sequential.item_embedding_table import ItemVectors, resized

__all__ = ["TowerSpace"]


@dataclass(frozen=True, slots=True, eq=False)
class TowerSpace:
    """What a fit knows about n items.

    Attributes:
        tfidf: How fields become words; its vocabulary is empty if no words are read.
        weights: The weights of the item tower by name, without ids.
        id_vectors: float32 [n, D], the learned vector of each item; 0 without interactions.
        items: The vectors of the items at the fit.
        hashes: uint64 [n], hashes of the content at the fit.
    """

    tfidf: Tfidf
    weights: dict[str, np.ndarray]
    id_vectors: Float32Array
    items: ItemVectors
    hashes: UInt64Array

    @staticmethod
    def empty(words: TfidfConfig) -> TowerSpace:
        """Return a space without items.

        Args:
            words: How fields become words.
        """
        empty = np.zeros((0, 0), np.float32)
        items = ItemVectors(empty, np.zeros(0, np.bool_))
        return TowerSpace(Tfidf(words), {}, empty, items, np.zeros(0, np.uint64))

    def fields(self, catalogue: Catalogue, encoders: FrozenEncoders) -> list[str]:
        """List the fields that hold content.

        Args:
            catalogue: The items.
            encoders: The frozen encoders.
        """
        names = set(self.tfidf.fields(catalogue)) if self.tfidf.vocabulary else set()
        for stage in encoders.values():
            names |= set(stage.content_fields)
        return sorted(names & set(catalogue.columns))

    def is_new(self, n_items: int) -> BoolArray:
        """Mark the items whose ids no training knew.

        Args:
            n_items: The number of items as they are now.

        Returns:
            bool [n_items].
        """
        is_new: BoolArray = ~resized(self.id_vectors, n_items).any(axis=1)
        return is_new

    def update(
        self,
        catalogue: Catalogue,
        version: int,
        previous: Any,
        encoders: FrozenEncoders,
        tower: Any,
    ) -> ItemUpdates[ItemVectors]:
        """Compute the vectors of items whose content is not that of the fit.

        Args:
            catalogue: The items as they are now.
            version: The log offset of the fit.
            previous: The result for an earlier catalogue, or anything else.
            encoders: The frozen encoders.
            tower: The item tower with the weights of the fit.
        """
        updates: ItemUpdates[ItemVectors] = ItemUpdates.empty(version, self.items)
        if isinstance(previous, ItemUpdates):
            updates = previous
        fields = self.fields(catalogue, encoders)
        numbers, hashes = updates.outdated_items(catalogue, fields, self.hashes)
        if not len(numbers):
            return updates.extended(catalogue, numbers, updates.values, hashes)
        size = max(len(updates.values.table), int(numbers.max()) + 1)
        table = resized(updates.values.table, size)
        known = resized(updates.values.known, size)
        content = ItemContent.of(catalogue, numbers, self.tfidf, encoders)
        id_vectors = resized(self.id_vectors, size)[numbers]
        table[numbers] = tower.encode(id_vectors, content)
        known[numbers] = content.has_any | id_vectors.any(axis=1)
        return updates.extended(catalogue, numbers, ItemVectors(table, known), hashes)
