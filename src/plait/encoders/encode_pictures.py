"""Encodes pictures of items: each distinct file once, through the cache; several a mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from plait.data.array_types import Float32Array
from plait.encoders.image_encoders import ImageEncoder
from plait.encoders.pictures import RejectedPicture, square_picture
from plait.encoders.vector_cache import VectorCache, content_key
from plait.features.vector_math import l2_normalize
from plait.utils.no_op_callbacks import ignore

__all__ = ["PictureVectors", "encode_pictures"]

_BATCH = 16
_CHUNK = 256
"""How many pictures are encoded between two writes of the cache."""


class PictureVectors(NamedTuple):
    """The vectors of N items.

    Attributes:
        vectors: float32 [N, D], of length 1; NaN for items without a picture that can be read.
        rejected: The pictures that cannot be read.
    """

    vectors: Float32Array
    rejected: list[RejectedPicture]


def encode_pictures(
    encoder: ImageEncoder,
    files: Sequence[Sequence[Path]],
    cache: VectorCache | None = None,
    progress: Callable[[str, int, int], None] = ignore,
) -> PictureVectors:
    """Encode the pictures of items.

    Args:
        encoder: The encoder.
        files: The pictures of N items; an item with several has the mean of their vectors.
        cache: Vectors of earlier runs; what is missing is added to it. None: everything is encoded.
        progress: Called with "encode · 40/s", the number of read pictures, and their total.

    Returns:
        The vectors, and the pictures that were passed over.
    """
    distinct = sorted({path for paths in files for path in paths})
    vectors: dict[Path, Float32Array] = {}
    rejected: list[RejectedPicture] = []
    began = time.perf_counter()
    for start in range(0, len(distinct), _CHUNK):
        chunk = distinct[start : start + _CHUNK]
        encoded, broken = _encode_chunk(encoder, chunk, cache)
        vectors.update(encoded)
        rejected += broken
        done = start + len(chunk)
        rate = done / max(time.perf_counter() - began, 1e-9)
        progress(f"encode · {rate:,.0f}/s", done, len(distinct))
    means = np.full((len(files), encoder.dimensions), np.nan, np.float32)
    for row, paths in enumerate(files):
        readable = [vectors[path] for path in paths if path in vectors]
        if readable:
            means[row] = l2_normalize(np.mean(readable, axis=0, keepdims=True))[0]
    return PictureVectors(means, rejected)


def _encode_chunk(
    encoder: ImageEncoder, paths: Sequence[Path], cache: VectorCache | None
) -> tuple[dict[Path, Float32Array], list[RejectedPicture]]:
    """The vectors of files, and the files that are no pictures."""
    contents: dict[bytes, bytes] = {}
    keys: dict[Path, bytes] = {}
    rejected = []
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as problem:
            rejected.append(RejectedPicture(str(path), problem.strerror or str(problem)))
            continue
        keys[path] = content_key(content)
        contents[keys[path]] = content
    by_key: dict[bytes, Float32Array] = {}
    if cache is not None:
        distinct = list(contents)
        looked_up = cache.lookup(distinct)
        by_key = {
            key: vector
            for key, vector in zip(distinct, looked_up, strict=True)
            if not np.isnan(vector[0])
        }
    pixels, reasons = [], {}
    for key, content in contents.items():
        if key not in by_key:
            try:
                pixels.append((key, square_picture(content, encoder.size)))
            except ValueError as problem:
                reasons[key] = str(problem)
    fresh: dict[bytes, Float32Array] = {}
    for at in range(0, len(pixels), _BATCH):
        batch = pixels[at : at + _BATCH]
        encoded = encoder.encode([picture for _, picture in batch])
        fresh.update(zip((key for key, _ in batch), encoded, strict=True))
    if cache is not None and fresh:
        cache.add(list(fresh), np.stack(list(fresh.values())))
    by_key.update(fresh)
    rejected += [
        RejectedPicture(str(path), reasons[key]) for path, key in keys.items() if key in reasons
    ]
    return {path: by_key[key] for path, key in keys.items() if key in by_key}, rejected
