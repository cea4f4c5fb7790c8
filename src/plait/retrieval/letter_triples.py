"""How alike words are spelled, by the triples of letters that they share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np

from plait.data.array_types import Float32Array, UInt64Array

__all__ = ["spelling_similarities", "triples_of"]

_BITS = 512
"""Into how many bits the triples of a word are hashed."""


def spelling_similarities(asked: Sequence[str], words: Sequence[str]) -> Float32Array:
    """Return the share of common triples of letters of each pair of words.

    Args:
        asked: S words.
        words: U words.

    Returns:
        From 0 to 1, float32 [S, U].
    """
    first = np.array([triples_of(word) for word in asked])[:, None]
    second = np.array([triples_of(word) for word in words])[None]
    common = np.bitwise_count(first & second).sum(axis=2)
    either = np.bitwise_count(first | second).sum(axis=2)
    shares: Float32Array = (common / np.maximum(either, 1)).astype(np.float32)
    return shares


@lru_cache(1 << 16)
def triples_of(word: str) -> UInt64Array:
    """Return the triples of letters of a word, its ends included, as bits.

    Args:
        word: A word; "" has none.

    Returns:
        uint64 [8].
    """
    bits = 0
    padded = f"^{word}$" if word else ""
    for at in range(len(padded) - 2):
        bits |= 1 << (crc32(padded[at : at + 3].encode("utf-8", "surrogatepass")) % _BITS)
    return np.frombuffer(bits.to_bytes(_BITS // 8, "little"), np.uint64)
