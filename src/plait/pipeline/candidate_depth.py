"""Retrieves deeper where the candidates of a model are variants of too few products."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import Int32Array
from plait.data.query_batch import QueryBatch
from plait.pipeline.stage_calls import Retrieve

__all__ = ["with_enough_groups"]

_GROWTH = 4
"""By how much a model retrieves more where its candidates are too few products."""


def with_enough_groups(
    retrieve: Retrieve, queries: QueryBatch, numbers: Int32Array, depth: int
) -> Int32Array:
    """Retrieve more candidates while a full list belongs to fewer than k groups.

    Args:
        retrieve: The function of the model that retrieved.
        queries: B queries, limited, with their groups.
        numbers: What it retrieved, int32 [B, depth or less], padded with -1.
        depth: How many candidates it was asked for.

    Returns:
        int32 [B, K]: `numbers`, or a longer list.
    """
    groups = queries.groups
    while groups is not None and numbers.shape[1] >= depth:
        is_full = (numbers[:, :depth] >= 0).all(axis=1)
        own_groups = np.sort(groups.of_items(numbers[is_full]), axis=1)
        n_groups = 1 + (own_groups[:, 1:] != own_groups[:, :-1]).sum(axis=1)
        if not (n_groups < queries.k).any():
            break
        depth *= _GROWTH
        numbers = retrieve(queries, depth).item_numbers
    return numbers
