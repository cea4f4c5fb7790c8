"""Recommends items of similar content: cosine of TF-IDF vectors, part of it in an SVD space.

Scores every item that has fields, also items that came after the fit, and accepts free text. The
SVD part (latent semantic indexing: Deerwester et al., 1990) relates items that share no word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array, UInt64Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.features.incremental_updates import ItemUpdates, field_hashes, overlay_items, updates_in
from plait.features.sparse_rows import SparseRows, decayed_history, take_rows
from plait.features.tfidf import Tfidf, TfidfConfig
from plait.features.vector_math import dot_products, l2_normalize
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.pipeline.search_space import Range, tunable

__all__ = ["Content", "ContentConfig"]

_EXPLAINING_EVENTS = 50
"""Only the newest events of a history are considered as explanations."""


@dataclass(frozen=True, slots=True)
class ContentConfig(TfidfConfig):
    """Settings of `content`, beside how fields become features."""

    basket_decay: float = tunable(0.6, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history, relative to the one after it."""
    max_baskets: int = bounded_field(20, Limit(least=0))
    """How many of the newest baskets are read; 0: all."""
    svd_components: int = bounded_field(64, Limit(least=0))
    """Dimensions of the SVD space; 0: none."""
    svd_weight: float = tunable(0.1, Range(0.0, 1.0), Limit(least=0, most=1))
    """The share of the SVD space in a score."""


@dataclass(frozen=True, slots=True, eq=False)
class ContentSpace:
    """Unit vectors of n items.

    Attributes:
        vectors: float32 CSR [n, V], TF-IDF.
        transposed: float32 CSR [V, n].
        latent: float32 [n, D], in the SVD space; [0, 0] without one.
    """

    vectors: sparse.csr_matrix
    transposed: sparse.csr_matrix
    latent: Float32Array

    @staticmethod
    def of(vectors: sparse.csr_matrix, axes: Float32Array) -> ContentSpace:
        """Project TF-IDF vectors.

        Args:
            vectors: float32 CSR [n, V].
            axes: float32 [V, D], the axes of the SVD space; [0, 0] for none.

        Returns:
            The items in both spaces.
        """
        latent = l2_normalize(vectors @ axes) if len(axes) else np.zeros((0, 0), np.float32)
        return ContentSpace(vectors, vectors.T.tocsr(), latent)

    def joined(self, mask: BoolArray, other: ContentSpace) -> ContentSpace:
        """Append the items of another space.

        Args:
            mask: bool [n], the items of this space to retain.
            other: items in the same spaces.

        Returns:
            The retained items, followed by those of `other`.
        """
        vectors = sparse.vstack([self.vectors[mask], other.vectors]).tocsr()
        latents = [self.latent[mask] if len(self.latent) else self.latent, other.latent]
        latents = [latent for latent in latents if len(latent)]
        return ContentSpace(
            vectors, vectors.T.tocsr(), np.concatenate(latents) if latents else other.latent
        )

    def similarity(
        self, profiles: SparseRows, latent: Float32Array, svd_weight: float
    ) -> Float32Array:
        """Compare query profiles with the items.

        Args:
            profiles: B unit vectors over V columns.
            latent: float32 [B, D], the same in the SVD space; empty for none.
            svd_weight: the share of the SVD space.

        Returns:
            float32 [B, n], cosines from 0 to 1; NaN for items without features.
        """
        scores = profiles.matmul(self.transposed)
        if len(latent):
            scores *= np.float32(1 - svd_weight)
            scores += np.float32(svd_weight) * np.maximum(dot_products(latent, self.latent), 0)
        scores[:, np.diff(self.vectors.indptr) == 0] = np.nan
        return scores


Updates = ItemUpdates[ContentSpace]


