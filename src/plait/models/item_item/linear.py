"""Closed-form linear models: EASE (Steck, WWW 2019) and an order-aware variant.

With `order_aware`, the ridge regression of EASE predicts ordered, distance-aware pairs
(`plait.models.item_item.cooccurrence_counts`) instead of plain ones, after SLIST
(Choi et al., WWW 2021): (X'X + l2 I)^-1 C. Where users have many events it predicts the next
baskets Y from the weighted sum F of those before, at every step of every history
(`plait.models.item_item.history_steps`): (F'F + l2 I)^-1 F'Y. Without `order_aware` it is EASE,
diagonal zero. All drop negative weights and keep only the largest positive entries of each row.

`method` sets how the regression is solved. "dense" inverts: at most three float32 matrices of n
items squared, beside 8 bytes for every pair of items that share a user; beyond `max_dense_items`
only the most popular items take part, and the others are unknown to the model (NaN). "sparse"
predicts each item from the `max_predictors` items that occur with it most
(`plait.models.item_item.sparse_ridge`): time and memory grow with n, and all items take part.
"auto" is dense up to `auto_dense_items` items with an event if half of the machine's memory is
enough, and sparse otherwise: the time of an inverse grows with the cube of n. A fit that needs more
than the free memory is refused at its start.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from plait.data.array_types import Float32Array, Int64Array, UInt64Array
from plait.data.dataset import Dataset
from plait.features.interactions import interaction_matrix, mean_co_items
from plait.features.sparse_topk import row_topk
from plait.models.item_item.base import ItemItem, ItemItemConfig
from plait.models.item_item.cooccurrence_counts import cooccurrence_matrix
from plait.models.item_item.history_steps import HistorySteps
from plait.models.item_item.largest_entries import densify_if_full, topk_bytes
from plait.models.item_item.sparse_ridge import (
    GRAM_ROW_ENTRIES,
    SparseRidgeConfig,
    singular_matrix,
    sparse_ridge,
)
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.search_space import Choice, Range, tunable
from plait.training.memory_budget import SHARE, available_bytes, require_memory, total_bytes

__all__ = [
    "Linear",
    "LinearConfig",
    "dense_needs",
    "predicts_steps",
    "regularized_inverse",
    "sparse_needs",
    "step_needs",
]

_BLOCK = 1024

_STEPS_HINT = 'set regression = "pairs"'

_SPARSE_OVERHEAD = 64 * 2**20
"""Bytes that "sparse" takes for any number of items."""


@dataclass(frozen=True, slots=True)
class LinearConfig(ItemItemConfig):
    """Settings of `linear`."""

    basket_decay: float = tunable(0.65, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history, relative to the one after it."""
    backward: float = tunable(0.3, Range(0.0, 1.0), Limit(least=0))
    """The weight of the earlier item for the later one, relative to the other way round."""
    damp_long_histories: bool = False
    """Whether a user's baskets are divided by the logarithm of how many events the user has."""
    l2: float = tunable(200.0, Range(5.0, 5000.0, log=True), Limit(above=0))
    """The strength of the ridge."""
    order_aware: bool = tunable(True, Choice((True, False)))
    """Predict what comes next; false: EASE, without its negative weights and with the `top_k`
    largest of each row only."""
    regression: Literal["auto", "pairs", "steps"] = "auto"
    """What is predicted where `order_aware` is true: "pairs", the items around each item; "steps",
    the next baskets from all baskets before; "auto": steps if users have many events."""
    auto_steps_events: float = bounded_field(80.0, Limit(least=0))
    """From how many events a user on average "auto" predicts steps: in short histories there are
    few, and pairs in any order say more."""
    steps_ahead: int = tunable(5, Range(1, 20, log=True), Limit(least=1))
    """How many of the next baskets "steps" predicts."""
    step_discount: float = tunable(0.4, Range(0.1, 1.0), Limit(least=0, most=1))
    """The weight of one of them, relative to the one before it."""
    method: Literal["auto", "dense", "sparse"] = "auto"
    """How the regression is solved: "dense" inverts, "sparse" solves many small systems; "auto":
    dense up to `auto_dense_items` if half of the machine's memory is enough."""
    auto_dense_items: int = bounded_field(5_000, Limit(least=0))
    """Up to how many items with an event "auto" inverts; beyond, the sparse method is a tenth of
    the work and as accurate."""
    max_dense_items: int = bounded_field(25_000, Limit(least=1))
    """How many items, the most popular ones, "dense" fits: 25,000 take 7.5 GB, and more if most
    items share a user."""
    max_predictors: int = bounded_field(100, Limit(least=1))
    """How many items, those that occur with it most, "sparse" predicts each item from."""


