"""A history of any length costs its newest events; what a user knows stays exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.state import interaction_index as module
from plait.state.interaction_index import InteractionIndex, InteractionRows, SortedRun
from tests.state.test_interaction_index import ROW, as_rows, naive, row_tuples


@pytest.fixture(autouse=True, scope="module")
def short_is_long():
    before, module.LONG_HISTORY = module.LONG_HISTORY, 3
    yield
    module.LONG_HISTORY = before


def indexed(batches):
    index = InteractionIndex()
    for number, batch in enumerate(batches):
        index = index.with_rows(as_rows(batch))
        if number % 2:
            index = index.compacted(InteractionRows.empty())
    return index, [row for batch in batches for row in batch]


@settings(deadline=None)
@given(st.lists(st.lists(ROW, max_size=30), max_size=6), st.integers(1, 9))
def test_newest_rows_are_the_end_of_the_whole_history(batches, most):
    index, listed = indexed(batches)
    users = np.array([*range(8), -1], np.int32)
    offsets, rows = index.batch_rows(users, most)
    for place, user in enumerate(users.tolist()):
        times = [row[2] for row in naive(listed, user)][-most:]
        alone = index.user_rows(user, most)
        part = InteractionRows(*(column[offsets[place] : offsets[place + 1]] for column in rows))
        assert [row[2] for row in row_tuples(alone)] == times
        assert row_tuples(part) == row_tuples(alone)
        assert set(row_tuples(alone)) <= set(naive(listed, user))


@settings(deadline=None)
@given(st.lists(st.lists(ROW, max_size=30), max_size=6))
def test_distinct_rows_hold_the_newest_of_each_item_and_event_type(batches):
    index, listed = indexed(batches)
    for user in range(8):
        newest = {(item, kind): time for item, kind, time in naive(listed, user)}
        rows = row_tuples(index.distinct_rows([user]))
        assert set(rows) <= set(naive(listed, user))
        latest = {}
        for item, kind, time in rows:
            latest[item, kind] = max(time, latest.get((item, kind), time))
        assert latest == newest


def test_distinct_rows_of_a_run_have_no_repetitions():
    run = SortedRun.from_rows(as_rows([(1, 7, 0, time) for time in range(100)]))
    assert row_tuples(InteractionIndex((run,)).distinct_rows([1])) == [(7, 0, 99)]
