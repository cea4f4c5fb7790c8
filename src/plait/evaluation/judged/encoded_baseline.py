"""A baseline: cosines of the vectors of the English encoder `minilm-int8`."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import Float32Array, Int32Array
from plait.data.catalogue import Catalogue
from plait.encoders.encode_texts import Progress, encode_texts, encoder_cache
from plait.encoders.item_texts import item_texts, text_fields
from plait.encoders.text_encoders import open_text_encoder
from plait.utils.no_op_callbacks import ignore

__all__ = ["EncodedBaseline"]


class EncodedBaseline:
    """Cosines between the text of a query and the texts of items, by all-MiniLM-L6-v2.

    Vectors of items are kept in the cache of the encoder, so that a second evaluation is quick.

    Args:
        catalogue: The items.
        numbers: The items that are scored, int32 [N].
        progress: Called with the step, how many texts are encoded, and how many there are.

    Raises:
        MissingExtraError: If the encoder is not installed.
    """

    def __init__(
        self, catalogue: Catalogue, numbers: Int32Array, progress: Progress = ignore
    ) -> None:
        self._encoder = open_text_encoder("minilm-int8")
        self._numbers, self._n_items = numbers, len(catalogue)
        texts = item_texts(catalogue, numbers, text_fields(catalogue))
        vectors = encode_texts(self._encoder, texts, encoder_cache(self._encoder), progress)
        self._vectors = np.nan_to_num(vectors)

    def scores(self, text: str) -> Float32Array:
        """Score all items.

        Args:
            text: The words of a query.

        Returns:
            float32 [n], from -1 to 1; 0 for items without text, and for a query without words.
        """
        scores = np.zeros(self._n_items, np.float32)
        query = np.nan_to_num(encode_texts(self._encoder, [text])[0])
        scores[self._numbers] = self._vectors @ query
        return scores
