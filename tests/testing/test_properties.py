"""Properties that hold for any queries, for every model that retrieves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.ragged import Ragged
from plait.data.types import History, QueryBatch
from plait.pipeline.stage import Retriever
from plait.testing import conformance
from plait.testing.stage_case import Answers, dataset_of, same

MODELS = [case for case in conformance.stage_cases() if isinstance(case.stage(), Retriever)]
N_ITEMS = dataset_of("market").n_items

event = st.tuples(st.integers(0, 6), st.integers(0, N_ITEMS + 2))  # a day and an item
query = st.tuples(
    st.lists(event, max_size=8),
    st.lists(st.integers(0, N_ITEMS + 2), max_size=2),
    st.sampled_from([None, None, "rose seed", "kettel", "zebra", "?"]),
)


def batch(queries):
    rows = [sorted(events) for events, _, _ in queries]
    events = [event for row in rows for event in row]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    history = History(
        offsets,
        np.array([item for _, item in events], np.int32),
        np.array([day for day, _ in events], np.int64),
        np.ones(len(events), np.float32),
    )
    return replace(
        QueryBatch.of_histories(history),
        items=Ragged.from_rows([items for _, items, _ in queries]),
        texts=tuple(text for _, _, text in queries),
    )


@pytest.mark.parametrize("case", MODELS, ids=str)
@settings(max_examples=20, deadline=None)
@given(drawn=st.lists(query, min_size=1, max_size=5))
def test_batch_equals_single_for_any_queries(case, drawn):
    stage = case.fitted("market")
    queries = batch(drawn)
    numbers = np.tile(np.arange(-1, N_ITEMS + 3, dtype=np.int32), (len(queries), 1))
    together = Answers.of(stage, queries, numbers, N_ITEMS)
    for row in range(len(queries)):
        single = Answers.of(stage, queries.slice(row, row + 1), numbers[:1], N_ITEMS)
        assert same(single.scores, together.scores[row : row + 1], 1e-5)
        assert set(single.candidates[0]) - {-1} == set(together.candidates[row]) - {-1}


@pytest.mark.parametrize("case", MODELS, ids=str)
@settings(max_examples=20, deadline=None)
@given(first=query, second=query)
def test_another_query_of_the_batch_changes_no_score(case, first, second):
    stage = case.fitted("market")
    numbers = np.tile(np.arange(N_ITEMS, dtype=np.int32), (2, 1))
    beside_second = stage.score(batch([first, second]), numbers)[:1]
    beside_itself = stage.score(batch([first, first]), numbers)[:1]
    assert same(beside_second, beside_itself, 1e-5)
