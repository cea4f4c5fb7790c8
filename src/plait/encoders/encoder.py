"""What an encoder is: a batch in, a float32 array out, and an identity that names its vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from plait.data.array_types import Float32Array
from plait.errors import InputError

__all__ = ["Encoder", "EncoderIdentity", "TextEncoder", "file_hash", "require_hash"]

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """What decides the vectors of an encoder: two with the same digest give the same vectors.

    Attributes:
        name: The name or path that the encoder was opened by.
        weights_hash: The SHA-256 of its weights, 64 hexadecimal digits; "" if it has none.
        config: Everything else that changes a vector: pooling, tokens that are read.
    """

    name: str
    weights_hash: str
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits over the weights and the config; a path may differ."""
        content = [self.weights_hash, dict(self.config)]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Encoder(Protocol):
    """What encoders of any content have in common."""

    @property
    def identity(self) -> EncoderIdentity:
        """What decides the vectors."""

    @property
    def dimensions(self) -> int:
        """D, the length of a vector."""


class TextEncoder(Encoder, Protocol):
    """Turns texts into vectors."""

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Encode a batch.

        Args:
            texts: B texts. The encoder reads the first tokens of a longer text than it can take.

        Returns:
            float32 [B, D], each of length 1. A vector does not depend on the rest of the batch
            but for rounding.
        """


def file_hash(*paths: Path) -> str:
    """Hash files.

    Args:
        paths: The files, in an order that matters.

    Returns:
        The SHA-256 of their contents together, 64 hexadecimal digits.

    Raises:
        InputError: If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as problem:
            message = f"cannot read the weights {path}: {problem.strerror or problem}"
            raise InputError(message, field="encoder") from problem
    return digest.hexdigest()


def require_hash(path: Path, expected: str) -> str:
    """Check weights against the SHA-256 that they are pinned to.

    Args:
        path: The file of the weights.
        expected: 64 hexadecimal digits.

    Returns:
        The hash.

    Raises:
        InputError: If the file cannot be read, or is another one.
    """
    actual = file_hash(path)
    if actual != expected:
        raise InputError(
            f"the weights {path} have the SHA-256 {actual[:16]}..., expected {expected[:16]}...",
            hint="install the package again: the file is damaged or another version",
            field="encoder",
        )
    return actual
