"""How much the items of one list differ: by what their fields say, else by who took them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import sparse

from plait.data.types import BoolArray, Dataset
from plait.features.tfidf import Tfidf, TfidfConfig, l2_normalize_rows
from plait.metrics.beyond_accuracy import ExposureChances
from plait.metrics.ties import Doubles

__all__ = ["Likeness", "diversity", "likeness"]


class Likeness(NamedTuple):
    """What says how alike two items are: its vectors CSR [n_items, V], of length 1 or 0, and these
    lengths, float64 [n_items].
    """

    by: Literal["fields", "users"]
    vectors: sparse.csr_matrix
    lengths: Doubles

    @staticmethod
    def of(by: Literal["fields", "users"], vectors: sparse.csr_matrix) -> Likeness:
        """From vectors of length 1 or 0."""
        exact = vectors.astype(np.float64).tocsr()
        return Likeness(by, exact, (np.diff(exact.indptr) > 0).astype(np.float64))


def likeness(dataset: Dataset) -> Likeness:
    """TF-IDF over the categories and sets of items; over their texts where they have no others.

    Without any of these, two items are as alike as the sets of users who took them.
    """
    types = dataset.catalogue.types()
    labels = tuple(name for name, kind in types.items() if kind in ("category", "set"))
    words = tuple(name for name, kind in types.items() if kind == "text")
    if labels or words:
        config = TfidfConfig(fields=labels or words, bigram_weight=0.0, max_df=1.0)
        _, vectors = Tfidf.fit(config, dataset.catalogue)
        if vectors.nnz:
            return Likeness.of("fields", vectors)
    found = dataset.interactions
    shape = (dataset.n_items, dataset.n_users)
    ones = np.ones(len(found), np.float32)
    taken = sparse.csr_matrix((ones, (found.items, found.users)), shape=shape)
    taken.data[:] = 1
    return Likeness.of("users", l2_normalize_rows(taken))


def diversity(part: ExposureChances, alike: Likeness, batch: int) -> Doubles:
    """1 - the mean cosine of two items of a list, float64 [batch]; NaN below two items.

    Nothing is like an item of which nothing is known. In expectation over ties: each of e items of
    the group at the border is shown with the chance m / e, two of them with that of
    m (m - 1) / (e (e - 1)). Smyth and McClave, "Similarity vs. diversity" (2001).
    """
    sure = part.chances >= 1
    firm = _summed(part, sure, alike, batch)
    loose = _summed(part, ~sure, alike, batch)
    chance = np.ones(batch)
    chance[part.rows[~sure]] = part.chances[~sure]
    crowd = np.bincount(part.rows[~sure], minlength=batch)
    both = chance * np.maximum(crowd * chance - 1, 0) / np.maximum(crowd - 1, 1)
    cosines = (
        _pairs(firm, part, sure, alike)
        + both * _pairs(loose, part, ~sure, alike)
        + chance * np.asarray(firm.multiply(loose).sum(axis=1)).ravel()
    )
    length = np.round(np.bincount(part.rows, part.chances, batch))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Doubles = 1 - cosines / (length * (length - 1) / 2)
    found[length < 2] = np.nan
    return found


def _summed(
    part: ExposureChances, kept: BoolArray, alike: Likeness, batch: int
) -> sparse.csr_matrix:
    """The sum of the vectors of what each list shows, CSR [batch, V]."""
    rows, items = part.rows[kept], part.items[kept]
    shape = (batch, alike.vectors.shape[0])
    return sparse.csr_matrix((np.ones(len(rows)), (rows, items)), shape=shape) @ alike.vectors


def _pairs(
    summed: sparse.csr_matrix, part: ExposureChances, kept: BoolArray, alike: Likeness
) -> Doubles:
    """The sum of the cosines of all pairs among the kept items of each list, float64 [batch]."""
    own = np.bincount(part.rows[kept], alike.lengths[part.items[kept]], summed.shape[0])
    squares = summed.multiply(summed).sum(axis=1)
    found: Doubles = (np.asarray(squares).ravel() - own) / 2
    return found
