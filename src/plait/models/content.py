"""What items say of themselves: cosine of TF-IDF vectors, part of it in a truncated SVD space.

Knows every item that has fields, also those that came after the fit, and free text. The SVD part
(latent semantic indexing, Deerwester et al., 1990) finds what shares no word.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from plait.data.catalogue import Catalogue
from plait.data.types import ABSENT, BoolArray, Dataset, Float32Array, Int32Array, QueryBatch
from plait.features.interactions import query_history, read_matrix, write_matrix
from plait.features.item_changes import Changes, Prints, prints
from plait.features.sparse_rows import SparseRows, decayed_history, take_rows
from plait.features.tfidf import Tfidf, TfidfConfig
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.dense import DenseScorer
from plait.pipeline.model_defaults import FusionDefaults, ReasonTemplates
from plait.pipeline.search_space import Range, tunable

__all__ = ["Content", "ContentConfig", "Fresh"]

_FEW = 4


_RECENT = 50
"""So many of the newest items can be named as the reason for another."""


@dataclass(frozen=True, slots=True)
class ContentConfig(TfidfConfig):
    """What `content` can be told, beside how fields become features."""

    basket_decay: float = tunable(0.6, Range(0.2, 1.0), Limit(least=0, most=1))
    """What an item of the history counts against the one after it."""
    max_baskets: int = bounded_field(20, Limit(least=0))
    """How many baskets back are read; 0: all."""
    svd_components: int = bounded_field(64, Limit(least=0))
    """Dimensions of the SVD space; 0: none."""
    svd_weight: float = tunable(0.1, Range(0.0, 1.0), Limit(least=0, most=1))
    """How much of a score comes from the SVD space."""


@dataclass(frozen=True, slots=True, eq=False)
class ContentSpace:
    """Items as unit vectors: CSR [n, V], the same turned, and float32 [n, D] in the SVD space."""

    vectors: sparse.csr_matrix
    turned: sparse.csr_matrix
    latent: Float32Array

    @staticmethod
    def of(vectors: sparse.csr_matrix, axes: Float32Array) -> ContentSpace:
        """From TF-IDF vectors and SVD axes [V, D]."""
        latent = _unit(vectors @ axes) if len(axes) else np.zeros((0, 0), np.float32)
        return ContentSpace(vectors, vectors.T.tocsr(), latent)

    def joined(self, kept: BoolArray, more: ContentSpace) -> ContentSpace:
        """The items that are `kept`, and behind them those of another space."""
        vectors = sparse.vstack([self.vectors[kept], more.vectors]).tocsr()
        latent = more.latent
        if len(self.latent) and len(more.latent):
            latent = np.concatenate([self.latent[kept], more.latent])
        elif len(self.latent):
            latent = self.latent[kept]
        return ContentSpace(vectors, vectors.T.tocsr(), latent)

    def likeness(self, profiles: SparseRows, latent: Float32Array, share: float) -> Float32Array:
        """float32 [B, n], 0 to 1: cosines, `share` of them in the SVD space; NaN: no words."""
        found = profiles.matmul(self.turned)
        if len(latent):
            found *= np.float32(1 - share)
            found += np.float32(share) * np.maximum(_products(latent, self.latent), 0)
        found[:, np.diff(self.vectors.indptr) == 0] = np.nan
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """Items that came or changed after the fit, and their vectors in the same order."""

    changes: Changes
    space: ContentSpace

    @property
    def numbers(self) -> Int32Array:
        """The items, int32 [N]."""
        return self.changes.numbers


class Content(DenseScorer[ContentConfig]):
    """Scores items by likeness to the query's text, anchors or history, in this order."""

    Config = ContentConfig
    fusion_defaults = FusionDefaults(text_query_weight=0.3)
    reason_templates = ReasonTemplates(
        same_item="Like {because}",
        query_item="",
        shared_value="Like {because}: both {field} {value}",
        history_item="Like {because}",
        text="Says something like '{words}'",
        default="Like what you took before",
    )
    test_variants = ({"svd_components": 2, "min_df": 1},)
    min_score = 0.0

    def __init__(self, config: ContentConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._tfidf = Tfidf(_features(self.config))
        self._axes: Float32Array = np.zeros((0, 0), np.float32)
        self._space = ContentSpace.of(sparse.csr_matrix((0, 0), dtype=np.float32), self._axes)
        self._prints: Prints = np.zeros(0, np.uint64)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Learn vocabulary, weights and SVD axes from all living items."""
        fitted = type(self)(self.config, name=self.name)
        fitted._tfidf, vectors = Tfidf.fit(_features(self.config), dataset.catalogue)
        fitted._axes = _axes(vectors, self.config.svd_components, seed)
        fitted._space = ContentSpace.of(vectors, fitted._axes)
        fields = fitted._tfidf.fields(dataset.catalogue)
        fitted._prints = prints(dataset.catalogue, fields, range(dataset.n_items))
        return fitted

    def save(self, folder: Path) -> None:
        """Write vocabulary, vectors and axes."""
        self._tfidf.save(folder)
        write_matrix(folder / "vectors.safetensors", self._space.vectors)
        write_matrix(folder / "turned.safetensors", self._space.turned)
        latent = {"axes": self._axes, "svd_weight": self._space.latent}
        write_arrays(folder / "latent.safetensors", latent)
        write_arrays(folder / "prints.safetensors", {"prints": self._prints})

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote."""
        loaded = cls(config, name=name)
        loaded._tfidf = Tfidf.load(_features(config), folder)
        latent = read_arrays(folder / "latent.safetensors")
        loaded._axes = latent["axes"]
        loaded._space = ContentSpace(
            read_matrix(folder / "vectors.safetensors"),
            read_matrix(folder / "turned.safetensors"),
            latent["svd_weight"],
        )
        loaded._prints = read_arrays(folder / "prints.safetensors")["prints"]
        return loaded

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Fresh:
        """Vectors of items that say something else than at the fit; `previous` is built upon."""
        blank = sparse.csr_matrix((0, self._space.vectors.shape[1]), dtype=np.float32)
        old = previous
        if not isinstance(old, Fresh):
            old = Fresh(Changes.none(version), ContentSpace.of(blank, self._axes))
        fields = self._tfidf.fields(catalogue)
        numbers = old.changes.altered(catalogue, fields, self._prints)
        changes = old.changes.extended(catalogue, numbers)
        if not len(numbers):
            return Fresh(changes, old.space)
        more = ContentSpace.of(self._tfidf.vectors(catalogue, numbers), self._axes)
        return Fresh(changes, old.space.joined(old.changes.kept(numbers), more))

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n]: cosine, 0 and above; NaN for items without words and empty queries."""
        fresh = self._fresh(queries)
        profiles = self._profiles(queries, fresh)
        latent = _unit(profiles.projected(self._axes)) if len(self._axes) else self._axes
        share = self.config.svd_weight
        found = self._space.likeness(profiles, latent, share)
        if fresh is not None and len(fresh.numbers):
            width = max(found.shape[1], int(fresh.numbers.max()) + 1)
            wide = np.full((len(queries), width), np.nan, np.float32)
            wide[:, : found.shape[1]] = found
            wide[:, fresh.numbers] = fresh.space.likeness(profiles, latent, share)
            found = wide
        found[np.diff(profiles.offsets) == 0] = np.nan
        return found

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        """The item of the newest of the history that is most like each candidate."""
        history = query_history(queries)
        fresh = self._fresh(queries)
        width = self._width(fresh)
        found = np.full(numbers.shape, ABSENT, np.int32)
        for row in range(len(queries)):
            first = max(history.offsets[row], history.offsets[row + 1] - _RECENT)
            mine = np.unique(history.items[first : history.offsets[row + 1]])
            mine = mine[mine < width]
            known = (numbers[row] >= 0) & (numbers[row] < width)
            if len(mine) and known.any() and not queries.texts[row]:
                theirs = self._vectors_of(numbers[row][known], fresh)
                like = theirs.dot_rows(self._vectors_of(mine, fresh))
                best = mine[like.argmax(axis=1)]
                found[row, known] = np.where(like.max(axis=1) > 0, best, ABSENT)
        return found

    def _fresh(self, queries: QueryBatch) -> Fresh | None:
        found = None if queries.live is None else queries.live.deltas.get(self.name)
        return found if isinstance(found, Fresh) else None

    def _width(self, fresh: Fresh | None) -> int:
        """How many item numbers are known."""
        late = -1 if fresh is None else int(fresh.numbers.max(initial=-1))
        return int(max(self._space.vectors.shape[0], late + 1))

    def _vectors_of(self, numbers: Int32Array, fresh: Fresh | None) -> SparseRows:
        """The vectors of items by number, each below the width."""
        if fresh is None or not len(fresh.numbers):
            return take_rows(self._space.vectors, numbers)
        ones = np.ones(len(numbers), np.float32)
        single = SparseRows(np.arange(len(numbers) + 1), numbers, ones, self._width(fresh))
        return self._mixed(single, fresh).sum_duplicates()

    def _mixed(self, weights: SparseRows, fresh: Fresh | None) -> SparseRows:
        """`weights` [B, n] times the vectors of all items, fresh ones in the place of stale."""
        if fresh is None or not len(fresh.numbers):
            return weights.matmul_sparse(self._space.vectors)
        old, new = weights.split_columns(self._space.vectors.shape[0], fresh.numbers)
        found = old.matmul_sparse(self._space.vectors)
        return found.hstack(new.matmul_sparse(fresh.space.vectors)) if len(new.columns) else found

    def _profiles(self, queries: QueryBatch, fresh: Fresh | None) -> SparseRows:
        """What each query asks for, [B, V]: its text, else its anchors or history."""
        width = self._width(fresh)
        taken = decayed_history(
            query_history(queries), self.config.basket_decay, width, self.config.max_baskets
        )
        profiles = self._mixed(taken, fresh)
        asked = np.array([bool(text) for text in queries.texts], np.bool_)
        if asked.any():
            silent = profiles.where(~asked[profiles.rows])
            profiles = silent.hstack(SparseRows.of(self._tfidf.text_vectors(queries.texts)))
        return profiles.l2_normalized()


def _features(config: ContentConfig) -> TfidfConfig:
    return TfidfConfig(**{one.name: getattr(config, one.name) for one in fields(TfidfConfig)})


def _axes(vectors: sparse.csr_matrix, components: int, seed: int) -> Float32Array:
    """float32 [V, components]: the right singular vectors; empty where there are too few items."""
    if not components or min(vectors.shape) <= components:
        return np.zeros((0, 0), np.float32)
    _, _, axes = svds(vectors, components, random_state=seed)
    return np.ascontiguousarray(axes.T, np.float32)


def _products(rows: Float32Array, others: Float32Array) -> Float32Array:
    """float32 [B, n]: dot products.

    For single requests not by BLAS: its threads wait for one another on a busy machine, which
    takes a hundred times as long as the product.
    """
    if len(rows) > _FEW:
        return rows @ others.T
    return np.stack([np.einsum("nd,d->n", others, row) for row in rows])


def _unit(rows: Float32Array) -> Float32Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Float32Array = rows / np.maximum(lengths, 1e-12)
    return units
