"""Retrieves candidates of every model; deeper, where a list of products needs more items."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from plait.data.array_types import Int32Array
from plait.data.query import QueryBatch
from plait.pipeline.stage import Retriever

__all__ = ["retrieve"]

_GROWTH = 4
"""By how much a model retrieves more where its candidates are too few products."""


def retrieve(
    retrievers: Sequence[tuple[str, Retriever]],
    queries: QueryBatch,
    depth: int,
    watch: Callable[[str, float], None],
) -> dict[str, Int32Array]:
    """Retrieve candidates of every model.

    Args:
        retrievers: The models with their names.
        queries: B queries, limited. Where they have `groups`, a model whose candidates belong to
            fewer than k groups retrieves more of them.
        depth: How many candidates a model retrieves.
        watch: Called with the seconds that each model took.

    Returns:
        By model, int32 [B, K], best first, padded with -1.
    """
    retrieved: dict[str, Int32Array] = {}
    for name, model in retrievers:
        start = time.perf_counter()
        numbers = model.retrieve(queries, depth).item_numbers
        model_depth = depth
        while _has_too_few_groups(queries, numbers, model_depth):
            model_depth *= _GROWTH
            numbers = model.retrieve(queries, model_depth).item_numbers
        watch(f"{name}.retrieve", time.perf_counter() - start)
        retrieved[name] = numbers
    return retrieved


def _has_too_few_groups(queries: QueryBatch, numbers: Int32Array, depth: int) -> bool:
    """Whether a list that could be longer has items of fewer than k groups."""
    if queries.groups is None or numbers.shape[1] < depth:
        return False
    is_full = (numbers[:, :depth] >= 0).all(axis=1)
    groups = np.sort(queries.groups.of_items(numbers[is_full]), axis=1)
    n_groups = 1 + (groups[:, 1:] != groups[:, :-1]).sum(axis=1)
    return bool((n_groups < queries.k).any())
