"""Batches of queries: what models start from."""

from dataclasses import replace

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import History, QueryBatch

HISTORY = History(
    np.array([0, 2, 3, 3]),
    np.array([5, 6, 7], np.int32),
    np.array([10, 20, 30]),
    np.array([1, 2, 3], np.float32),
)


def test_effective_history_is_the_history_where_no_query_has_items():
    assert QueryBatch.of_histories(HISTORY).effective_history is HISTORY


def test_effective_history_replaces_the_history_of_queries_with_items():
    items = Ragged.from_rows([[], [8, 9], [4]])
    history = replace(QueryBatch.of_histories(HISTORY), items=items).effective_history
    assert history.offsets.tolist() == [0, 2, 4, 5]
    assert history.items.tolist() == [5, 6, 8, 9, 4]
    assert history.times.tolist() == [10, 20, 0, 0, 0]
    assert history.weights.tolist() == [1, 2, 1, 1, 1]
