"""The content of items as arrays: word features and the vectors of frozen encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.array_types import BoolArray, Float32Array, Int32Array
from plait.data.catalogue import Catalogue
from plait.features.tfidf import Tfidf
from plait.models.encoded_vectors import EncodedVectors

__all__ = ["FrozenEncoders", "ItemContent"]

FrozenEncoders = Mapping[str, EncodedVectors[Any]]
"""Fitted stages of frozen encoders, by the name of what they encode: `text` or `image`."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemContent:
    """What is known of N items beside their ids.

    Attributes:
        words: float32 CSR [N, V], TF-IDF; an empty row is an item without words.
        encoded: Vectors float32 [N, E] by name; NaN for an item without that content.
    """

    words: sparse.csr_matrix
    encoded: Mapping[str, Float32Array]

    @staticmethod
    def of_fit(catalogue: Catalogue, tfidf: Tfidf, encoders: FrozenEncoders) -> ItemContent:
        """Read the content of all items as the encoders were fitted on them.

        Args:
            catalogue: The items.
            tfidf: How fields become words; no words are read if its vocabulary is empty.
            encoders: The frozen encoders.
        """
        numbers = np.arange(len(catalogue), dtype=np.int32)
        encoded = {name: stage.item_vectors() for name, stage in encoders.items()}
        return ItemContent(_words(catalogue, numbers, tfidf), encoded)

    @staticmethod
    def of(
        catalogue: Catalogue, numbers: Int32Array, tfidf: Tfidf, encoders: FrozenEncoders
    ) -> ItemContent:
        """Read and encode the content of items.

        Args:
            catalogue: The items.
            numbers: int32 [N], item numbers.
            tfidf: How fields become words; no words are read if its vocabulary is empty.
            encoders: The frozen encoders.
        """
        encoded = {name: stage.encode_items(catalogue, numbers) for name, stage in encoders.items()}
        return ItemContent(_words(catalogue, numbers, tfidf), encoded)

    @staticmethod
    def empty(n_words: int, sizes: Mapping[str, int]) -> ItemContent:
        """Return the content of no item.

        Args:
            n_words: V.
            sizes: The size of the vectors of each encoder, by name.
        """
        encoded = {name: np.zeros((0, size), np.float32) for name, size in sizes.items()}
        return ItemContent(sparse.csr_matrix((0, n_words), dtype=np.float32), encoded)

    @property
    def has_any(self) -> BoolArray:
        """bool [N]: items with content of any kind."""
        has_any: BoolArray = np.diff(self.words.indptr) > 0
        for vectors in self.encoded.values():
            has_any = has_any | ~np.isnan(vectors[:, 0])
        return has_any

    def take(self, rows: Int32Array) -> ItemContent:
        """Select items.

        Args:
            rows: int32 [R], their rows.
        """
        encoded = {name: vectors[rows] for name, vectors in self.encoded.items()}
        return ItemContent(self.words[rows], encoded)


def _words(catalogue: Catalogue, numbers: Int32Array, tfidf: Tfidf) -> sparse.csr_matrix:
    """float32 CSR [N, V], the words of items; V is 0 if no words are read."""
    if not tfidf.vocabulary:
        return sparse.csr_matrix((len(numbers), 0), dtype=np.float32)
    return tfidf.vectors(catalogue, numbers)
