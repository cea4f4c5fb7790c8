"""Diversity of the items in a list, by their fields or by the users who interacted with them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import sparse

from plait.data.array_types import BoolArray, Float64Array
from plait.data.types import Dataset
from plait.features.tfidf import Tfidf, TfidfConfig, l2_normalize_rows
from plait.metrics.beyond_accuracy import ExposureChances

__all__ = ["ItemSimilarity", "diversity", "item_similarity"]


class ItemSimilarity(NamedTuple):
    """Item vectors whose dot products are similarities.

    Attributes:
        by: What the vectors come from.
        vectors: CSR [n_items, V], rows of length 1 or 0.
        lengths: float64 [n_items], the length of each row.
    """

    by: Literal["fields", "users"]
    vectors: sparse.csr_matrix
    lengths: Float64Array

    @staticmethod
    def of(by: Literal["fields", "users"], vectors: sparse.csr_matrix) -> ItemSimilarity:
        """Build from normalised vectors.

        Args:
            by: What the vectors come from.
            vectors: CSR [n_items, V], rows of length 1 or 0.

        Returns:
            The similarity, with float64 vectors.
        """
        exact = vectors.astype(np.float64).tocsr()
        return ItemSimilarity(by, exact, (np.diff(exact.indptr) > 0).astype(np.float64))


def item_similarity(dataset: Dataset) -> ItemSimilarity:
    """Compute the similarity of items by TF-IDF over categories and sets, else over texts.

    Args:
        dataset: Catalogue and interactions.

    Returns:
        Similarity by fields; by the sets of users of each item where there are no such fields.
    """
    types = dataset.catalogue.types()
    labels = tuple(name for name, kind in types.items() if kind in ("category", "set"))
    texts = tuple(name for name, kind in types.items() if kind == "text")
    if labels or texts:
        config = TfidfConfig(fields=labels or texts, bigram_weight=0.0, max_df=1.0)
        _, vectors = Tfidf.fit(config, dataset.catalogue)
        if vectors.nnz:
            return ItemSimilarity.of("fields", vectors)
    events = dataset.interactions
    ones = np.ones(len(events), np.float32)
    shape = (dataset.n_items, dataset.n_users)
    users = sparse.csr_matrix((ones, (events.items, events.users)), shape=shape)
    users.data[:] = 1
    return ItemSimilarity.of("users", l2_normalize_rows(users))


def diversity(shown: ExposureChances, similarity: ItemSimilarity, batch: int) -> Float64Array:
    """Compute one less the mean cosine of two items of a list (Smyth and McClave, "Similarity vs.
    diversity", 2001), in expectation over ties.

    An item without a vector is similar to no other. Of a tie of e items at the border of which m
    are shown, an item is shown with chance m / e and a pair with m (m - 1) / (e (e - 1)).

    Args:
        shown: The chances of items to be shown, by list.
        similarity: Vectors of the items.
        batch: Number of lists B.

    Returns:
        float64 [B], NaN for lists of fewer than two items.
    """
    certain = shown.chances >= 1
    sum_certain = _vector_sums(shown, certain, similarity, batch)
    sum_tied = _vector_sums(shown, ~certain, similarity, batch)
    chance = np.ones(batch)
    chance[shown.rows[~certain]] = shown.chances[~certain]
    n_tied = np.bincount(shown.rows[~certain], minlength=batch)
    pair_chance = chance * np.maximum(n_tied * chance - 1, 0) / np.maximum(n_tied - 1, 1)
    cosines = (
        _pair_cosines(sum_certain, shown, certain, similarity)
        + pair_chance * _pair_cosines(sum_tied, shown, ~certain, similarity)
        + chance * np.asarray(sum_certain.multiply(sum_tied).sum(axis=1)).ravel()
    )
    length = np.round(np.bincount(shown.rows, shown.chances, batch))
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Float64Array = 1 - cosines / (length * (length - 1) / 2)
    result[length < 2] = np.nan
    return result


def _vector_sums(
    shown: ExposureChances, mask: BoolArray, similarity: ItemSimilarity, batch: int
) -> sparse.csr_matrix:
    """The sum of the vectors of the masked items of each list, CSR [batch, V]."""
    rows, items = shown.rows[mask], shown.items[mask]
    shape = (batch, similarity.vectors.shape[0])
    return sparse.csr_matrix((np.ones(len(rows)), (rows, items)), shape=shape) @ similarity.vectors


def _pair_cosines(
    sums: sparse.csr_matrix, shown: ExposureChances, mask: BoolArray, similarity: ItemSimilarity
) -> Float64Array:
    """The sum of the cosines of all pairs among the masked items of each list, float64 [batch]."""
    own = np.bincount(shown.rows[mask], similarity.lengths[shown.items[mask]], sums.shape[0])
    squares = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    cosines: Float64Array = (squares - own) / 2
    return cosines
