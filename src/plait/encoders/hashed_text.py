"""Hashed words and letter triples (Weinberger et al., 2009): vectors without weights."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.encoder import EncoderIdentity
from plait.features.text import Analyzer
from plait.features.vector_math import l2_normalize

__all__ = ["HashedTextEncoder"]

_WORD_WEIGHT = 2.0
"""The weight of a word relative to three letters in a row."""


class HashedTextEncoder:
    """Adds a signed one for each word and each three letters at a hashed place.

    It knows spelling and no meaning: it stands in where no network is installed.

    Args:
        dimensions: D, the length of a vector.
    """

    def __init__(self, dimensions: int = 512) -> None:
        self.dimensions = dimensions
        self.identity = EncoderIdentity("hashing", "", {"hashed": dimensions})
        self._analyzer = Analyzer("")

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Encode a batch.

        Args:
            texts: B texts.

        Returns:
            float32 [B, D], each of length 1; zeros for a text without a letter or digit.
        """
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in set(self._analyzer.terms(text)):
                padded = f"<{word}>"
                triples = {padded[at : at + 3] for at in range(len(padded) - 2)}
                weights = itertools.chain([(word, _WORD_WEIGHT)], ((part, 1.0) for part in triples))
                for feature, weight in weights:
                    place, sign = _place(feature, self.dimensions)
                    vectors[row, place] += sign * weight
        normalized: Float32Array = l2_normalize(vectors)
        return normalized


@lru_cache(maxsize=200_000)
def _place(feature: str, dimensions: int) -> tuple[int, float]:
    """The place and the sign of a feature."""
    raw = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    number = int.from_bytes(raw, "little")
    return number % dimensions, 1.0 if number >> 63 else -1.0
