"""Arithmetic on the rows of dense float matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.array_types import Float32Array

__all__ = ["dot_products", "l2_normalize"]

_EINSUM_ROWS = 4


def l2_normalize(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Scale the rows of a dense matrix to length 1.

    Args:
        rows: floats [B, D].

    Returns:
        [B, D] in the same precision; zero rows stay zero.
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    normalized: npt.NDArray[Any] = rows / np.maximum(lengths, 1e-12)
    return normalized


def dot_products(rows: Float32Array, others: Float32Array) -> Float32Array:
    """Compute the dot products of all pairs of rows.

    Up to four rows are multiplied without BLAS: its threads wait for one another on a busy
    machine, which takes a hundred times as long as a small product.

    Args:
        rows: float32 [B, D].
        others: float32 [n, D].

    Returns:
        float32 [B, n].
    """
    if len(rows) > _EINSUM_ROWS:
        return rows @ others.T
    products = np.empty((len(rows), len(others)), np.float32)
    for index, row in enumerate(rows):
        products[index] = np.einsum("nd,d->n", others, row)
    return products
