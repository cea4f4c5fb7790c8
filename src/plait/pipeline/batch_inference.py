"""Many queries through a pipeline: in batches, by a few threads, in bounded memory.

numpy and scipy release the interpreter's lock where the work is, so two threads use two cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from plait.data.types import ABSENT, CandidateLists, QueryBatch

__all__ = ["WORKERS", "batch_size", "concat_candidates", "in_batches", "n_active_threads"]

Found = TypeVar("Found")

WORKERS = 2
"""Threads that answer batches."""

CELLS = 1 << 22
"""How large a dense score matrix of one batch may become, in cells."""


def batch_size(n_items: int) -> int:
    """How many queries go together against a catalogue of `n_items`."""
    return max(16, min(512, CELLS // max(n_items, 1)))


def in_batches(
    queries: QueryBatch,
    work: Callable[[int, QueryBatch], Found],
    *,
    size: int,
    workers: int = WORKERS,
) -> Iterator[tuple[int, Found]]:
    """`work(start, piece)` for pieces of at most `size` queries, in order, with their starts."""
    waiting: deque[tuple[int, Future[Found]]] = deque()
    with ThreadPoolExecutor(workers, "plait-batch") as pool:
        for start, piece in queries.batches(size):
            waiting.append((start, pool.submit(work, start, piece)))
            if len(waiting) > workers:
                begin, done = waiting.popleft()
                yield begin, done.result()
        for begin, done in waiting:
            yield begin, done.result()


def n_active_threads(queries: int, size: int) -> int:
    """How many threads work at a time on so many queries in pieces of `size`."""
    return max(1, min(WORKERS, -(-queries // size)))


def concat_candidates(parts: list[CandidateLists]) -> CandidateLists:
    """Batches of candidate lists as one, padded to the widest: -1, and NaN in float columns.

    Empties `parts`, so that the whole is never held twice.
    """
    if not parts:
        return CandidateLists(np.zeros((0, 0), np.int32))
    width = max(part.shape[1] for part in parts)
    numbers = _padded([part.item_numbers for part in parts], width)
    columns = [dict(part.columns) for part in parts]
    names = [name for name in columns[0] if all(name in one for one in columns)]
    parts.clear()
    whole = {name: _padded([one.pop(name) for one in columns], width) for name in names}
    return CandidateLists(numbers, whole)


def _padded(parts: list[np.ndarray], width: int) -> np.ndarray:
    kind = parts[0].dtype
    filler: Any = np.nan if kind.kind == "f" else kind.type(0) if kind.kind == "b" else ABSENT
    whole = np.full((sum(len(part) for part in parts), width), filler, kind)
    start = 0
    for part in parts:
        whole[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return whole