class Content(DenseScorer[ContentConfig]):
    """Scores items by similarity to the query's text, else its seed items, else its history.

    Scores are cosines from 0 to 1; NaN for items without features and for empty queries. `explain`
    names the most similar of the newest items of the history; it has no answer for a text.
    """

    Config = ContentConfig
    fusion_defaults = FusionDefaults(text_query_weight=0.3)
    reason_templates = ReasonTemplates(
        query_item=(Claim.SIMILAR, Claim.GOES_WITH),
        shared_value=Claim.SIMILAR,
        history_item=(Claim.SIMILAR, Claim.BECAUSE),
        text=(Claim.WORDS, Claim.SEARCH),
    )
    test_variants = ({"svd_components": 2, "min_df": 1},)
    min_score = 0.0
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_tfidf": Tfidf,
        "_axes": Float32Array,
        "_space": ContentSpace,
        "_field_hashes": UInt64Array,
    }

    def __init__(self, config: ContentConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._tfidf = Tfidf(_tfidf_config(self.config))
        self._axes: Float32Array = np.zeros((0, 0), np.float32)
        self._space = ContentSpace.of(sparse.csr_matrix((0, 0), dtype=np.float32), self._axes)
        self._field_hashes: UInt64Array = np.zeros(0, np.uint64)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        fitted = self.clone()
        fitted._tfidf, vectors = Tfidf.fit(_tfidf_config(self.config), dataset.catalogue)
        fitted._axes = _svd_axes(vectors, self.config.svd_components, seed)
        fitted._space = ContentSpace.of(vectors, fitted._axes)
        fields_read = fitted._tfidf.fields(dataset.catalogue)
        fitted._field_hashes = field_hashes(dataset.catalogue, fields_read, range(dataset.n_items))
        return fitted

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Updates:
        if not isinstance(previous, ItemUpdates):
            empty = sparse.csr_matrix((0, self._space.vectors.shape[1]), dtype=np.float32)
            previous = Updates.empty(version, ContentSpace.of(empty, self._axes))
        updates: Updates = previous
        fields_read = self._tfidf.fields(catalogue)
        numbers, hashes = updates.outdated_items(catalogue, fields_read, self._field_hashes)
        space = updates.values
        if len(numbers):
            new = ContentSpace.of(self._tfidf.vectors(catalogue, numbers), self._axes)
            space = space.joined(updates.retained(numbers), new)
        return updates.extended(catalogue, numbers, space, hashes)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        updates: Updates | None = updates_in(queries, self.name)
        profiles = self._profiles(queries, updates)
        latent = self._axes
        if len(self._axes):
            latent = l2_normalize(profiles.projected(self._axes))
        weight = self.config.svd_weight
        scores = self._space.similarity(profiles, latent, weight)
        if updates is not None:
            new_scores = updates.values.similarity(profiles, latent, weight)
            scores = overlay_items(scores, updates.item_numbers, new_scores, axis=1)
        scores[np.diff(profiles.offsets) == 0] = np.nan
        return scores

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        history = queries.effective_history
        updates: Updates | None = updates_in(queries, self.name)
        n_items = self._n_items(updates)
        explanations = np.full(numbers.shape, ABSENT, np.int32)
        for row in range(len(queries.users)):
            stop = history.offsets[row + 1]
            start = max(history.offsets[row], stop - _EXPLAINING_EVENTS)
            past = np.unique(history.items[start:stop])
            past = past[past < n_items]
            known = (numbers[row] >= 0) & (numbers[row] < n_items)
            if len(past) and known.any() and not queries.texts[row]:
                candidates = self._vectors_of(numbers[row][known], updates)
                cosines = candidates.dot_rows(self._vectors_of(past, updates))
                nearest = past[cosines.argmax(axis=1)]
                explanations[row, known] = np.where(cosines.max(axis=1) > 0, nearest, ABSENT)
        return explanations

    def _n_items(self, updates: Updates | None) -> int:
        """The number of items with a vector, updated ones included."""
        last = -1 if updates is None else int(updates.item_numbers.max())
        return max(int(self._space.vectors.shape[0]), last + 1)

    def _vectors_of(self, numbers: Int32Array, updates: Updates | None) -> SparseRows:
        """The vectors of items, all of them below `_n_items`."""
        if updates is None:
            return take_rows(self._space.vectors, numbers)
        ones = np.ones(len(numbers), np.float32)
        selection = SparseRows(np.arange(len(numbers) + 1), numbers, ones, self._n_items(updates))
        return self._weighted_vectors(selection, updates).sum_duplicates()

    def _weighted_vectors(self, weights: SparseRows, updates: Updates | None) -> SparseRows:
        """`weights` [B, n] times the vectors of all items; those of updates replace the fit's."""
        if updates is None:
            return weights.matmul_sparse(self._space.vectors)
        n_fitted = self._space.vectors.shape[0]
        fitted, updated = weights.split_columns(n_fitted, updates.item_numbers)
        sums = fitted.matmul_sparse(self._space.vectors)
        if len(updated.columns):
            sums = sums.hstack(updated.matmul_sparse(updates.values.vectors))
        return sums

    def _profiles(self, queries: QueryBatch, updates: Updates | None) -> SparseRows:
        """The unit vector of each query [B, V]: of its text, else of its seeds or history."""
        config = self.config
        history = decayed_history(
            queries.effective_history,
            config.basket_decay,
            self._n_items(updates),
            config.max_baskets,
        )
        profiles = self._weighted_vectors(history, updates)
        has_text = np.array([bool(text) for text in queries.texts], np.bool_)
        if has_text.any():
            texts = SparseRows.of(self._tfidf.text_vectors(queries.texts))
            profiles = profiles.where(~has_text[profiles.rows]).hstack(texts)
        return profiles.l2_normalized()


def _tfidf_config(config: ContentConfig) -> TfidfConfig:
    """The part of the settings that TF-IDF reads."""
    return TfidfConfig(**{field.name: getattr(config, field.name) for field in fields(TfidfConfig)})


def _svd_axes(vectors: sparse.csr_matrix, components: int, seed: int) -> Float32Array:
    """float32 [V, components]: the right singular vectors; empty where there are too few items."""
    if not components or min(vectors.shape) <= components:
        return np.zeros((0, 0), np.float32)
    _, _, axes = svds(vectors, components, random_state=seed)
    return np.ascontiguousarray(axes.T, np.float32)
