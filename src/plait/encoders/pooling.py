"""Pools the vectors of tokens into one vector a text."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from plait.data.array_types import Float32Array, Int64Array
from plait.errors import InputError
from plait.features.vector_math import l2_normalize

__all__ = ["POOLINGS", "Pooling", "checked_pooling", "pool"]

Pooling = Literal["mean", "cls", "last"]
"""The mean over all tokens (Reimers and Gurevych, 2019), the first token as BERT and BGE use it, or
the last token, which in a causal model has read all others."""

POOLINGS: tuple[str, ...] = get_args(Pooling)


def pool(tokens: Float32Array, mask: Int64Array, pooling: Pooling) -> Float32Array:
    """Pool the vectors of tokens.

    Args:
        tokens: float32 [B, L, D].
        mask: int64 [B, L], 1 for tokens and 0 for padding, which stands behind them.
        pooling: How.

    Returns:
        float32 [B, D], of length 1.
    """
    if pooling == "cls":
        vectors = tokens[:, 0]
    elif pooling == "last":
        vectors = tokens[np.arange(len(tokens)), np.maximum(mask.sum(axis=1), 1) - 1]
    else:
        weights = mask.astype(np.float32)
        totals = np.maximum(weights.sum(axis=1, keepdims=True), 1)
        vectors = np.einsum("bld,bl->bd", tokens, weights) / totals
    normalized: Float32Array = l2_normalize(np.asarray(vectors, np.float32))
    return normalized


def checked_pooling(name: str) -> Pooling:
    """Check the name of a pooling.

    Args:
        name: The name.

    Returns:
        The same.

    Raises:
        InputError: If there is no such pooling.
    """
    for pooling in get_args(Pooling):
        if name == pooling:
            checked: Pooling = pooling
            return checked
    raise InputError(
        f"unknown pooling {name!r}", hint=f"there are {', '.join(POOLINGS)}", field="pooling"
    )
