"""Encoders of text in ONNX, also with int8 weights: fast on a CPU, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.encoder import EncoderIdentity
from plait.encoders.pooling import Pooling, pool
from plait.encoders.tokens import tokenize
from plait.errors import InputError
from plait.features.vector_math import l2_normalize
from plait.utils.optional_imports import require_extra

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["OnnxTextEncoder"]


class OnnxTextEncoder:
    """An ONNX graph of token numbers to vectors of tokens, [B, L, D], or of texts, [B, D].

    Args:
        path: The file of the graph, with its weights.
        tokenizer: Its tokenizer.
        identity: The identity.
        pooling: How the vectors of tokens are pooled.
        threads: Threads of one batch; 0: one for each core.

    Raises:
        InputError: If the file is damaged or has other inputs.
        MissingExtraError: If onnxruntime is not installed.
    """

    def __init__(
        self,
        path: Path,
        tokenizer: Tokenizer,
        identity: EncoderIdentity,
        pooling: Pooling = "mean",
        threads: int = 0,
    ) -> None:
        self.identity = identity
        self._tokenizer = tokenizer
        self._pooling = pooling
        self._session = _session(path, threads)
        self._inputs = {entry.name for entry in self._session.get_inputs()}
        unknown = self._inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown or "input_ids" not in self._inputs:
            raise InputError(
                f"{path} has the inputs {', '.join(sorted(self._inputs))}",
                hint="expected input_ids, attention_mask and token_type_ids",
                field="encoder",
            )
        self.dimensions = int(self._session.get_outputs()[0].shape[-1])

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Encode a batch.

        Args:
            texts: B texts.

        Returns:
            float32 [B, D], each of length 1.
        """
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        tokens = tokenize(self._tokenizer, texts)
        feeds = {
            "input_ids": tokens.ids,
            "attention_mask": tokens.mask,
            "token_type_ids": np.zeros_like(tokens.ids),
        }
        used = {name: values for name, values in feeds.items() if name in self._inputs}
        output = np.asarray(self._session.run(None, used)[0], np.float32)
        if output.ndim == 2:
            normalized: Float32Array = l2_normalize(output)
            return normalized
        return pool(output, tokens.mask, self._pooling)


def _session(path: Path, threads: int) -> Any:
    """The graph, loaded."""
    require_extra("an encoder in ONNX", "onnxruntime", extra="text")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that spin between batches would take the cores of the other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # the library raises classes of its own
        message = f"cannot read the ONNX graph {path}: {str(problem)[:200]}"
        raise InputError(message, hint="expected a model.onnx", field="encoder") from problem
