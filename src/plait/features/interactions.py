"""Builds user-item matrices from interactions."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from plait.data.dataset import Dataset
from plait.data.history import History
from plait.data.ragged import offsets_of
from plait.features.blockwise_matrices import sample_items

__all__ = [
    "interaction_matrix",
    "mean_co_items",
    "user_histories",
]


def user_histories(dataset: Dataset) -> History:
    """Arrange the interactions of a data set as one history a user.

    Args:
        dataset: the data set.

    Returns:
        `dataset.n_users` histories by user number; the arrays are not copied.
    """
    interactions = dataset.interactions
    counts = np.bincount(interactions.users, minlength=dataset.n_users)
    return History(offsets_of(counts), interactions.items, interactions.times, interactions.weights)


def interaction_matrix(dataset: Dataset, *, weighted: bool = False) -> sparse.csr_matrix:
    """Mark which user interacted with which item.

    Args:
        dataset: the data set.
        weighted: whether an entry is the sum of the weights of the interactions.

    Returns:
        float32 CSR [n_users, n_items]: 1 where there is at least one interaction, or the weight.
    """
    interactions = dataset.interactions
    weights = interactions.weights if weighted else np.ones(len(interactions), np.float32)
    shape = (dataset.n_users, dataset.n_items)
    matrix = sparse.csr_matrix((weights, (interactions.users, interactions.items)), shape=shape)
    if not weighted:
        matrix.data[:] = 1
    return matrix


def mean_co_items(matrix: sparse.csr_matrix, limit: int) -> float:
    """Estimate how many items share a user with an item.

    Args:
        matrix: CSR [users, n], as from `interaction_matrix`.
        limit: larger counts count as this one.

    Returns:
        The mean over a sample of the items with an event; 0 without one.
    """
    sample = sample_items(np.bincount(matrix.indices, minlength=matrix.shape[1]))
    if not len(sample):
        return 0.0
    counts = np.diff((matrix[:, sample].T.tocsr() @ matrix).indptr)
    return float(np.minimum(counts, limit).mean())
