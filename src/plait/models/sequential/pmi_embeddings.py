"""Initial item vectors from co-occurrence: factorised pointwise mutual information.

The pointwise mutual information of pairs is what word2vec factorises implicitly (Levy & Goldberg,
NeurIPS 2014; item2vec: Barkan & Koenigstein, MLSP 2016). Here it is the logarithm of one plus the
lift, which is never negative and 0 for pairs that never occur. Its leading eigenvectors take
seconds to compute and save a network about half of its epochs.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from plait.data.array_types import Float32Array
from plait.data.dataset import Dataset
from plait.features.item_vocabulary import Vocabulary
from plait.models.item_item.cooccurrence_counts import PairConfig, cooccurrence_matrix

__all__ = ["pmi_embeddings"]

_PAIRS = 50_000_000
"""About this many pairs are counted: with more events the window around each is smaller."""


def pmi_embeddings(dataset: Dataset, items: Vocabulary, dim: int, seed: int) -> Float32Array:
    """Compute a vector of length 1 for each item.

    Args:
        dataset: The interactions.
        items: The items, in the order of the result.
        dim: The size of a vector.
        seed: Seed of the start vector of the eigenvalue solver.

    Returns:
        float32 [m, dim]: zero for items that occur with no other, and in the dimensions that a
        small catalogue does not fill.
    """
    embeddings = np.zeros((len(items), dim), np.float32)
    pmi = _pmi(dataset, items)
    rank = min(dim, len(items) - 1)
    if rank < 1 or not pmi.nnz:
        return embeddings
    start = np.random.default_rng(seed).random(len(items)).astype(np.float32)
    values, axes = eigsh(pmi, rank, which="LA", v0=start)
    # The axis of an eigenvalue near zero is noise; a negative one separates items.
    vectors = axes * np.sqrt(np.where(values > 1e-4 * values.max(), values, 0))
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    has_vector = (norms > 1e-6 * norms.max()) & (np.diff(pmi.indptr) > 0)[:, None]
    normalized = np.divide(vectors, norms, out=np.zeros_like(vectors), where=has_vector)
    embeddings[:, :rank] = normalized
    return embeddings


def _pmi(dataset: Dataset, items: Vocabulary) -> sparse.csr_matrix:
    """float32 CSR [m, m]: log(1 + lift), the lift being co-occurrence over its expectation."""
    window = int(np.clip(_PAIRS // max(len(dataset.interactions), 1), 1, PairConfig().window))
    counts = cooccurrence_matrix(dataset, PairConfig(window=window))
    counts = counts[items.numbers][:, items.numbers]
    symmetric = (counts + counts.T).tocsr()
    symmetric.sort_indices()  # the order of sums decides the axes of equal eigenvalues
    totals = np.asarray(symmetric.sum(axis=1), np.float64).ravel()
    inverse = sparse.diags_array(1 / np.maximum(totals, 1e-12))
    lift = (inverse @ symmetric @ inverse * totals.sum()).tocsr()
    lift.data = np.log1p(lift.data).astype(np.float32)
    lift.eliminate_zeros()
    return lift.astype(np.float32)
