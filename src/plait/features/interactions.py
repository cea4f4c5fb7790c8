"""From histories to matrices of users by items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.array_types import ABSENT, Float32Array, Int32Array
from plait.data.dataset import Dataset
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.data.ragged import offsets_of
from plait.features.blockwise import sample_items
from plait.pipeline.array_files import read_arrays, write_arrays

__all__ = [
    "densify_if_full",
    "interaction_matrix",
    "mean_co_items",
    "query_history",
    "read_matrix",
    "top_contributor",
    "user_histories",
    "write_matrix",
]

_MAX_CONTRIBUTORS = 64
"""The most items of a history that are considered as an explanation: the heaviest ones."""

_DENSE_SHARE = 0.03
"""The share of entries from which on dense products are faster."""


def query_history(queries: QueryBatch) -> History:
    """Choose what each query starts from: its seed items if it has any, else its history.

    Args:
        queries: B queries.

    Returns:
        B histories. Seed items have time 0 and weight 1.
    """
    if not len(queries.items.values):
        return queries.history
    lengths = queries.items.lengths
    past = queries.history.filter(np.repeat(lengths == 0, queries.history.lengths))
    order = np.argsort(np.concatenate([past.rows, queries.items.rows]), kind="stable")
    n_seeds = len(queries.items.values)
    return History(
        offsets_of(past.lengths + lengths),
        np.concatenate([past.items, queries.items.values])[order],
        np.concatenate([past.times, np.zeros(n_seeds, np.int64)])[order],
        np.concatenate([past.weights, np.ones(n_seeds, np.float32)])[order],
    )


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


def interaction_matrix(dataset: Dataset) -> sparse.csr_matrix:
    """Mark which user interacted with which item.

    Args:
        dataset: the data set.

    Returns:
        float32 CSR [n_users, n_items]: 1 where there is at least one interaction.
    """
    interactions = dataset.interactions
    ones = np.ones(len(interactions), np.float32)
    shape = (dataset.n_users, dataset.n_items)
    matrix = sparse.csr_matrix((ones, (interactions.users, interactions.items)), shape=shape)
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


def top_contributor(
    matrix: sparse.csr_matrix, rows: Int32Array, weights: Float32Array, columns: Int32Array
) -> Int32Array:
    """Find the row that contributes most to each column of a weighted sum of rows.

    Args:
        matrix: CSR [n, m].
        rows: int32 [R], the rows of the sum; of more than 64 only the heaviest are considered.
        weights: float32 [R], their weights.
        columns: int32 [C], the columns to explain.

    Returns:
        int32 [C], one of `rows`, or -1 where none of them has an entry.
    """
    if len(rows) > _MAX_CONTRIBUTORS:
        heaviest = np.argpartition(weights, len(weights) - _MAX_CONTRIBUTORS)[-_MAX_CONTRIBUTORS:]
        rows, weights = rows[heaviest], weights[heaviest]
    starts = matrix.indptr[rows].astype(np.int64)
    lengths = matrix.indptr[rows + 1] - starts
    entries = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    entries += np.arange(int(lengths.sum()))
    positions = np.full(matrix.shape[1], ABSENT, np.int64)
    positions[columns] = np.arange(len(columns))
    column_positions = positions[matrix.indices[entries]]
    hits = np.flatnonzero(column_positions >= 0)
    owners = np.repeat(np.arange(len(rows)), lengths)[hits]
    order = np.argsort(matrix.data[entries[hits]] * weights[owners], kind="stable")
    best = np.full(len(columns), ABSENT, np.int64)
    best[column_positions[hits[order]]] = owners[order]  # the last one written is the largest
    return np.where(best >= 0, rows[best], ABSENT).astype(np.int32)


def densify_if_full(matrix: Any) -> Any:
    """Convert a sparse matrix to a dense one where dense products are faster.

    Args:
        matrix: sparse or dense.

    Returns:
        A dense array if at least 3 % of the entries are set, else the same matrix.
    """
    if not sparse.issparse(matrix) or matrix.nnz < _DENSE_SHARE * matrix.shape[0] * matrix.shape[1]:
        return matrix
    return matrix.toarray()


def write_matrix(path: Path, matrix: sparse.csr_matrix) -> None:
    """Write a CSR matrix.

    Args:
        path: a safetensors file.
        matrix: the matrix.
    """
    shape = np.array(matrix.shape, np.int64)
    arrays = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
    write_arrays(path, {**arrays, "shape": shape})


def read_matrix(path: Path) -> sparse.csr_matrix:
    """Map a CSR matrix that `write_matrix` wrote.

    Args:
        path: the file.

    Returns:
        The matrix; its arrays are mapped, read-only.

    Raises:
        BundleError: if the file cannot be read.
    """
    arrays = read_arrays(path)
    entries = (arrays["data"], arrays["indices"], arrays["indptr"])
    return sparse.csr_matrix(entries, shape=tuple(arrays["shape"].tolist()), copy=False)
