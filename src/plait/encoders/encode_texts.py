"""Encodes many texts: each distinct text once, similar lengths together, through the cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.encoder import Encoder, TextEncoder
from plait.encoders.vector_cache import VectorCache, content_keys
from plait.features.text import private_cache_folder
from plait.utils.no_op_callbacks import ignore

__all__ = ["CACHE", "encode_texts", "encoder_cache"]

CACHE = "~/.cache/plait/encoders"
"""Where vectors are cached unless another folder is named."""

_BATCH = 32
_CHUNK = 1024
"""How many texts are encoded between two writes: an interrupted run goes on from the last one."""

Progress = Callable[[str, int, int], None]


def encoder_cache(encoder: Encoder, folder: str = "") -> VectorCache | None:
    """Open the cache of an encoder.

    Args:
        encoder: The encoder.
        folder: The folder of all caches; "": `CACHE`, or a temporary one where others may write.

    Returns:
        The cache; None for an encoder without weights, which is as fast as a disk.
    """
    if not encoder.identity.weights_hash:
        return None
    path = Path(folder).expanduser() if folder else private_cache_folder(CACHE)
    return VectorCache(path, encoder.identity, encoder.dimensions)


def encode_texts(
    encoder: TextEncoder,
    texts: Sequence[str],
    cache: VectorCache | None = None,
    progress: Progress = ignore,
) -> Float32Array:
    """Encode texts.

    Args:
        encoder: The encoder.
        texts: N texts; an empty one has no vector.
        cache: Vectors of earlier runs; what is missing is added to it. None: everything is encoded.
        progress: Called with "encode · 512/s", the number of encoded texts, and their total.

    Returns:
        float32 [N, D], of length 1; NaN for texts without a letter or digit, and for texts of
        which the encoder has no token.
    """
    vectors = np.full((len(texts), encoder.dimensions), np.nan, np.float32)
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if any(character.isalnum() for character in text):
            rows.setdefault(text, []).append(row)
    distinct = sorted(rows, key=len)
    keys = content_keys(distinct)
    by_text = np.full((len(distinct), encoder.dimensions), np.nan, np.float32)
    if cache is not None:
        by_text = cache.lookup(keys)
    missing = np.flatnonzero(np.isnan(by_text[:, 0])) if distinct else np.zeros(0, np.int64)
    began, done = time.perf_counter(), len(distinct) - len(missing)
    for start in range(0, len(missing), _CHUNK):
        chunk = missing[start : start + _CHUNK]
        for at in range(0, len(chunk), _BATCH):
            batch = chunk[at : at + _BATCH]
            by_text[batch] = encoder.encode([distinct[number] for number in batch])
            encoded = start + at + len(batch)
            rate = encoded / max(time.perf_counter() - began, 1e-9)
            progress(f"encode · {rate:,.0f}/s", done + encoded, len(distinct))
        if cache is not None:
            cache.add([keys[number] for number in chunk], by_text[chunk])
    by_text[~by_text.any(axis=1)] = np.nan
    for number, text in enumerate(distinct):
        vectors[rows[text]] = by_text[number]
    return vectors
