"""What the stages of frozen encoders share: item vectors, means of histories, items put later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from plait.data.array_types import ABSENT, Float32Array, Int32Array, UInt64Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.encoders.encode_texts import encoder_cache
from plait.encoders.encoder import Encoder
from plait.encoders.vector_cache import VectorCache
from plait.errors import BundleError
from plait.features.incremental_updates import ItemUpdates, field_hashes, updates_in
from plait.features.sparse_rows import decayed_history
from plait.features.vector_math import dot_products, l2_normalize
from plait.models.sequential.history_explanation import nearest_history_item
from plait.models.sequential.item_embedding_table import ItemVectors
from plait.pipeline.fit_context import Progress, no_progress
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.reason_templates import Claim, ReasonTemplates

__all__ = ["EncodedVectors"]

ConfigT = TypeVar("ConfigT", bound=Any)
"""Settings with `centered`, `basket_decay`, `max_baskets` and `cache`."""

_CACHED = 64
"""The content of fewer items is encoded without the cache: a put would read all of it."""

Updates = ItemUpdates[Float32Array]


class EncodedVectors(DenseScorer[ConfigT], ABC):
    """Scores items by the cosine to the mean over the seed items, else over the history.

    Scores are cosines from -1 to 1; NaN for items without content and for queries of which nothing
    is known. A subclass reads the content of items and encodes it.
    """

    reason_templates = ReasonTemplates(
        query_item=(Claim.SIMILAR, Claim.GOES_WITH),
        history_item=(Claim.SIMILAR, Claim.BECAUSE),
    )
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_items": Float32Array,
        "_center": Float32Array,
        "_fields": tuple[str, ...],
        "_field_hashes": UInt64Array,
        "_encoder_digest": str,
    }

    def __init__(self, config: ConfigT | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._items: Float32Array = np.zeros((0, 1), np.float32)
        """float32 [n, D], of length 1; NaN for items without content."""
        self._center: Float32Array = np.zeros(1, np.float32)
        self._fields: tuple[str, ...] = ()
        self._field_hashes: UInt64Array = np.zeros(0, np.uint64)
        self._encoder_digest = ""

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Restore a stage that `save` wrote.

        Args:
            config: The settings that the stage was fitted with.
            name: The name that the recipe gives the stage.
            folder: The folder that `save` wrote to.

        Returns:
            A fitted stage.

        Raises:
            BundleError: If a file is damaged, or the encoder is not the one of the fit.
            MissingExtraError: If the package of the encoder is not installed.
        """
        stage = super().load(config, name, folder)
        if stage._encoder_digest and stage._encoder().identity.digest != stage._encoder_digest:
            raise BundleError(
                f"the encoder {stage.config.encoder!r} of {name} changed after the fit: its "
                "vectors cannot be compared with those of the items",
                hint="plait fit encodes the items again",
            )
        return stage

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        return self.fit_with_progress(dataset, seed=seed, progress=no_progress)

    def fit_with_progress(self, dataset: Dataset, *, seed: int, progress: Progress) -> Self:
        """Encode the content of all living items.

        Args:
            dataset: The data set.
            seed: Ignored.
            progress: Called with what is encoded a second, how much is done, and the total.

        Returns:
            A new stage.

        Raises:
            InputError: If there is no such encoder or field.
            MissingExtraError: If a package that the encoder needs is not installed.
        """
        catalogue = dataset.catalogue
        fitted = self.clone()
        fitted._fields = self._fields_of(catalogue)
        if not fitted._fields:
            fitted._items = np.full((dataset.n_items, 1), np.nan, np.float32)
            return fitted
        numbers = np.arange(dataset.n_items, dtype=np.int32)
        vectors = fitted._encoded(catalogue, numbers, progress)
        fitted._center = np.zeros(vectors.shape[1], np.float32)
        has_content = ~np.isnan(vectors[:, 0])
        if self.config.centered and has_content.sum() > 1:
            fitted._center = vectors[has_content].mean(axis=0, dtype=np.float64).astype(np.float32)
        fitted._items = fitted._normalized(vectors)
        fitted._field_hashes = field_hashes(catalogue, fitted._fields, range(dataset.n_items))
        fitted._encoder_digest = fitted._encoder().identity.digest
        return fitted

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Updates | None:
        if not self._encoder_digest:  # no field has content
            return None
        updates = Updates.empty(version, self._items)
        if isinstance(previous, ItemUpdates):
            updates = previous
        fields = [name for name in self._fields if name in catalogue.columns]
        numbers, hashes = updates.outdated_items(catalogue, fields, self._field_hashes)
        table = updates.values
        if len(numbers):
            size = max(len(table), int(numbers.max()) + 1)
            added = np.full((size - len(table), table.shape[1]), np.nan, np.float32)
            table = np.concatenate([table, added])
            table[numbers] = self.encode_items(catalogue, numbers)
        return updates.extended(catalogue, numbers, table, hashes)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        return dot_products(self.user_vectors(queries), self._table(queries))

    @property
    def content_fields(self) -> tuple[str, ...]:
        """The fields that the fit encoded; none: no item has a vector."""
        return self._fields

    def encode_items(self, catalogue: Catalogue, numbers: Int32Array) -> Float32Array:
        """Encode the content of items as the fit encodes it.

        Args:
            catalogue: The items as they are now.
            numbers: int32 [N], item numbers.

        Returns:
            float32 [N, D], of length 1; NaN for items without content.
        """
        if not self._encoder_digest:
            return np.full((len(numbers), self._items.shape[1]), np.nan, np.float32)
        return self._normalized(self._encoded(catalogue, numbers, no_progress))

    def item_vectors(self) -> Float32Array:
        """Return the vectors of the items of the fit, float32 [n, D]; NaN without content."""
        return self._items

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Return the vectors of queries: of their text if it has one, else the mean over items.

        Args:
            queries: B queries.

        Returns:
            float32 [B, D], of length 1; NaN where nothing is known.
        """
        table = self._table(queries)
        history = decayed_history(
            queries.effective_history, self.config.basket_decay, len(table), self.config.max_baskets
        )
        known = history.where(~np.isnan(table[history.columns, 0]))
        totals = np.bincount(known.rows, known.weights, minlength=len(known))
        means = known.projected(table) / np.where(totals > 0, totals, np.nan)[:, None]
        vectors: Float32Array = l2_normalize(means.astype(np.float32))
        with_text = [row for row, text in enumerate(queries.texts) if text]
        if with_text and self._encoder_digest:  # nothing is comparable before a fit
            texts = [str(queries.texts[row]) for row in with_text]
            vectors[with_text] = self._encoded_queries(texts)
        return vectors

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        table = self._table(queries)
        items = ItemVectors(np.nan_to_num(table), ~np.isnan(table[:, 0]))
        explanations = nearest_history_item(queries.effective_history, items, numbers)
        explanations[[bool(text) for text in queries.texts]] = ABSENT
        return explanations

    @abstractmethod
    def _encoder(self) -> Encoder:
        """The encoder of the settings, from this process's few open ones."""

    @abstractmethod
    def _fields_of(self, catalogue: Catalogue) -> tuple[str, ...]:
        """The fields that hold the content; none: no item has a vector."""

    @abstractmethod
    def _encoded(
        self, catalogue: Catalogue, numbers: Int32Array, progress: Progress
    ) -> Float32Array:
        """The vectors of items, float32 [N, D]; NaN for deleted items and those without content."""

    def _cache(self, n_items: int) -> VectorCache | None:
        """The cache for encoding some items; None where reading it costs more than it saves."""
        return encoder_cache(self._encoder(), self.config.cache) if n_items >= _CACHED else None

    def _encoded_queries(self, texts: list[str]) -> Float32Array:
        """The vectors of texts, float32 [B, D]; NaN where texts lie in another space."""
        return np.full((len(texts), self._items.shape[1]), np.nan, np.float32)

    def _table(self, queries: QueryBatch) -> Float32Array:
        """The vectors of all items, updated ones included."""
        updates: Updates | None = updates_in(queries, self.name)
        return self._items if updates is None else updates.values

    def _normalized(self, vectors: Float32Array) -> Float32Array:
        """Centred vectors of length 1; NaN stays."""
        normalized: Float32Array = l2_normalize(vectors - self._center)
        return normalized
