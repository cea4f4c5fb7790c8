"""What a user comes back to, computed by hand."""

import numpy as np
import pytest

from plait.core.types import History, Queries
from plait.models.repeat import Repeat, RepeatConfig
from plait.testing.asking import ask, listed, scores
from plait.testing.worlds import DAY, weekly_repeats


def asked(days, items):
    """One question with events at whole days."""
    offsets = np.array([0, len(items)], np.int64)
    times = np.array(days, np.int64) * DAY
    return Queries.of_histories(
        History(offsets, np.array(items, np.int32), times, np.ones(len(items), np.float32))
    )


def test_scores_are_decayed_frequencies_of_baskets():
    # Baskets from the newest: {0, 1}, {1}, {0, 2}; so 0 counts 1 + .5 ** 2, 1 counts 1 + .5.
    queries = asked([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(decay=0.5), name="repeat")
    found = stage.score(queries, np.array([[0, 1, 2, 3]], np.int32))
    assert found[0, :3] == pytest.approx([1.25, 1.5, 0.25])
    assert np.isnan(found[0, 3])
    assert stage.retrieve(queries, 5).numbers[0].tolist()[:3] == [1, 0, 2]


def test_only_the_newest_baskets_are_read():
    queries = asked([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(decay=0.5, longest=2), name="repeat")
    found = stage.score(queries, np.array([[0, 1, 2]], np.int32))
    assert found[0, :2] == pytest.approx([1.0, 1.5])
    assert np.isnan(found[0, 2])


def test_what_comes_back_every_week_comes_first():
    dataset = weekly_repeats()
    stage = Repeat(name="repeat")
    histories = dataset.histories()
    for user in range(dataset.n_users):
        ids = [dataset.catalogue.id(one) for one in histories[user]]
        brought = listed(stage.retrieve(ask(dataset.catalogue, ids), 2), dataset.catalogue)[0]
        assert set(brought) == {f"milk-{user}", f"bread-{user}"}


def test_it_names_the_item_itself_and_knows_no_anchor():
    dataset = weekly_repeats()
    queries = ask(dataset.catalogue, ["milk-0"], [], anchors=[[], ["milk-1"]])
    numbers = np.tile(dataset.catalogue.numbers(["milk-0", "milk-1"]), (2, 1))
    assert Repeat(name="repeat").because(queries, numbers).tolist() == [
        [numbers[0, 0], -1],
        [-1, -1],
    ]
    found = scores(Repeat(name="repeat"), queries, dataset.catalogue, "milk-0", "milk-1")
    assert np.isnan(found).tolist() == [[False, True], [True, True]]
