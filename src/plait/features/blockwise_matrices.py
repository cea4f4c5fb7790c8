"""Item-by-item matrices, computed a block of rows at a time.

The whole square is never in memory: the caller keeps few entries of every block. Blocks are small
enough to bound intermediate results as well, and independent of each other, so that the result
does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse

from plait.data.array_types import Int64Array
from plait.features.sparse_topk import filter_entries, row_topk_mask, rows_of

__all__ = ["blocks", "gram_top_entries", "map_blocks", "sample_items"]

_SAMPLE_SIZE = 256

_BLOCK_ITEMS = 512
_BLOCK_EVENTS = 1 << 17
"""The most items in a block, and the most events in a block of several items."""


def blocks(event_counts: Int64Array) -> list[slice]:
    """Cut the items into ranges of bounded work.

    Args:
        event_counts: int64 [n], the events of each item.

    Returns:
        Consecutive ranges that cover all items.
    """
    ends = np.cumsum(event_counts)
    ranges: list[slice] = []
    start = 0
    while start < len(ends):
        limit = int(ends[start] - event_counts[start]) + _BLOCK_EVENTS
        full = int(np.searchsorted(ends, limit, side="right"))
        stop = min(max(full, start + 1), start + _BLOCK_ITEMS, len(ends))
        ranges.append(slice(start, stop))
        start = stop
    return ranges


def sample_items(event_counts: Int64Array) -> Int64Array:
    """Choose up to 256 items with an event, evenly spaced by popularity.

    Args:
        event_counts: int64 [n], the events of each item.

    Returns:
        int64 item numbers, from the rarest to the most popular.
    """
    ranked = np.argsort(event_counts, kind="stable")[np.count_nonzero(event_counts == 0) :]
    count = min(len(ranked), _SAMPLE_SIZE)
    return ranked[np.linspace(0, len(ranked) - 1, count).astype(np.int64)]


def map_blocks(
    compute: Callable[[slice], sparse.csr_matrix], ranges: Sequence[slice], threads: int
) -> sparse.csr_matrix:
    """Compute blocks of rows in threads and stack them.

    Args:
        compute: returns the rows of a range.
        ranges: the ranges, in the order of the rows.
        threads: the number of threads.

    Returns:
        The rows of all ranges; CSR [0, 0] without a range.
    """
    with ThreadPoolExecutor(threads) as pool:
        computed = list(pool.map(compute, ranges))
    if not computed:
        return sparse.csr_matrix((0, 0), dtype=np.float32)
    return sparse.vstack(computed).tocsr()


def gram_top_entries(
    matrix: sparse.csr_matrix, count: int, *, threads: int = 1
) -> sparse.csr_matrix:
    """Compute the largest entries of each row of X'X.

    Args:
        matrix: X, CSR [users, n] of zeros and ones.
        count: how many entries of a row to keep, approximately (see `row_topk_mask`).
        threads: the number of threads.

    Returns:
        float32 CSR [n, n], symmetric, with the whole diagonal.
    """
    transposed = matrix.T.tocsr()

    def top_entries(block: slice) -> sparse.csr_matrix:
        counts = (transposed[block] @ matrix).tocsr()
        mask = row_topk_mask(counts, count)
        mask |= counts.indices == rows_of(counts) + block.start
        return filter_entries(counts, mask)

    gram = map_blocks(top_entries, blocks(np.diff(transposed.indptr)), threads)
    mirrored = gram.T.tocsr()  # transposing also sorts the rows, in linear time
    return mirrored.T.tocsr().maximum(mirrored)
