"""Runs many queries in batches, by a few threads, in bounded memory.

numpy and scipy release the interpreter's lock during their work, so that two threads use two cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from plait.data.types import ABSENT, CandidateLists, QueryBatch

__all__ = ["WORKERS", "batch_size", "concat_candidates", "in_batches", "n_active_threads"]

Result = TypeVar("Result")

WORKERS = 2
"""The number of threads that process batches."""

CELLS = 1 << 22
"""How many cells the dense score matrix of one batch has at most."""


def batch_size(n_items: int) -> int:
    """The number of queries in a batch.

    Args:
        n_items: The number of items in the catalogue.
    """
    return max(16, min(512, CELLS // max(n_items, 1)))


def in_batches(
    queries: QueryBatch,
    work: Callable[[int, QueryBatch], Result],
    *,
    size: int,
    workers: int = WORKERS,
) -> Iterator[tuple[int, Result]]:
    """Process queries in batches.

    Args:
        queries: The queries.
        work: Called with the position of a batch's first query and the batch.
        size: The number of queries in a batch.
        workers: The number of threads.

    Yields:
        The position of each batch's first query and the result of `work`, in order.
    """
    pending: deque[tuple[int, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers, "plait-batch") as pool:
        for start, batch in queries.batches(size):
            pending.append((start, pool.submit(work, start, batch)))
            if len(pending) > workers:
                first, future = pending.popleft()
                yield first, future.result()
        for first, future in pending:
            yield first, future.result()


def n_active_threads(queries: int, size: int) -> int:
    """The number of threads that work at the same time.

    Args:
        queries: The number of queries.
        size: The number of queries in a batch.
    """
    return max(1, min(WORKERS, -(-queries // size)))


def concat_candidates(batches: list[CandidateLists]) -> CandidateLists:
    """Concatenate batches of candidate lists, padded to the widest.

    Args:
        batches: The batches; the list is emptied, so that its content is not held twice.

    Returns:
        The candidate lists with the columns that all batches have; padding is -1, or NaN in columns
        of floats.
    """
    if not batches:
        return CandidateLists(np.zeros((0, 0), np.int32))
    width = max(batch.shape[1] for batch in batches)
    numbers = _concat_padded([batch.item_numbers for batch in batches], width)
    columns = [dict(batch.columns) for batch in batches]
    names = [name for name in columns[0] if all(name in others for others in columns)]
    batches.clear()
    return CandidateLists(
        numbers,
        {name: _concat_padded([batch.pop(name) for batch in columns], width) for name in names},
    )


def _concat_padded(arrays: list[np.ndarray], width: int) -> np.ndarray:
    dtype = arrays[0].dtype
    filler: Any = np.nan if dtype.kind == "f" else dtype.type(0) if dtype.kind == "b" else ABSENT
    result = np.full((sum(map(len, arrays)), width), filler, dtype)
    start = 0
    for array in arrays:
        result[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return result
