"""Vectors of users and items from who took what, by the library implicit, and the fold-in of both.

A user is solved anew from the history of the question, known or not: one step of alternating least
squares (Hu, Koren & Volinsky, ICDM 2008) with item vectors as they are,

    (Y'Y + sum (c - 1) y y' + l2 I) x = sum c y

over the items y of the history, c being their confidence. So an event counts the moment it is
folded in. For BPR (Rendle et al., UAI 2009) the same step stands in, since BPR has no fold-in of
its own: it asks for the vector that gives the history high scores and everything else low ones, by
squares instead of ranks and with the item biases as one more direction. On Amazon Beauty that ranks
better than the vectors that BPR had learned for its users, on MovieLens 100K worse.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from scipy import sparse

from plait.data.types import Dataset, Float32Array, Int64Array
from plait.errors import MissingExtraError
from plait.features.interactions import interaction_matrix
from plait.features.sparse_rows import SparseRows
from plait.features.vocabulary import stable_order
from plait.training.memory_budget import require_memory

__all__ = ["FactorSpace", "bpr", "folded", "ials", "ordered"]

_RIDGE = 1.0
"""The ridge with which BPR's users are solved."""


@dataclass(frozen=True, slots=True, eq=False)
class FactorSpace:
    """Item vectors Y float32 [n, D], NaN for items without an event, and `solved` [n, D]: the same
    times (Y'Y + l2 I)^-1.
    """

    items: Float32Array
    solved: Float32Array

    @staticmethod
    def blank() -> FactorSpace:
        """Knows nothing."""
        none = np.zeros((0, 1), np.float32)
        return FactorSpace(none, none)

    @staticmethod
    def of(dataset: Dataset, rows: Int64Array, vectors: Float32Array, l2: float) -> FactorSpace:
        """From the vectors of the items `rows`."""
        items, solved = (
            np.full((dataset.n_items, vectors.shape[1]), np.nan, np.float32) for _ in range(2)
        )
        items[rows] = vectors
        gram = vectors.T @ vectors + np.float32(l2) * np.eye(vectors.shape[1], dtype=np.float32)
        solved[rows] = vectors @ np.linalg.inv(gram.astype(np.float64)).astype(np.float32)
        return FactorSpace(items, solved)


def ordered(dataset: Dataset) -> tuple[sparse.csr_matrix, Int64Array]:
    """Who took what, CSR [users, items] of ones, and the numbers of its columns.

    Only users and items with an event, in the order of `tiebreak`: libraries deal out random
    numbers by row.
    """
    found = dataset.interactions
    items = stable_order(found.items, dataset.catalogue)
    users = stable_order(found.users, dataset.users)
    matrix = interaction_matrix(dataset)[users][:, items]
    matrix.sort_indices()
    return matrix, items


def ials(
    dataset: Dataset, *, factors: int, iterations: int, l2: float, alpha: float, seed: int
) -> FactorSpace:
    """Implicit alternating least squares; an event has confidence `alpha`.

    Raises MissingExtraError where implicit is not installed.
    """
    matrix, rows = ordered(dataset)
    if not matrix.nnz:
        return FactorSpace.blank()
    _check_room(matrix, factors)
    with _implicit():
        from implicit.cpu.als import AlternatingLeastSquares

        model = AlternatingLeastSquares(
            factors=factors,
            regularization=l2,
            alpha=alpha,
            iterations=iterations,
            random_state=seed,
            use_cg=True,
        )
        model.fit(matrix, show_progress=False)
    return FactorSpace.of(dataset, rows, model.item_factors, l2)


def bpr(
    dataset: Dataset, *, factors: int, iterations: int, l2: float, learning_rate: float, seed: int
) -> FactorSpace:
    """Bayesian personalised ranking; one thread, so that it comes out the same each time.

    Raises MissingExtraError where implicit is not installed.
    """
    matrix, rows = ordered(dataset)
    if not matrix.nnz or matrix.shape[1] < 2:
        return FactorSpace.blank()
    _check_room(matrix, factors)
    with _implicit():
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=factors,
            regularization=l2,
            learning_rate=learning_rate,
            iterations=iterations,
            random_state=seed,
            num_threads=1,
        )
        model.fit(matrix, show_progress=False)
        return FactorSpace.of(dataset, rows, model.item_factors, _RIDGE)


def _check_room(matrix: sparse.csr_matrix, factors: int) -> None:
    """InputError where the vectors, and their products with each other, do not fit into memory."""
    numbers = 2 * sum(matrix.shape) * factors + 3 * factors**2
    require_memory({"factors": 4 * numbers}, "fitting `factors`")


def folded(space: FactorSpace, taken: SparseRows, *, alpha: float) -> Float32Array:
    """float32 [B, D]: the users who took `taken` over all items, weights times `alpha` being the
    confidence; NaN where a history holds no item with a vector.

    With M the items of a history, c their confidence, C its diagonal and G = Y'Y + l2 I,
    (G + M'(C - I)M)^-1 M'c = G^-1 M' (I + (C - I) M G^-1 M')^-1 c: a system as small as a history.
    Or, for long ones, (I + G^-1 M'(C - I)M)^-1 G^-1 M'c, as small as a vector.
    """
    found = np.full((len(taken), space.items.shape[1]), np.nan, np.float32)
    known = taken.where(~np.isnan(space.items[taken.columns, 0])).sum_duplicates()
    bounds = known.offsets.tolist()
    for row, (low, high) in enumerate(itertools.pairwise(bounds)):
        if high > low:
            items = known.columns[low:high]
            sure = np.float32(alpha) * known.weights[low:high]
            solved, rest = space.solved[items], (sure - 1)[:, None]
            if len(items) <= solved.shape[1]:
                left = np.eye(len(items)) + rest * (space.items[items] @ solved.T)
                found[row] = np.linalg.solve(left, sure) @ solved
            else:
                left = np.eye(solved.shape[1]) + solved.T @ (rest * space.items[items])
                found[row] = np.linalg.solve(left, solved.T @ sure)
    return found


@contextmanager
def _implicit() -> Iterator[None]:
    """One BLAS thread while implicit works: it has threads of its own and warns of others."""
    if find_spec("implicit") is None:
        raise MissingExtraError("factors", "factors")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield
