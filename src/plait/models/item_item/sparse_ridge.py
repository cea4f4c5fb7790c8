"""Ridge regressions of few predictors each: linear models of catalogues too large to invert.

After SLIM (Ning and Karypis, ICDM 2011) and the sparse approximation of EASE by Steck (NeurIPS
2019): each item is predicted from the items that occur with it most, relative to their popularity.
If the predictors of an item include all items that occur with it, the result is the dense solution.
Memory and time grow with the number of items, not with its square; events are read block by block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from plait.data.array_types import Float32Array, Int32Array, Int64Array, UInt64Array
from plait.data.dataset import Dataset
from plait.errors import PlaitError
from plait.features.blockwise_matrices import blocks, gram_top_entries, map_blocks
from plait.features.interactions import interaction_matrix
from plait.features.sparse_topk import filter_entries, row_topk_mask, rows_of
from plait.models.item_item.cooccurrence_counts import CooccurrenceCounts, PairConfig
from plait.models.item_item.history_steps import HistorySteps

__all__ = ["GRAM_ROW_ENTRIES", "SparseRidgeConfig", "singular_matrix", "sparse_ridge"]

_BATCH_CELLS = 1 << 19
"""How many entries of small matrices are solved at a time: few enough to stay in the cache."""

GRAM_ROW_ENTRIES = 400
"""How many entries of each row of X'X are kept, the largest; the others count as zero."""


class SparseRidgeConfig(NamedTuple):
    """Settings of the regressions.

    Attributes:
        l2: the strength of the ridge.
        max_predictors: how many items each item is predicted from, beside itself.
        order_aware: predict ordered pairs, from the item itself too; else EASE, which does not.
        stage_name: the name of the stage in error messages.
    """

    l2: float
    max_predictors: int
    order_aware: bool
    stage_name: str = "linear"


def sparse_ridge(
    dataset: Dataset,
    pair_config: PairConfig,
    config: SparseRidgeConfig,
    *,
    steps: HistorySteps | None = None,
    threads: int = 2,
) -> sparse.csr_matrix:
    """Fit a ridge regression for each item.

    Args:
        dataset: the data set.
        pair_config: how ordered pairs are counted.
        config: the settings of the regressions.
        steps: what to predict from histories; None: pairs.
        threads: the number of threads, on which the result does not depend.

    Returns:
        float32 CSR [n, n], the weight of the row's item for the column's.

    Raises:
        PlaitError: if a matrix is singular, because `l2` is too small.
    """
    rows = interaction_matrix(dataset) if steps is None else steps.histories
    gram = gram_top_entries(rows, GRAM_ROW_ENTRIES, threads=threads)
    target_rows: Callable[[slice], sparse.csr_matrix] = gram.__getitem__
    if steps is not None:
        target_rows = steps.target_rows
    elif config.order_aware:
        target_rows = CooccurrenceCounts.of(dataset, pair_config).transposed.rows
    regressions = _Regressions.of(gram, dataset.catalogue.tiebreak, config)

    def solve(block: slice) -> sparse.csr_matrix:
        return regressions.solve(target_rows(block), block.start)

    event_counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
    return map_blocks(solve, blocks(event_counts), threads).T.tocsr()


def singular_matrix(stage_name: str) -> PlaitError:
    """Make the error of a Gram matrix that cannot be inverted.

    Args:
        stage_name: the name of the stage in the recipe.

    Returns:
        The error, to be raised.
    """
    return PlaitError(f"{stage_name}: the Gram matrix is singular", hint="increase `l2`")


