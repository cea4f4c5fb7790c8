"""Encoders of text by transformers and torch: BERT, E5, BGE, and causal models such as GPT."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.encoder import EncoderIdentity, file_hash
from plait.encoders.pooling import Pooling, checked_pooling, pool
from plait.encoders.tokens import file_tokenizer, tokenize
from plait.errors import InputError
from plait.utils.optional_imports import require_extra

__all__ = ["TransformerTextEncoder", "folder_pooling", "weight_files"]

_POOLING_KEYS: Mapping[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
"""The keys of a sentence-transformers folder."""


class TransformerTextEncoder:
    """A transformers model with safetensors weights.

    Args:
        folder: The folder with config.json, model.safetensors and tokenizer.json.
        pooling: How the vectors of tokens are pooled.
        max_tokens: How many tokens of a text are read; at most what the model can take.

    Raises:
        InputError: If a file is missing or damaged, or the weights are pickled.
        MissingExtraError: If torch or transformers is not installed.
    """

    def __init__(self, folder: Path, pooling: Pooling, max_tokens: int) -> None:
        require_extra("an encoder of transformers", "torch", "transformers", extra="transformers")
        files = weight_files(folder)
        self._model: Any = _model(folder)
        limit = int(getattr(self._model.config, "max_position_embeddings", max_tokens))
        self._max_tokens = min(max_tokens, limit)
        self._tokenizer = file_tokenizer(folder / "tokenizer.json", self._max_tokens)
        self._pooling = pooling
        config = {"pooling": pooling, "max_tokens": self._max_tokens}
        self.identity = EncoderIdentity(str(folder), file_hash(*files), config)
        self.dimensions = int(self._model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Encode a batch.

        Args:
            texts: B texts.

        Returns:
            float32 [B, D], each of length 1.
        """
        import torch

        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        tokens = tokenize(self._tokenizer, texts)
        ids, mask = torch.from_numpy(tokens.ids), torch.from_numpy(tokens.mask)
        with torch.inference_mode():
            hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        return pool(hidden.float().numpy(), tokens.mask, self._pooling)


def weight_files(folder: Path) -> list[Path]:
    """List the weights of a folder.

    Args:
        folder: The folder.

    Returns:
        Its safetensors files in the order of their names.

    Raises:
        InputError: If there are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    patterns = ("*.bin", "*.pt", "*.pth")
    pickled = sorted(path.name for pattern in patterns for path in folder.glob(pattern))
    reason = f"{pickled[0]} is a pickle, which can run code" if pickled else "none are there"
    raise InputError(
        f"no safetensors weights in {folder}: {reason}",
        hint="expected config.json, model.safetensors and tokenizer.json; transformers writes them "
        "by save_pretrained(FOLDER, safe_serialization=True)",
        field="encoder",
    )


def folder_pooling(folder: Path) -> Pooling:
    """Find out how a model pools tokens.

    Args:
        folder: The folder of the model.

    Returns:
        What 1_Pooling/config.json of a sentence-transformers folder says; else "last" for a causal
        model and "mean" for others.

    Raises:
        InputError: If the folder asks for a pooling that does not exist here.
    """
    path = folder / "1_Pooling" / "config.json"
    if path.exists():
        document = _read_json(path)
        modes = [key for key, value in document.items() if key.startswith("pooling_mode") and value]
        if len(modes) == 1 and modes[0] in _POOLING_KEYS:
            return _POOLING_KEYS[modes[0]]
        return checked_pooling(" + ".join(modes) or "none")
    names = _read_json(folder / "config.json").get("architectures") or [""]
    return "last" if "CausalLM" in str(names[0]) or str(names[0]).startswith("GPT") else "mean"


def _read_json(path: Path) -> dict[str, Any]:
    """The document of a file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f"cannot read {path}: {problem}", field="encoder") from problem
    if not isinstance(document, dict):
        raise InputError(f"{path} holds no JSON object", field="encoder")
    return document


def _model(folder: Path) -> Any:
    """The network, without gradients. Nothing is fetched."""
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model: Any = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    except Exception as problem:  # the library raises many classes
        message = f"cannot load the encoder {folder}: {str(problem)[:300]}"
        raise InputError(message, field="encoder") from problem
    return model.eval().requires_grad_(False)
