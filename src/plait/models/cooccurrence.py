"""Which items follow which: counts that know order, distance and basket.

Items that a user took at one moment are a basket. Pairs in one basket count fully, pairs `d`
baskets apart `discount` to the power of d - 1, and against the order of time only in part. Large
baskets say less about each pair, long histories less about each basket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from plait.core.space import Range, tunable
from plait.core.types import Dataset, Longs

__all__ = ["PairConfig", "baskets", "pairs", "weighed_baskets"]


@dataclass(frozen=True, slots=True)
class PairConfig:
    """How pairs are counted."""

    window: int = tunable(20, Range(1, 50, log=True))
    """How many baskets apart two items may lie."""
    discount: float = tunable(0.9, Range(0.5, 1.0))
    """What a pair counts against one a basket closer."""
    backward: float = tunable(0.4, Range(0.0, 1.0))
    """What the earlier item counts for the later one, against the other way round."""
    basket_norm: float = tunable(0.5, Range(0.0, 1.0))
    """Each basket is divided by its size to this power."""
    damp_history: bool = True
    """Whether a user's baskets are divided by the logarithm of how many events the user has."""


def baskets(dataset: Dataset) -> tuple[sparse.csr_matrix, Longs]:
    """CSR [n_baskets, n_items] of zeros and ones, and the user of every basket, in order."""
    found = dataset.interactions
    new = np.ones(len(found), np.bool_)
    same_user = found.users[1:] == found.users[:-1]
    new[1:] = ~(same_user & (found.times[1:] == found.times[:-1]))
    place = np.cumsum(new) - 1
    count = int(place[-1]) + 1 if len(place) else 0
    ones = np.ones(len(found), np.float32)
    matrix = sparse.csr_matrix((ones, (place, found.items)), shape=(count, dataset.n_items))
    matrix.data[:] = 1
    return matrix, found.users[new].astype(np.int64)


def weighed_baskets(
    dataset: Dataset, config: PairConfig
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, Longs]:
    """The two sides of a pair, float32 CSR [n_baskets, n_items], and the user of every basket.

    Both are divided by the size of the basket, the first also by the length of the history.
    """
    rows, users = baskets(dataset)
    sizes = np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1)
    scaled = _scale(rows, sizes**-config.basket_norm)
    weights = np.ones(len(users), np.float32)
    if config.damp_history:
        lengths = np.bincount(dataset.interactions.users, minlength=dataset.n_users)
        weights = (1 / np.log1p(lengths[users])).astype(np.float32)
    return _scale(scaled, weights), scaled, users


def pairs(dataset: Dataset, config: PairConfig) -> sparse.csr_matrix:
    """float32 CSR [n_items, n_items]: how strongly the row's item announces the column's.

    The diagonal holds what is taken again in a later basket.
    """
    weighted, scaled, users = weighed_baskets(dataset, config)
    counted = _within(weighted, scaled)
    for distance in range(1, config.window + 1):
        first = np.nonzero(users[distance:] == users[:-distance])[0]
        if not len(first):
            break
        forward = (weighted[first].T @ scaled[first + distance]).tocsr()
        discount = np.float32(config.discount ** (distance - 1))
        counted = counted + discount * (forward + np.float32(config.backward) * forward.T)
    result = counted.tocsr().astype(np.float32)
    result.sort_indices()
    return result


def _within(weighted: sparse.csr_matrix, scaled: sparse.csr_matrix) -> sparse.csr_matrix:
    """Pairs inside a basket, an item with itself left out."""
    together = (weighted.T @ scaled).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    return together


def _scale(matrix: sparse.csr_matrix, by: np.ndarray) -> sparse.csr_matrix:
    return (sparse.diags_array(by.astype(np.float32)) @ matrix).tocsr()
