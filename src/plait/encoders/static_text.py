"""Static embeddings: the mean of fixed token vectors, as Model2Vec distils them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.encoder import EncoderIdentity, file_hash
from plait.encoders.tokens import encodable, file_tokenizer
from plait.errors import InputError
from plait.features.vector_math import l2_normalize

__all__ = ["StaticTextEncoder", "is_static"]

_MAX_TOKENS = 512


class StaticTextEncoder:
    """A table of token vectors, `model.safetensors` with `embeddings` and perhaps `weights`.

    Args:
        folder: The folder with model.safetensors, tokenizer.json and config.json.

    Raises:
        InputError: If a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        weights = folder / "model.safetensors"
        hashed = file_hash(weights)
        try:
            tensors = load_file(weights)
            self._table: Float32Array = tensors["embeddings"].astype(np.float32)
            default = np.ones(len(self._table), np.float32)
            self._weights: Float32Array = tensors.get("weights", default).astype(np.float32)
        except (SafetensorError, KeyError, OSError, ValueError) as problem:
            message = f"cannot read token vectors from {weights}: {problem}"
            hint = "expected float tensors embeddings [V, D] and perhaps weights [V]"
            raise InputError(message, hint=hint, field="encoder") from problem
        self._tokenizer = file_tokenizer(folder / "tokenizer.json", _MAX_TOKENS)
        self.identity = EncoderIdentity(str(folder), hashed, {"static": _MAX_TOKENS})
        self.dimensions = int(self._table.shape[1])

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Encode a batch.

        Args:
            texts: B texts.

        Returns:
            float32 [B, D], each of length 1; zeros for a text without a known token.
        """
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        encodings = self._tokenizer.encode_batch(encodable(texts), add_special_tokens=False)
        rows = np.repeat(np.arange(len(texts)), [len(encoding.ids) for encoding in encodings])
        ids = np.array([number for encoding in encodings for number in encoding.ids], np.int64)
        sums = np.zeros((len(texts), self.dimensions), np.float32)
        np.add.at(sums, rows, self._table[ids] * self._weights[ids][:, None])
        normalized: Float32Array = l2_normalize(sums)
        return normalized


def is_static(folder: Path) -> bool:
    """Tell whether a folder holds static embeddings, as its config.json says.

    Args:
        folder: The folder.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "model2vec"
