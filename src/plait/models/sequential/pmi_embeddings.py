"""Vectors that item tables start from: what comes with what, factorised.

The pointwise mutual information of pairs is what word2vec factorises in silence (Levy & Goldberg,
NeurIPS 2014; item2vec: Barkan & Koenigstein, MLSP 2016); here the logarithm of one plus the lift,
which is never negative and is 0 for pairs that never were. Its leading eigenvectors take seconds
and save a network about half of its epochs.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from plait.data.types import Dataset, Float32Array
from plait.features.vocabulary import Vocabulary
from plait.models.item_item.cooccurrence import PairConfig, cooccurrence_matrix

__all__ = ["pmi_embeddings"]

_PAIRS = 50_000_000
"""About so many pairs are counted: with more events fewer baskets around each are looked at."""


def pmi_embeddings(dataset: Dataset, items: Vocabulary, dim: int, seed: int) -> Float32Array:
    """float32 [m, dim]: a vector of length one for each item of `items`, in its order.

    Zero for items that come with no other, and in the places that a small catalogue leaves over.
    """
    found = np.zeros((len(items), dim), np.float32)
    about = _information(dataset, items)
    rank = min(dim, len(items) - 1)
    if rank < 1 or not about.nnz:
        return found
    begin = np.random.default_rng(seed).random(len(items)).astype(np.float32)
    values, axes = eigsh(about, rank, which="LA", v0=begin)
    # An eigenvalue that is nothing has an axis that is noise; below zero it tells who is apart.
    vectors = axes * np.sqrt(np.where(values > 1e-4 * values.max(), values, 0))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    there = (lengths > 1e-6 * lengths.max()) & (np.diff(about.indptr) > 0)[:, None]
    found[:, :rank] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=there)
    return found


def _information(dataset: Dataset, items: Vocabulary) -> sparse.csr_matrix:
    """float32 CSR [m, m]: log(1 + how much oftener than by chance two items come together)."""
    window = int(np.clip(_PAIRS // max(len(dataset.interactions), 1), 1, PairConfig().window))
    counted = cooccurrence_matrix(dataset, PairConfig(window=window))[items.numbers][
        :, items.numbers
    ]
    both = (counted + counted.T).tocsr()
    both.sort_indices()  # sums and products go by this order, and the axes of equals by their noise
    often = np.asarray(both.sum(axis=1), np.float64).ravel()
    shares = sparse.diags_array(1 / np.maximum(often, 1e-12))
    lift = (shares @ both @ shares * often.sum()).tocsr()
    lift.data = np.log1p(lift.data).astype(np.float32)
    lift.eliminate_zeros()
    return lift.astype(np.float32)
