"""What holds for any questions: drawn by hypothesis, for every strand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.ragged import Ragged
from plait.data.types import History, QueryBatch
from plait.pipeline.stage import Retriever
from plait.testing import conformance
from plait.testing.stage_case import Answers, dataset_of, same

STRANDS = [one for one in conformance.subjects() if isinstance(one.stage(), Retriever)]
SIZE = dataset_of("market").n_items

event = st.tuples(st.integers(0, 6), st.integers(0, SIZE + 2))  # a day and an item
question = st.tuples(
    st.lists(event, max_size=8),
    st.lists(st.integers(0, SIZE + 2), max_size=2),
    st.sampled_from([None, None, "rose seed", "kettel", "zebra", "?"]),
)


def batch(questions):
    rows = [sorted(events) for events, _, _ in questions]
    flat = [one for row in rows for one in row]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    history = History(
        offsets,
        np.array([item for _, item in flat], np.int32),
        np.array([day for day, _ in flat], np.int64),
        np.ones(len(flat), np.float32),
    )
    plain = QueryBatch.of_histories(history)
    fields = {name: getattr(plain, name) for name in plain.__slots__}
    fields["items"] = Ragged.from_rows([anchors for _, anchors, _ in questions])
    fields["texts"] = tuple(text for _, _, text in questions)
    return QueryBatch(**fields)


@pytest.mark.parametrize("subject", STRANDS, ids=str)
@settings(max_examples=20, deadline=None)
@given(questions=st.lists(question, min_size=1, max_size=5))
def test_a_batch_is_answered_like_its_questions_one_by_one(subject, questions):
    stage = subject.fitted("market")
    queries = batch(questions)
    numbers = np.tile(np.arange(-1, SIZE + 3, dtype=np.int32), (len(queries), 1))
    together = Answers.of(stage, queries, numbers, SIZE)
    for row in range(len(queries)):
        alone = Answers.of(stage, queries.slice(row, row + 1), numbers[:1], SIZE)
        assert same(alone.scores, together.scores[row : row + 1], 1e-5)
        mine, theirs = set(alone.brought[0].tolist()), set(together.brought[row].tolist())
        assert mine - {-1} == theirs - {-1}


@pytest.mark.parametrize("subject", STRANDS, ids=str)
@settings(max_examples=20, deadline=None)
@given(one=question, other=question)
def test_what_another_asks_changes_nothing(subject, one, other):
    stage = subject.fitted("market")
    numbers = np.tile(np.arange(SIZE, dtype=np.int32), (2, 1))
    first = stage.score(batch([one, other]), numbers)[:1]
    second = stage.score(batch([one, one]), numbers)[:1]
    assert same(first, second, 1e-5)
