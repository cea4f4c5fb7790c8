"""From histories to sparse matrices: who took what, decayed towards the past."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.types import ABSENT, Dataset, Float32Array, History, Int32Array, QueryBatch
from plait.features.blockwise import sample_items
from plait.pipeline.array_files import read_arrays, write_arrays

__all__ = [
    "densify_if_full",
    "interaction_matrix",
    "mean_co_items",
    "query_history",
    "read_matrix",
    "top_contributor",
    "write_matrix",
]

_HEAVIEST = 64
"""So many items of a history can be the reason for another: the rest weigh next to nothing."""

_THICK = 0.03
"""The share of entries from which on a matrix counts as dense."""


def query_history(queries: QueryBatch) -> History:
    """What the question starts from: its anchor items where it has some, else the history.

    So that "more like this" is one road with recommendation.
    """
    if not len(queries.items.values):
        return queries.history
    lengths = queries.items.lengths
    old = queries.history.filter(np.repeat(lengths == 0, queries.history.lengths))
    rows = np.concatenate([old.rows, queries.items.rows])
    order = np.argsort(rows, kind="stable")
    more = len(queries.items.values)
    counts = old.lengths + lengths
    return History(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([old.items, queries.items.values])[order],
        np.concatenate([old.times, np.zeros(more, np.int64)])[order],
        np.concatenate([old.weights, np.ones(more, np.float32)])[order],
    )


def interaction_matrix(dataset: Dataset) -> sparse.csr_matrix:
    """float32 CSR [n_users, n_items]: 1 where a user took an item at least once."""
    found = dataset.interactions
    ones = np.ones(len(found), np.float32)
    shape = (dataset.n_users, dataset.n_items)
    matrix = sparse.csr_matrix((ones, (found.users, found.items)), shape=shape)
    matrix.data[:] = 1
    return matrix


def mean_co_items(taken: sparse.csr_matrix, most: int) -> float:
    """With how many items an item shares a user on average, `most` at most: of items with an event,
    asked of a few.
    """
    some = sample_items(np.bincount(taken.indices, minlength=taken.shape[1]))
    if not len(some):
        return 0.0
    met = np.diff((taken[:, some].T.tocsr() @ taken).indptr)
    return float(np.minimum(met, most).mean())


def top_contributor(
    matrix: sparse.csr_matrix, mine: Int32Array, worth: Float32Array, wanted: Int32Array
) -> Int32Array:
    """For each of the columns `wanted` the row among `mine` that speaks loudest there, or -1.

    Rows count times their `worth`; only the heaviest are asked.
    """
    if len(mine) > _HEAVIEST:
        heavy = np.argpartition(worth, len(worth) - _HEAVIEST)[-_HEAVIEST:]
        mine, worth = mine[heavy], worth[heavy]
    starts = matrix.indptr[mine].astype(np.int64)
    lengths = matrix.indptr[mine + 1] - starts
    before = np.cumsum(lengths) - lengths
    flat = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
    column = np.full(matrix.shape[1], ABSENT, np.int64)
    column[wanted] = np.arange(len(wanted))
    at = column[matrix.indices[flat]]
    hit = np.flatnonzero(at >= 0)
    owner = np.repeat(np.arange(len(mine)), lengths)[hit]
    order = np.argsort(matrix.data[flat[hit]] * worth[owner], kind="stable")
    best = np.full(len(wanted), ABSENT, np.int64)
    best[at[hit[order]]] = owner[order]  # the last one written is the loudest
    return np.where(best >= 0, mine[best], ABSENT).astype(np.int32)


def densify_if_full(matrix: Any) -> Any:
    """The same matrix, dense where it is filled so far that dense products are the faster ones."""
    if not sparse.issparse(matrix) or matrix.nnz < _THICK * matrix.shape[0] * matrix.shape[1]:
        return matrix
    return matrix.toarray()


def write_matrix(path: Path, matrix: sparse.csr_matrix) -> None:
    """Write a CSR matrix."""
    shape = np.array(matrix.shape, np.int64)
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
    write_arrays(path, {**parts, "shape": shape})


def read_matrix(path: Path) -> sparse.csr_matrix:
    """Map a CSR matrix."""
    found = read_arrays(path)
    shape = tuple(int(one) for one in found["shape"])
    parts = (found["data"], found["indices"], found["indptr"])
    return sparse.csr_matrix(parts, shape=shape, copy=False)
