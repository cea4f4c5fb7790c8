"""Recommends and finds items by the vectors of a frozen text encoder.

A user is the mean of the items of the history, as in zero-shot recommendation; a query is its text.
An item has a vector from the moment at which it is put.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import Float32Array, Int32Array, UInt64Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.encoders.encode_texts import encode_texts, encoder_cache
from plait.encoders.encoder import TextEncoder
from plait.encoders.item_texts import item_texts, text_fields
from plait.encoders.text_encoders import MAX_TOKENS, open_text_encoder
from plait.errors import BundleError
from plait.features.incremental_updates import ItemUpdates, field_hashes, updates_in
from plait.features.sparse_rows import decayed_history
from plait.features.vector_math import dot_products, l2_normalize
from plait.models.sequential.history_explanation import nearest_history_item
from plait.models.sequential.item_embedding_table import ItemVectors
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fit_context import Progress, no_progress
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.pipeline.search_space import Range, tunable

__all__ = ["TextVectors", "TextVectorsConfig"]


@dataclass(frozen=True, slots=True)
class TextVectorsConfig:
    """Settings of `text`."""

    encoder: str = "hashing"
    """The encoder: "hashing" (no package, spelling alone), "minilm-int8" (English),
    "use-multilingual" (16 languages), a folder, or a model in the local cache of Hugging Face."""
    pooling: str = ""
    """How vectors of tokens become one: mean, cls or last; empty: as the folder of the encoder
    says."""
    max_tokens: int = bounded_field(MAX_TOKENS, Limit(least=3, most=8192))
    """How many tokens of an item or a query are read, from its beginning."""
    fields: tuple[str, ...] = ()
    """The fields of an item to read, the most telling first; none: the title, then all others of
    type text, category and set."""
    item_prefix: str = ""
    """What stands before the text of an item, as "passage: " for E5."""
    query_prefix: str = ""
    """What stands before the text of a query, as "query: " for E5."""
    centered: bool = True
    """Whether the mean of all items is subtracted, which most encoders have in common."""
    basket_decay: float = tunable(0.8, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history relative to the one after it."""
    max_baskets: int = bounded_field(20, Limit(least=0))
    """How many of the newest baskets are read; 0: all."""
    cache: str = ""
    """The folder in which vectors are kept by their text; empty: ~/.cache/plait/encoders."""


Updates = ItemUpdates[Float32Array]


class TextVectors(DenseScorer[TextVectorsConfig]):
    """Scores items by the cosine to the query's text, else to its seed items, else to its history.

    Scores are cosines from -1 to 1; NaN for items without text and for queries of which nothing is
    known.
    """

    Config = TextVectorsConfig
    fusion_defaults = FusionDefaults(text_query_weight=0.3)
    reason_templates = ReasonTemplates(
        query_item=(Claim.SIMILAR, Claim.GOES_WITH),
        history_item=(Claim.SIMILAR, Claim.BECAUSE),
    )
    test_variants = ({"centered": False},)
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_items": Float32Array,
        "_center": Float32Array,
        "_fields": tuple[str, ...],
        "_field_hashes": UInt64Array,
        "_encoder_digest": str,
    }

    def __init__(self, config: TextVectorsConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._items: Float32Array = np.zeros((0, 1), np.float32)
        """float32 [n, D], of length 1; NaN for items without text."""
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
        if stage._encoder().identity.digest != stage._encoder_digest:
            raise BundleError(
                f"the encoder {stage.config.encoder!r} of {name} changed after the fit: its "
                "vectors cannot be compared with those of the items",
                hint="plait fit encodes the items again",
            )
        return stage

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        return self.fit_with_progress(dataset, seed=seed, progress=no_progress)

    def fit_with_progress(self, dataset: Dataset, *, seed: int, progress: Progress) -> Self:
        """Encode the texts of all living items.

        Args:
            dataset: The data set.
            seed: Ignored.
            progress: Called with the encoded texts a second, how many are done, and the total.

        Returns:
            A new stage.

        Raises:
            InputError: If there is no such encoder or field.
            MissingExtraError: If a package that the encoder needs is not installed.
        """
        catalogue = dataset.catalogue
        catalogue.check_fields(self.config.fields, "fields")
        fitted = self.clone()
        fitted._fields = tuple(text_fields(catalogue, self.config.fields))
        encoder = fitted._encoder()
        numbers = np.arange(dataset.n_items, dtype=np.int32)
        texts = fitted._texts(catalogue, numbers)
        cache = encoder_cache(encoder, self.config.cache)
        vectors = encode_texts(encoder, texts, cache, progress)
        fitted._center = np.zeros(encoder.dimensions, np.float32)
        has_text = ~np.isnan(vectors[:, 0])
        if self.config.centered and has_text.sum() > 1:
            fitted._center = vectors[has_text].mean(axis=0, dtype=np.float64).astype(np.float32)
        fitted._items = fitted._normalized(vectors)
        fitted._field_hashes = field_hashes(catalogue, fitted._fields, range(dataset.n_items))
        fitted._encoder_digest = encoder.identity.digest
        return fitted

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Updates:
        updates = Updates.empty(version, self._items)
        if isinstance(previous, ItemUpdates):
            updates = previous
        fields = [name for name in self._fields if name in catalogue.columns]
        numbers, hashes = updates.outdated_items(catalogue, fields, self._field_hashes)
        table = updates.values
        if len(numbers):
            texts = self._texts(catalogue, numbers)
            size = max(len(table), int(numbers.max()) + 1)
            added = np.full((size - len(table), table.shape[1]), np.nan, np.float32)
            table = np.concatenate([table, added])
            table[numbers] = self._normalized(encode_texts(self._encoder(), texts))
        return updates.extended(catalogue, numbers, table, hashes)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        return dot_products(self.user_vectors(queries), self._table(queries))

    def item_vectors(self) -> Float32Array:
        """Return the vectors of the items of the fit, float32 [n, D]; NaN without text."""
        return self._items

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Return the vectors of queries: of their text, else the mean over seeds or history.

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
            texts = [f"{self.config.query_prefix}{queries.texts[row]}" for row in with_text]
            vectors[with_text] = self._normalized(encode_texts(self._encoder(), texts))
        return vectors

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        table = self._table(queries)
        items = ItemVectors(np.nan_to_num(table), ~np.isnan(table[:, 0]))
        explanations = nearest_history_item(queries.effective_history, items, numbers)
        explanations[[bool(text) for text in queries.texts]] = -1
        return explanations

    def _encoder(self) -> TextEncoder:
        """The encoder of the settings, from this process's few open ones."""
        config = self.config
        return open_text_encoder(config.encoder, config.pooling, config.max_tokens)

    def _table(self, queries: QueryBatch) -> Float32Array:
        """The vectors of all items, updated ones included."""
        updates: Updates | None = updates_in(queries, self.name)
        return self._items if updates is None else updates.values

    def _texts(self, catalogue: Catalogue, numbers: Int32Array) -> list[str]:
        """The texts of items with their prefix; "" for deleted items and those without text."""
        fields = [name for name in self._fields if name in catalogue.columns]
        texts = item_texts(catalogue, numbers, fields)
        alive = catalogue.alive[numbers].tolist()
        return [
            f"{self.config.item_prefix}{text}" if text and is_alive else ""
            for text, is_alive in zip(texts, alive, strict=True)
        ]

    def _normalized(self, vectors: Float32Array) -> Float32Array:
        """Centred vectors of length 1; NaN stays."""
        normalized: Float32Array = l2_normalize(vectors - self._center)
        return normalized
