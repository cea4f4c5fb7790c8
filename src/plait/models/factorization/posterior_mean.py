"""The mean of many samples of a matrix factorisation, in few dimensions.

The vectors of all samples, side by side, have samples times factors dimensions; a truncated SVD of
the product of both sides retains `rank` of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from plait.data.array_types import Float32Array, Float64Array
from plait.models.factorization.gibbs import Sample

__all__ = ["CompressedMean", "balanced_vectors"]


class CompressedMean:
    """The mean over samples of the product of vectors, in fewer dimensions.

    Vectors are float32 [n, 1 + rank] in the unit of the ratings.

    Args:
        samples: The samples.
        rank: Dimensions at most.
        unit: What the ratings were divided by.
    """

    def __init__(self, samples: Sequence[Sample], rank: int, unit: float = 1.0) -> None:
        users = np.concatenate([sample.users[:, 1:] for sample in samples], axis=1)
        items = np.concatenate([sample.items[:, 1:] for sample in samples], axis=1)
        items /= len(samples)
        # Orthonormal maps from the Cholesky factors of both Gram matrices: the SVD of a product
        # of two thin matrices without a QR of either.
        upper = np.linalg.cholesky(_gram(users)).T
        lower = np.linalg.cholesky(_gram(items))
        _, _, axes = np.linalg.svd(upper @ lower)
        axes = axes[: min(rank, len(axes))].T
        user_map, item_map = lower @ axes, solve_triangular(lower.T, axes, lower=False)
        self.width = axes.shape[1] + 1

        def compressed(vectors: list[Float64Array], axes: Float64Array, divisor: float) -> Any:
            bias = unit * np.mean([sample[:, 0] for sample in vectors], axis=0)
            joined = np.concatenate([sample[:, 1:] for sample in vectors], axis=1) @ axes
            joined /= divisor
            return np.column_stack([bias, joined]).astype(np.float32)

        def compressed_users(vectors: list[Float64Array]) -> Any:
            return compressed(vectors, user_map, 1 / unit)

        def compressed_items(vectors: list[Float64Array]) -> Any:
            return compressed(vectors, item_map, len(samples))

        self.users = compressed_users([sample.users for sample in samples])
        self.items = compressed_items([sample.items for sample in samples])
        self.user_base = compressed_users([sample.user_mean[None] for sample in samples])[0]
        self.item_base = compressed_items([sample.item_mean[None] for sample in samples])[0]
        self.user_weights = compressed_users([sample.user_weights for sample in samples])
        self.item_weights = compressed_items([sample.item_weights for sample in samples])


def balanced_vectors(
    users: Float32Array, items: Float32Array, factors: int
) -> tuple[Float64Array, Float64Array]:
    """Retain the dimensions in which predictions differ most, equally long on both sides.

    Args:
        users: float32 [n, 1 + rank], those of `CompressedMean`; NaN without ratings.
        items: float32 [m, 1 + rank].
        factors: How many dimensions beside the bias.

    Returns:
        [n, 1 + factors] and [m, 1 + factors], fewer dimensions where `rank` is smaller.
    """
    balanced_users, balanced_items = (
        side[:, : 1 + factors].astype(np.float64) for side in (users, items)
    )
    user_norms, item_norms = (
        np.sqrt(np.maximum(np.nansum(side[:, 1:] ** 2, axis=0), 1e-12))
        for side in (balanced_users, balanced_items)
    )
    scale = np.sqrt(item_norms / user_norms)
    balanced_users[:, 1:] *= scale
    balanced_items[:, 1:] /= scale
    return balanced_users, balanced_items


def _gram(vectors: Float64Array) -> Float64Array:
    """The Gram matrix of vectors, with a slightly larger diagonal so that it can be factored."""
    gram: Float64Array = vectors.T @ vectors
    gram[np.diag_indices(len(gram))] += 1e-9 * np.trace(gram) / len(gram) + 1e-12
    return gram
