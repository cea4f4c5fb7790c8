"""Matrices of items by items, made a block of rows at a time.

So that no matrix of items squared is ever whole in memory: whoever reads a block keeps little of
it. A block is so small that what is met on the way to it is bounded too, and blocks do not depend
on each other, so that threads may share them: nothing in them goes by how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plait.data.types import BoolArray, Int32Array, Int64Array

__all__ = [
    "blocks",
    "filter_entries",
    "gram_top_entries",
    "map_blocks",
    "row_topk_mask",
    "rows_of",
    "sample_items",
]

_ASKED = 256

Unsigned = npt.NDArray[np.unsignedinteger]

_ITEMS = 512
_EVENTS = 1 << 17
"""So many items at most in a block, and so many events, where it is not a single item's."""


def blocks(events: Int64Array) -> list[slice]:
    """The items cut into ranges, `events` [n] being how many each has."""
    ends = np.cumsum(events)
    found: list[slice] = []
    start = 0
    while start < len(ends):
        room = int(ends[start] - events[start]) + _EVENTS
        full = int(np.searchsorted(ends, room, side="right"))
        stop = min(max(full, start + 1), start + _ITEMS, len(ends))
        found.append(slice(start, stop))
        start = stop
    return found


def sample_items(events: Int64Array) -> Int64Array:
    """At most `_ASKED` of the items with an event, from the rarest to the most popular.

    `events` [n]: how many each has. What is true of all follows, roughly, from what is of these.
    """
    ranked = np.argsort(events, kind="stable")[np.count_nonzero(events == 0) :]
    count = min(len(ranked), _ASKED)
    return ranked[np.linspace(0, len(ranked) - 1, count).astype(np.int64)]


def map_blocks(
    work: Callable[[slice], sparse.csr_matrix], parts: Sequence[slice], threads: int
) -> sparse.csr_matrix:
    """The rows that `work` makes of every block, below each other; [0, 0] without a block."""
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(work, parts))
    return sparse.vstack(found).tocsr() if found else sparse.csr_matrix((0, 0), dtype=np.float32)


def gram_top_entries(taken: sparse.csr_matrix, held: int, *, threads: int = 1) -> sparse.csr_matrix:
    """float32 CSR [n, n]: X'X of zeros and ones `taken` [users, n], symmetric; about the `held`
    largest entries of every row, and the diagonal.
    """
    turned = taken.T.tocsr()

    def rows(block: slice) -> sparse.csr_matrix:
        counts = (turned[block] @ taken).tocsr()
        kept = row_topk_mask(counts, held)
        kept |= counts.indices == rows_of(counts) + block.start
        return filter_entries(counts, kept)

    found = map_blocks(rows, blocks(np.diff(turned.indptr)), threads)
    mirrored = found.T.tocsr()  # turning a matrix also sorts its rows, and in linear time
    return mirrored.T.tocsr().maximum(mirrored)


def row_topk_mask(
    matrix: sparse.csr_matrix, count: int, among_equals: Unsigned | None = None
) -> BoolArray:
    """Which entries are the `count` largest of their row, bool [nnz].

    With `among_equals` [columns], unsigned, the smallest there are taken of what equals the last of
    them. Without, all of those, or where they are more than as many again, none: rows stay bounded,
    and which entries stay does not go by how columns are numbered.
    """
    if count < 1:
        return np.zeros(matrix.nnz, np.bool_)
    kept = np.ones(matrix.nnz, np.bool_)
    for row in np.flatnonzero(np.diff(matrix.indptr) > count).tolist():
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values = matrix.data[part]
        border = np.partition(values, len(values) - count)[len(values) - count]
        found = values >= border
        spare = np.count_nonzero(found) - count
        if spare and among_equals is not None:
            equal = np.flatnonzero(values == border)
            order = np.argsort(among_equals[matrix.indices[part][equal]], kind="stable")
            found[equal[order[-spare:]]] = False
        elif spare > count:
            found = values > border
        kept[part] = found
    return kept


def filter_entries(matrix: sparse.csr_matrix, kept: BoolArray) -> sparse.csr_matrix:
    """The entries of a matrix that are `kept` [nnz], in the same order."""
    before = np.concatenate([[0], np.cumsum(kept)])
    parts = (matrix.data[kept], matrix.indices[kept], before[matrix.indptr])
    return sparse.csr_matrix(parts, shape=matrix.shape)


def rows_of(matrix: sparse.csr_matrix) -> Int32Array:
    """The row of every entry, int32 [nnz]."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