class Linear(ItemItem[LinearConfig]):
    """Scores by a linear map of the history that is computed in closed form."""

    Config = LinearConfig
    test_variants = (
        {"order_aware": False},
        {"regression": "steps"},
        {"method": "dense", "max_dense_items": 10},
        {"method": "sparse", "max_predictors": 4},
        {"method": "sparse", "max_predictors": 4, "regression": "steps"},
        {"content_smoothing": 0.5, "content": {"min_df": 1}},
    )

    def _item_matrix(self, dataset: Dataset) -> Float32Array | sparse.csr_matrix:
        interactions = interaction_matrix(dataset)
        counts = np.asarray(interactions.sum(axis=0)).ravel()
        items = np.flatnonzero(counts)
        if self._is_sparse(interactions[:, items]):
            return self._sparse_matrix(dataset, interactions)
        if len(items) > self.config.max_dense_items:
            order = np.lexsort((dataset.catalogue.tiebreak, -counts))
            items = np.sort(order[: self.config.max_dense_items])
        weights = self._dense_weights(dataset, interactions[:, items], items)
        if len(items) == dataset.n_items:
            return weights
        return _renumber(weights, items, dataset.catalogue.tiebreak, self.config.top_k)

    def _is_sparse(self, interactions: sparse.csr_matrix) -> bool:
        """Whether to solve sparsely; "auto" depends on the machine alone, so refits are alike."""
        if self.config.method != "auto":
            return self.config.method == "sparse"
        if interactions.shape[1] > min(self.config.auto_dense_items, self.config.max_dense_items):
            return True
        return 2 * sum(dense_needs(interactions, self.config).values()) > total_bytes()

    def _sparse_matrix(
        self, dataset: Dataset, interactions: sparse.csr_matrix
    ) -> sparse.csr_matrix:
        hints = {
            "method": f"remove `{self.name}` from the recipe: none of its settings saves memory",
            "content_smoothing": "set content_smoothing to 0",
            "max_baskets": _STEPS_HINT,
        }
        needs = sparse_needs(interactions, self.config) | step_needs(dataset, self.config)
        require_memory(needs, f"fitting `{self.name}`", hints=hints)
        ridge = SparseRidgeConfig(
            self.config.l2, self.config.max_predictors, self.config.order_aware, self.name
        )
        return sparse_ridge(dataset, self.config, ridge, steps=self._steps(dataset))

    def _steps(self, dataset: Dataset) -> HistorySteps | None:
        """What is predicted from histories; None where pairs are."""
        config = self.config
        if not predicts_steps(dataset, config):
            return None
        discount = config.step_discount
        return HistorySteps.of(dataset, config, ahead=config.steps_ahead, discount=discount)

    def _dense_weights(
        self, dataset: Dataset, interactions: sparse.csr_matrix, items: Int64Array
    ) -> Float32Array:
        """The weights among some items, float32 [m, m], from their interactions [users, m]."""
        needs = dense_needs(interactions, self.config) | step_needs(dataset, self.config)
        affordable = int(
            len(items) * (SHARE * available_bytes() / max(sum(needs.values()), 1)) ** 0.5
        )
        hint = f'set method = "sparse", or max_dense_items below {affordable}'
        require_memory(
            needs,
            f"fitting `{self.name}`",
            hints={"max_dense_items": hint, "max_baskets": _STEPS_HINT},
        )
        steps = self._steps(dataset)
        if steps is not None:
            histories = steps.histories[:, items]
            inverse = regularized_inverse(histories, self.config.l2, self.name)
            pairs = (histories.T @ steps.targets[:, items]).tocsr()
            pairs.sort_indices()
            return _multiply_symmetric(inverse, pairs)
        weights = regularized_inverse(interactions, self.config.l2, self.name)
        if self.config.order_aware:
            pairs = cooccurrence_matrix(dataset, self.config)[items][:, items]
            return _multiply_symmetric(weights, pairs)
        weights /= -np.diag(weights).copy()
        np.fill_diagonal(weights, 0)
        return weights


def predicts_steps(dataset: Dataset, config: LinearConfig) -> bool:
    """Tell whether the regression predicts the steps of histories.

    Args:
        dataset: the data set.
        config: the settings.
    """
    if not config.order_aware or config.regression == "pairs":
        return False
    is_long = len(dataset.interactions) >= config.auto_steps_events * max(1, dataset.n_users)
    return is_long or config.regression == "steps"


