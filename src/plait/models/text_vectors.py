"""Recommends and finds items by the vectors of a frozen text encoder.

A user is the mean of the items of the history, as in zero-shot recommendation; a query is its text.
An item has a vector from the moment at which it is put.
"""

from __future__ import annotations

from dataclasses import dataclass

from plait.data.array_types import Float32Array, Int32Array
from plait.data.catalogue import Catalogue
from plait.encoders.encode_texts import encode_texts
from plait.encoders.encoder import TextEncoder
from plait.encoders.item_texts import item_texts, text_fields
from plait.encoders.text_encoders import MAX_TOKENS, open_text_encoder
from plait.models.encoded_vectors import EncodedVectors
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fit_context import Progress
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.search_space import Range, tunable

__all__ = ["TextEncoderConfig", "TextVectors", "TextVectorsConfig"]


@dataclass(frozen=True, slots=True)
class TextEncoderConfig:
    """How the text of items is encoded."""

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
    cache: str = ""
    """The folder in which vectors are kept by their text; empty: ~/.cache/plait/encoders."""


@dataclass(frozen=True, slots=True)
class TextVectorsConfig(TextEncoderConfig):
    """Settings of `text`, beside how text is encoded."""

    basket_decay: float = tunable(0.8, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history relative to the one after it."""
    max_baskets: int = bounded_field(20, Limit(least=0))
    """How many of the newest baskets are read; 0: all."""


class TextVectors(EncodedVectors[TextVectorsConfig]):
    """Scores items by the cosine to the query's text, else to its seed items, else to its history.

    Scores are cosines from -1 to 1; NaN for items without text and for queries of which nothing is
    known.
    """

    Config = TextVectorsConfig
    fusion_defaults = FusionDefaults(text_query_weight=0.3)
    test_variants = ({"centered": False},)

    def _encoder(self) -> TextEncoder:
        config = self.config
        return open_text_encoder(config.encoder, config.pooling, config.max_tokens)

    def _fields_of(self, catalogue: Catalogue) -> tuple[str, ...]:
        catalogue.check_fields(self.config.fields, "fields")
        return tuple(text_fields(catalogue, self.config.fields))

    def _encoded(
        self, catalogue: Catalogue, numbers: Int32Array, progress: Progress
    ) -> Float32Array:
        fields = [name for name in self._fields if name in catalogue.columns]
        alive = catalogue.alive[numbers].tolist()
        texts = [
            f"{self.config.item_prefix}{text}" if text and is_alive else ""
            for text, is_alive in zip(item_texts(catalogue, numbers, fields), alive, strict=True)
        ]
        return encode_texts(self._encoder(), texts, self._cache(len(texts)), progress)

    def _encoded_queries(self, texts: list[str]) -> Float32Array:
        prefixed = [f"{self.config.query_prefix}{text}" for text in texts]
        return self._normalized(encode_texts(self._encoder(), prefixed))
