"""Encoded vectors on disk, by the hash of what was encoded: nothing is encoded twice.

Each encoder has a folder, named by the digest of its identity, with chunks that are written once
and never changed. Several processes may write at the same time. Deleting a folder costs time alone.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.encoder import EncoderIdentity

__all__ = ["VectorCache", "content_key", "content_keys"]

_KEY_BYTES = 16

_log = logging.getLogger(__name__)


def content_key(content: bytes) -> bytes:
    """Hash what is encoded.

    Args:
        content: The bytes of a picture, or a text in UTF-8.

    Returns:
        The first 16 bytes of their SHA-256.
    """
    return hashlib.sha256(content).digest()[:_KEY_BYTES]


def content_keys(texts: Sequence[str]) -> list[bytes]:
    """Hash texts; see `content_key`.

    Args:
        texts: N texts.

    Returns:
        The key of each.
    """
    return [content_key(text.encode("utf-8", "surrogatepass")) for text in texts]


class VectorCache:
    """The cached vectors of one encoder.

    Args:
        folder: The folder of all caches; it is made if it does not exist.
        identity: The identity of the encoder.
        dimensions: D, the length of its vectors.
    """

    def __init__(self, folder: Path, identity: EncoderIdentity, dimensions: int) -> None:
        self._folder = folder / identity.digest
        self._dimensions = dimensions
        self._rows: dict[bytes, int] = {}
        self._chunks: list[Float32Array] = []
        self._starts: list[int] = []
        self._size = 0
        for path in sorted(self._folder.glob("*.safetensors")):
            self._load(path)

    def __len__(self) -> int:
        return len(self._rows)

    def lookup(self, keys: Sequence[bytes]) -> Float32Array:
        """Look vectors up.

        Args:
            keys: N keys (`content_keys`).

        Returns:
            float32 [N, D]; NaN where a vector is not cached.
        """
        vectors = np.full((len(keys), self._dimensions), np.nan, np.float32)
        rows = np.array([self._rows.get(key, -1) for key in keys], np.int64)
        cached = np.flatnonzero(rows >= 0)
        chunk_of = np.searchsorted(self._starts, rows[cached], side="right") - 1
        for chunk in np.unique(chunk_of):
            places = cached[chunk_of == chunk]
            vectors[places] = self._chunks[chunk][rows[places] - self._starts[chunk]]
        return vectors

    def add(self, keys: Sequence[bytes], vectors: Float32Array) -> None:
        """Store vectors on disk; a full or read-only disk costs a warning and nothing else.

        Args:
            keys: N keys.
            vectors: float32 [N, D].
        """
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        if not keys:
            return
        self._append(keys, vectors)
        path = self._folder / f"{uuid.uuid4().hex}.safetensors"
        temporary = path.with_suffix(".writing")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            packed = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES)
            save_file({"keys": packed, "vectors": np.ascontiguousarray(vectors)}, temporary)
            temporary.replace(path)
        except (OSError, SafetensorError) as problem:  # the latter for a full disk
            _log.warning("cannot cache vectors in %s: %s", self._folder, problem)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _load(self, path: Path) -> None:
        """Read a chunk; a damaged one is passed over, and what it held is encoded again."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(path)
            keys, vectors = tensors["keys"], tensors["vectors"]
            shapes = (len(vectors), _KEY_BYTES), (len(keys), self._dimensions)
        except (SafetensorError, KeyError, OSError, ValueError, TypeError) as problem:
            _log.warning("passed over the damaged chunk of vectors %s: %s", path, problem)
            return
        is_right = keys.dtype == np.uint8 and (keys.shape, vectors.shape) == shapes
        if not is_right or not np.isfinite(vectors).all():
            _log.warning("passed over %s: its shapes are not those of the encoder", path)
            return
        raw = keys.tobytes()
        starts = range(0, len(raw), _KEY_BYTES)
        self._append([raw[at : at + _KEY_BYTES] for at in starts], vectors.astype(np.float32))

    def _append(self, keys: Sequence[bytes], vectors: Float32Array) -> None:
        """Add vectors to those in memory."""
        self._starts.append(self._size)
        self._chunks.append(vectors)
        self._rows.update(zip(keys, range(self._size, self._size + len(keys)), strict=True))
        self._size += len(keys)
