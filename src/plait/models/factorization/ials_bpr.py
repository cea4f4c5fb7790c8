"""Vectors of users and items from implicit feedback, learned by the library implicit.

A user is solved anew from the history in the query, known or not: one step of alternating least
squares (Hu, Koren & Volinsky, ICDM 2008) with item vectors as they are,

    (Y'Y + sum (c - 1) y y' + l2 I) x = sum c y

over the items y of the history, c being their confidence. So an event counts as soon as it is in
the history. The same step serves BPR (Rendle et al., UAI 2009), which has no such step of its own:
it finds the vector that gives the history high scores and all other items low ones, by squares
instead of ranks and with the item biases as one more dimension. On Amazon Beauty that ranks better
than the vectors that BPR learned for its users, on MovieLens 100K worse.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from scipy import sparse

from plait.data.array_types import Float32Array, Int64Array
from plait.data.dataset import Dataset
from plait.errors import MissingExtraError
from plait.features.interactions import interaction_matrix
from plait.features.item_vocabulary import stable_order
from plait.features.sparse_rows import SparseRows
from plait.training.memory_budget import require_memory

__all__ = ["FactorSpace", "fit_bpr", "fit_ials", "ordered_matrix", "solve_users"]

_RIDGE = 1.0
"""The `l2` with which users of BPR are solved."""


@dataclass(frozen=True, slots=True, eq=False)
class FactorSpace:
    """Item vectors.

    Attributes:
        items: Y, float32 [n, D]; NaN for items without interactions.
        solved: float32 [n, D], Y (Y'Y + l2 I)^-1.
    """

    items: Float32Array
    solved: Float32Array

    @staticmethod
    def empty() -> FactorSpace:
        """Return a space without items."""
        none = np.zeros((0, 1), np.float32)
        return FactorSpace(none, none)

    @staticmethod
    def of(dataset: Dataset, rows: Int64Array, vectors: Float32Array, l2: float) -> FactorSpace:
        """Build a space from the vectors of some items.

        Args:
            dataset: The data of the fit.
            rows: int64 [m], the items.
            vectors: float32 [m, D].
            l2: The ridge with which users are solved.
        """
        shape = (dataset.n_items, vectors.shape[1])
        items, solved = (np.full(shape, np.nan, np.float32) for _ in range(2))
        items[rows] = vectors
        gram = vectors.T @ vectors + np.float32(l2) * np.eye(vectors.shape[1], dtype=np.float32)
        solved[rows] = vectors @ np.linalg.inv(gram.astype(np.float64)).astype(np.float32)
        return FactorSpace(items, solved)


def ordered_matrix(
    dataset: Dataset, *, weighted: bool = False
) -> tuple[sparse.csr_matrix, Int64Array]:
    """Return the interactions of users and items with an event.

    Rows and columns are ordered by the hashes of ids, because libraries draw random numbers by row.

    Args:
        dataset: The data.
        weighted: Whether an entry is the sum of the weights of the events.

    Returns:
        CSR [users, items] of ones or weights, and int64 [items], the item numbers of its columns.
    """
    events = dataset.interactions
    items = stable_order(events.items, dataset.catalogue)
    users = stable_order(events.users, dataset.users)
    matrix = interaction_matrix(dataset, weighted=weighted)[users][:, items]
    matrix.sort_indices()
    return matrix, items


def fit_ials(
    dataset: Dataset,
    *,
    factors: int,
    iterations: int,
    l2: float,
    alpha: float,
    seed: int,
    weighted: bool = False,
    start: FactorSpace | None = None,
) -> FactorSpace:
    """Fit implicit alternating least squares.

    Args:
        dataset: The data.
        factors: Dimensions.
        iterations: Rounds.
        l2: The ridge.
        alpha: The confidence of an event.
        seed: Seed of the initial vectors.
        weighted: Whether confidence is `alpha` times the weights of the events.
        start: An earlier fit whose vectors are the initial ones of its items; None: all are drawn.

    Raises:
        MissingExtraError: implicit is not installed.
        InputError: The vectors do not fit into memory.
    """
    matrix, rows = ordered_matrix(dataset, weighted=weighted)
    if not matrix.nnz:
        return FactorSpace.empty()
    _require_memory(matrix, factors)
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
        if start is not None:
            drawn = np.random.default_rng(seed).random((len(rows), factors), np.float32) * 0.01
            model.item_factors = _from_earlier(start, rows, drawn)
        model.fit(matrix, show_progress=False)
    return FactorSpace.of(dataset, rows, model.item_factors, l2)


def _from_earlier(start: FactorSpace, rows: Int64Array, drawn: Float32Array) -> Float32Array:
    """The vectors of an earlier fit, float32 [m, D]; those of other items are the drawn ones."""
    known = rows < len(start.items)
    known[known] = ~np.isnan(start.items[rows[known], 0])
    drawn[known] = start.items[rows[known]]
    return drawn.astype(np.float32)


def fit_bpr(
    dataset: Dataset,
    *,
    factors: int,
    iterations: int,
    l2: float,
    learning_rate: float,
    seed: int,
    start: FactorSpace | None = None,
) -> FactorSpace:
    """Fit Bayesian personalised ranking, in one thread so that results are reproducible.

    Args:
        dataset: The data.
        factors: Dimensions.
        iterations: Rounds.
        l2: The ridge.
        learning_rate: The step size.
        seed: Seed of the initial vectors and of the sampling.
        start: An earlier fit whose vectors are the initial ones of its items; those of users are
            drawn. None: all are drawn.

    Raises:
        MissingExtraError: implicit is not installed.
        InputError: The vectors do not fit into memory.
    """
    matrix, rows = ordered_matrix(dataset)
    if not matrix.nnz or matrix.shape[1] < 2:
        return FactorSpace.empty()
    _require_memory(matrix, factors)
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
        if start is not None:
            # As implicit draws them; the last dimension is the bias.
            drawn = np.random.default_rng(seed).random((len(rows), factors + 1), np.float32)
            model.item_factors = _from_earlier(
                start, rows, (drawn - np.float32(0.5)) / np.float32(factors)
            )
        model.fit(matrix, show_progress=False)
        return FactorSpace.of(dataset, rows, model.item_factors, _RIDGE)


def _require_memory(matrix: sparse.csr_matrix, factors: int) -> None:
    """Raise InputError if the vectors and their Gram matrices do not fit into memory."""
    numbers = 2 * sum(matrix.shape) * factors + 3 * factors**2
    require_memory({"factors": 4 * numbers}, "fitting `factors`")


def solve_users(space: FactorSpace, history: SparseRows, *, alpha: float) -> Float32Array:
    """Solve the vectors of users from their histories.

    With M the items of a history, c their confidence, C its diagonal and G = Y'Y + l2 I,
    (G + M'(C - I)M)^-1 M'c = G^-1 M' (I + (C - I) M G^-1 M')^-1 c: a system as small as a history.
    Or, for long ones, (I + G^-1 M'(C - I)M)^-1 G^-1 M'c, as small as a vector.

    Args:
        space: The item vectors.
        history: B histories over item numbers.
        alpha: Confidence is the weight of an event times this.

    Returns:
        float32 [B, D]; NaN for histories without an item that has a vector.
    """
    users = np.full((len(history), space.items.shape[1]), np.nan, np.float32)
    known = history.where(~np.isnan(space.items[history.columns, 0])).sum_duplicates()
    for row, (low, high) in enumerate(itertools.pairwise(known.offsets.tolist())):
        if high > low:
            items = known.columns[low:high]
            confidence = np.float32(alpha) * known.weights[low:high]
            solved, excess = space.solved[items], (confidence - 1)[:, None]
            if len(items) <= solved.shape[1]:
                left = np.eye(len(items)) + excess * (space.items[items] @ solved.T)
                users[row] = np.linalg.solve(left, confidence) @ solved
            else:
                left = np.eye(solved.shape[1]) + solved.T @ (excess * space.items[items])
                users[row] = np.linalg.solve(left, solved.T @ confidence)
    return users


@contextmanager
def _implicit() -> Iterator[None]:
    """One BLAS thread while implicit works: it has threads of its own and warns about others."""
    if find_spec("implicit") is None:
        raise MissingExtraError("factors", "factors")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield
