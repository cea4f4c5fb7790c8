"""Closed-form linear models: EASE (Steck, WWW 2019) and its order-aware sister.

With `order`, the ridge regression of EASE predicts the ordered, distance-aware pairs of
`plait.models.item_item.cooccurrence` instead of the plain ones, in the line of SLIST (Choi et al.,
WWW 2021): (X'X + l2 I)^-1 C. Without, it is EASE, diagonal zero. Both less the negative weights:
only the largest positive entries of each row are kept.

`method` says how the regression is solved. "dense" inverts: at most three float32 matrices of n
items squared, beside 8 bytes for every pair of items that share a user, and above `most_items` only
that many of the most popular items take part; the others are unknown to this strand (NaN), which
fusion handles. "sparse" predicts each item from the `among` items that come with it most
(`plait.models.item_item.sparse_ridge`): time and memory grow with n, and all items take part.
"auto" is dense up to `most_items` items with an event where half of the machine's memory is enough
for it, and sparse elsewhere. What would not fit into what is free is refused before the start.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg import lapack

from plait.data.types import Dataset, Float32Array
from plait.errors import PlaitError
from plait.features.interactions import densify_if_full, interaction_matrix, mean_co_items
from plait.features.tfidf import largest
from plait.models.item_item.base import ItemItem, ItemItemConfig, kept_bytes
from plait.models.item_item.cooccurrence import pairs
from plait.models.item_item.sparse_ridge import HELD, sparse_ridge
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.search_space import Choice, Range, tunable
from plait.training.memory_budget import SHARE, available_bytes, require_memory, total_bytes

__all__ = ["Linear", "LinearConfig", "dense_needs", "sparse_needs"]

_BLOCK = 1024

_WORK = 64 * 2**20
"""Bytes that "sparse" works in, however few items there are."""


@dataclass(frozen=True, slots=True)
class LinearConfig(ItemItemConfig):
    """What `linear` can be told."""

    basket_decay: float = tunable(0.65, Range(0.2, 1.0), Limit(least=0, most=1))
    """What a basket of the history counts against the one after it."""
    backward: float = tunable(0.3, Range(0.0, 1.0), Limit(least=0))
    """What the earlier item counts for the later one, against the other way round."""
    damp_long_histories: bool = False
    """Whether a user's baskets are divided by the logarithm of how many events the user has."""
    l2: float = tunable(200.0, Range(5.0, 5000.0, log=True), Limit(above=0))
    """The strength of the ridge."""
    order_aware: bool = tunable(True, Choice((True, False)))
    """Predict ordered pairs; false: EASE, less its negative weights and all but the `neighbours`
    largest of each row."""
    method: Literal["auto", "dense", "sparse"] = "auto"
    """How the regression is solved: "dense" inverts, "sparse" solves many small systems; "auto":
    dense up to `most_items` where half of the machine's memory is enough for it."""
    max_dense_items: int = bounded_field(25_000, Limit(least=1))
    """So many items at most are inverted for, the most popular: 25,000 need 7.5 GB in a fit, and
    more where most items share a user."""
    max_predictors: int = bounded_field(100, Limit(least=1))
    """From how many items, those that come with it most, "sparse" predicts each item."""


_WHAT = "fitting `linear`"
_HINTS = {
    "method": "leave `linear` out of the recipe: no setting of it makes this smaller",
    "content_smoothing": "set content_smoothing to 0",
}


class Linear(ItemItem[LinearConfig]):
    """Scores by a linear map of the history that is found in closed form."""

    Config = LinearConfig
    test_variants = (
        {"order_aware": False},
        {"method": "dense", "max_dense_items": 10},
        {"method": "sparse", "max_predictors": 4},
        {"content_smoothing": 0.5, "content": {"min_df": 1}},
    )

    def _matrix(self, dataset: Dataset) -> Float32Array | sparse.csr_matrix:
        taken = interaction_matrix(dataset)
        counts = np.asarray(taken.sum(axis=0)).ravel()
        chosen = np.nonzero(counts)[0]
        if self._is_sparse(taken[:, chosen]):
            require_memory(sparse_needs(taken, self.config), _WHAT, hints=_HINTS)
            return sparse_ridge(
                dataset,
                self.config,
                l2=self.config.l2,
                among=self.config.max_predictors,
                order=self.config.order_aware,
            )
        if len(chosen) > self.config.max_dense_items:
            order = np.lexsort((dataset.catalogue.tiebreak, -counts))
            chosen = np.sort(order[: self.config.max_dense_items])
        needs = dense_needs(taken[:, chosen], self.config)
        fitting = int(
            len(chosen) * (SHARE * available_bytes() / max(sum(needs.values()), 1)) ** 0.5
        )
        hints = {"max_dense_items": f'set method = "sparse", or max_dense_items below {fitting}'}
        require_memory(needs, _WHAT, hints=hints)
        inverse = _inverse(taken[:, chosen], self.config.l2)
        if self.config.order_aware:
            learned = _times(inverse, pairs(dataset, self.config)[chosen][:, chosen])
        else:
            learned = inverse
            learned /= -np.diag(inverse).copy()
            np.fill_diagonal(learned, 0)
        if len(chosen) == dataset.n_items:
            return learned
        return _spread(learned, chosen, dataset.catalogue.tiebreak, self.config.top_k)

    def _is_sparse(self, taken: sparse.csr_matrix) -> bool:
        """Of "auto" the same on a machine whatever else it does: refits are to be alike."""
        if self.config.method != "auto":
            return bool(self.config.method == "sparse")
        if taken.shape[1] > self.config.max_dense_items:
            return True
        return 2 * sum(dense_needs(taken, self.config).values()) > total_bytes()


def dense_needs(taken: sparse.csr_matrix, config: LinearConfig) -> dict[str, int]:
    """Bytes by setting, roughly, of a fit that inverts for the items of `taken` [users, n].

    What is left at the end is one square, so that its largest entries are found in the room of the
    other two where order counts.
    """
    size = taken.shape[1]
    squares = 4 * size**2 * (3 if config.order_aware else 1 + bool(config.content_smoothing))
    met = size * mean_co_items(taken, size)
    return {
        "max_dense_items": int(squares + 8 * met) + (0 if config.order_aware else kept_bytes(size))
    }


def sparse_needs(taken: sparse.csr_matrix, config: LinearConfig) -> dict[str, int]:
    """Bytes by setting, roughly, of a fit that solves a small system for each item.

    What is held of X'X is there five times while it is mirrored; then come the systems' solutions,
    and where something is lent, in the room of the former, full rows.
    """
    size = taken.shape[1]
    held = int(5 * 8 * size * mean_co_items(taken, 2 * HELD))  # equals are held beyond HELD
    return {
        "method": held + _WORK,
        "max_predictors": 3 * 8 * size * min(config.max_predictors, size),
        "content_smoothing": max(kept_bytes(size) - held, 0) if config.content_smoothing else 0,
    }


def _inverse(taken: sparse.csr_matrix, l2: float) -> Float32Array:
    """float32 [n, n]: (X'X + l2 I)^-1 by Cholesky, in place.

    Raises PlaitError if the matrix is not positive definite (an l2 of zero).
    """
    size = taken.shape[1]
    if not size:
        return np.zeros((0, 0), np.float32)
    gram = (taken.T @ taken).toarray(order="F").astype(np.float32, copy=False)
    gram[np.diag_indices(size)] += np.float32(l2)
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise PlaitError("linear: the ridge is too weak to invert", hint="raise l2")
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    for start in range(0, size, _BLOCK):  # mirror the lower triangle, block by block
        stop = min(start + _BLOCK, size)
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        square = inverse[start:stop, start:stop]
        upper = np.triu_indices(stop - start, 1)
        square[upper] = square.T[upper]
    mirrored: Float32Array = inverse
    return mirrored


def _times(inverse: Float32Array, targets: sparse.csr_matrix) -> Float32Array:
    """The symmetric `inverse` times the pairs; sparse products by halves, a thread each."""
    thick = densify_if_full(targets)
    if not sparse.issparse(thick):
        product: Float32Array = inverse @ thick
        return product
    turned = targets.T.tocsr()
    result = np.empty(inverse.shape, np.float32)
    half = inverse.shape[0] // 2

    def fill(start: int, stop: int) -> None:
        # Turned it is the same, and need not be copied: a sparse product wants rows in one piece.
        result[:, start:stop] = (turned[start:stop] @ inverse.T).T

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, (0, half), (half, inverse.shape[0])))
    return result


def _spread(
    learned: Float32Array, chosen: np.ndarray, ties: npt.NDArray[np.uint64], keep: int
) -> sparse.csr_matrix:
    """The matrix of the chosen items in the numbering of all."""
    shape = (len(ties), len(ties))
    if not len(chosen):
        return sparse.csr_matrix(shape, dtype=np.float32)
    parts = (learned[start : start + _BLOCK] for start in range(0, len(chosen), _BLOCK))
    small = sparse.vstack([largest(one, keep, ties[chosen]) for one in parts]).tocsr()
    rows = np.repeat(chosen, np.diff(small.indptr))
    return sparse.csr_matrix((small.data, (rows, chosen[small.indices])), shape=shape)