@dataclass(frozen=True, slots=True, eq=False)
class _Regressions:
    """The regressions on one Gram matrix.

    Attributes:
        half: CSR [n, n], every pair of items of the Gram matrix once.
        scale: float32 [n], one over the root of the users of each item.
        tiebreak: uint64 [n], which of equally strong predictors is chosen.
        config: the settings.
    """

    half: sparse.csr_matrix
    scale: Float32Array
    tiebreak: UInt64Array
    config: SparseRidgeConfig

    @staticmethod
    def of(
        gram: sparse.csr_matrix, tiebreak: UInt64Array, config: SparseRidgeConfig
    ) -> _Regressions:
        counts = gram.diagonal()
        scale = (1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32)
        return _Regressions(_half_of_pairs(gram, counts), scale, tiebreak, config)

    def solve(self, targets: sparse.csr_matrix, start: int) -> sparse.csr_matrix:
        """CSR [block, n]: the weights that predict `targets`, the items from `start` on."""
        predictors = self._choose_predictors(targets, start)
        order = np.argsort(np.diff(predictors.indptr), kind="stable")  # batches of like lengths
        predictors = predictors[order]
        lengths = np.diff(predictors.indptr)
        weights, stop = np.zeros(predictors.nnz, np.float32), len(order)
        while stop and lengths[stop - 1]:
            width, n_items = int(lengths[stop - 1]), predictors.shape[1]
            batch_rows = max(1, _BATCH_CELLS // max(width**2, n_items // 16))
            first = max(0, stop - batch_rows)
            entries = slice(predictors.indptr[first], predictors.indptr[stop])
            weights[entries] = self._solve_batch(predictors[first:stop])
            stop = first
        solved = (weights, predictors.indices, predictors.indptr)
        return sparse.csr_matrix(solved, shape=predictors.shape)[np.argsort(order)]

    def _choose_predictors(self, targets: sparse.csr_matrix, start: int) -> sparse.csr_matrix:
        """The entries of `targets` at the items that predict each row, sorted."""
        rows, columns = rows_of(targets), targets.indices
        is_own = columns == rows + start
        strength = np.where(is_own, 0, targets.data * self.scale[columns])
        ranked = sparse.csr_matrix((strength, columns, targets.indptr), shape=targets.shape)
        mask = row_topk_mask(ranked, self.config.max_predictors, self.tiebreak) & ~is_own
        rows, columns, values = rows[mask], columns[mask], targets.data[mask]
        if self.config.order_aware:
            own = np.arange(targets.shape[0])
            rows = np.concatenate([rows, own])
            columns = np.concatenate([columns, own + start])
            values = np.concatenate([values, targets.diagonal(start)])
        return sparse.csr_matrix((values, (rows, columns)), shape=targets.shape)

    def _solve_batch(self, predictors: sparse.csr_matrix) -> Float32Array:
        """float32 [nnz]: the ridge weights of the entries; each row is a system of its own."""
        lengths = np.diff(predictors.indptr)
        diagonal = np.arange(lengths.max())
        rows = rows_of(predictors)
        positions = np.arange(predictors.nnz) - predictors.indptr[rows]
        systems = _gram_blocks(predictors, rows, positions, self.half)
        # Short rows are padded with unknowns of an identity matrix.
        systems[:, diagonal, diagonal] += np.where(diagonal < lengths[:, None], self.config.l2, 1)
        right = np.zeros(systems.shape[:2], np.float32)
        right[rows, positions] = predictors.data
        try:
            solutions = np.linalg.solve(systems, right[:, :, None])
        except np.linalg.LinAlgError as problem:
            raise singular_matrix(self.config.stage_name) from problem
        weights: Float32Array = solutions[rows, positions, 0]
        return weights


def _half_of_pairs(gram: sparse.csr_matrix, counts: Float32Array) -> sparse.csr_matrix:
    """A symmetric matrix with every pair once, in the row of the rarer item.

    A popular item occurs with more items than a row keeps, and its row is read often too.
    """
    rank = np.empty(len(counts), np.int32)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    return filter_entries(gram, rank[rows_of(gram)] <= rank[gram.indices])


def _gram_blocks(
    predictors: sparse.csr_matrix, rows: Int32Array, positions: Int64Array, half: sparse.csr_matrix
) -> Float32Array:
    """float32 [rows, width, width]: the Gram matrix among the predictors of each row.

    Whole rows of `half` are read in one sweep; a table holds the position of every item among the
    predictors of a row. To look up the few entries needed is many times slower.
    """
    count, n_items = predictors.shape
    table = np.full(count * n_items, -1, np.int32)
    starts = rows * np.int64(n_items)
    table[starts + predictors.indices] = positions
    gram_rows = half[predictors.indices]
    other_positions = table.take(np.repeat(starts, np.diff(gram_rows.indptr)) + gram_rows.indices)
    hits = np.flatnonzero(other_positions >= 0)
    owners = rows_of(gram_rows)[hits]
    system, first, second = rows[owners], positions[owners], other_positions[hits]
    width = int(positions.max()) + 1
    gram_blocks = np.zeros((count, width, width), np.float32)
    gram_blocks[system, first, second] = gram_blocks[system, second, first] = gram_rows.data[hits]
    return gram_blocks