def step_needs(dataset: Dataset, config: LinearConfig) -> dict[str, int]:
    """Estimate the memory of the steps of histories.

    Args:
        dataset: the data set.
        config: the settings.

    Returns:
        Bytes by the setting that they depend on; none where no steps are predicted.
    """
    if not predicts_steps(dataset, config):
        return {}
    return {"max_baskets": HistorySteps.needed_bytes(dataset, config, ahead=config.steps_ahead)}


def dense_needs(interactions: sparse.csr_matrix, config: LinearConfig) -> dict[str, int]:
    """Estimate the memory of a dense fit.

    The result is one square, so that its largest entries are found in the memory of the other two
    if the model is order-aware.

    Args:
        interactions: CSR [users, n], as from `interaction_matrix`.
        config: the settings.

    Returns:
        Bytes by the setting that they depend on.
    """
    size = interactions.shape[1]
    squares = 4 * size**2 * (3 if config.order_aware else 1 + bool(config.content_smoothing))
    gram_entries = size * mean_co_items(interactions, size)
    needed = int(squares + 8 * gram_entries)
    return {"max_dense_items": needed + (0 if config.order_aware else topk_bytes(size))}


def sparse_needs(interactions: sparse.csr_matrix, config: LinearConfig) -> dict[str, int]:
    """Estimate the memory of a sparse fit.

    The entries of X'X exist five times while the matrix is mirrored; then follow the solutions of
    the systems and, with content smoothing, full rows in the memory of the former.

    Args:
        interactions: CSR [users, n], as from `interaction_matrix`.
        config: the settings.

    Returns:
        Bytes by the setting that they depend on.
    """
    size = interactions.shape[1]
    # Ties may double the entries of a row.
    gram_bytes = int(5 * 8 * size * mean_co_items(interactions, 2 * GRAM_ROW_ENTRIES))
    smoothing_bytes = max(topk_bytes(size) - gram_bytes, 0)
    return {
        "method": gram_bytes + _SPARSE_OVERHEAD,
        "max_predictors": 3 * 8 * size * min(config.max_predictors, size),
        "content_smoothing": smoothing_bytes if config.content_smoothing else 0,
    }


def regularized_inverse(
    interactions: sparse.csr_matrix, l2: float, stage_name: str
) -> Float32Array:
    """Compute (X'X + l2 I)^-1 by Cholesky, in place.

    Args:
        interactions: X, CSR [users, n] of ones.
        l2: The strength of the ridge.
        stage_name: The stage that an error names.

    Returns:
        float32 [n, n].

    Raises:
        PlaitError: If the matrix is singular.
    """
    size = interactions.shape[1]
    if not size:
        return np.zeros((0, 0), np.float32)
    gram = (interactions.T @ interactions).toarray(order="F").astype(np.float32, copy=False)
    gram[np.diag_indices(size)] += np.float32(l2)
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise singular_matrix(stage_name)
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    for start in range(0, size, _BLOCK):  # mirror the lower triangle, block by block
        stop = min(start + _BLOCK, size)
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        square = inverse[start:stop, start:stop]
        upper = np.triu_indices(stop - start, 1)
        square[upper] = square.T[upper]
    mirrored: Float32Array = inverse
    return mirrored


def _multiply_symmetric(inverse: Float32Array, targets: sparse.csr_matrix) -> Float32Array:
    """The symmetric `inverse` times `targets`; a sparse product by halves, a thread each."""
    dense = densify_if_full(targets)
    if not sparse.issparse(dense):
        product: Float32Array = inverse @ dense
        return product
    transposed = targets.T.tocsr()
    result = np.empty(inverse.shape, np.float32)
    half = inverse.shape[0] // 2

    def fill(start: int, stop: int) -> None:
        # As a transposed product it needs no copy: sparse products read contiguous rows.
        result[:, start:stop] = (transposed[start:stop] @ inverse.T).T

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, (0, half), (half, inverse.shape[0])))
    return result


def _renumber(
    weights: Float32Array, items: Int64Array, tiebreak: UInt64Array, count: int
) -> sparse.csr_matrix:
    """The largest entries of each row of the weights among some items, in the numbering of all."""
    shape = (len(tiebreak), len(tiebreak))
    if not len(items):
        return sparse.csr_matrix(shape, dtype=np.float32)
    blocks = (weights[start : start + _BLOCK] for start in range(0, len(items), _BLOCK))
    small = sparse.vstack([row_topk(block, count, tiebreak[items]) for block in blocks]).tocsr()
    rows = np.repeat(items, np.diff(small.indptr))
    return sparse.csr_matrix((small.data, (rows, items[small.indices])), shape=shape)
