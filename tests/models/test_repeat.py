"""Tests of `repeat` against scores computed by hand."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from plait.data.types import History, QueryBatch
from plait.eventlog.dataset_builder import from_arrays
from plait.models.tifu_knn import Repeat, RepeatConfig
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import make_dataset, weekly_repeats
from plait.utils.timestamps import DAY


def query_of(days, items):
    """A query whose history has events at whole days."""
    offsets = np.array([0, len(items)], np.int64)
    times = np.array(days, np.int64) * DAY
    return QueryBatch.of_histories(
        History(offsets, np.array(items, np.int32), times, np.ones(len(items), np.float32))
    )


def test_scores_are_decayed_frequencies_of_baskets():
    # Baskets from the newest: {0, 1}, {1}, {0, 2}; so 0 scores 1 + .5 ** 2, 1 scores 1 + .5.
    queries = query_of([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(basket_decay=0.5), name="repeat")
    row = stage.score(queries, np.array([[0, 1, 2, 3]], np.int32))[0]
    assert row[:3] == pytest.approx([1.25, 1.5, 0.25])
    assert np.isnan(row[3])
    assert stage.retrieve(queries, 5).item_numbers[0].tolist()[:3] == [1, 0, 2]


def test_baskets_beyond_max_baskets_are_not_read():
    queries = query_of([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(basket_decay=0.5, max_baskets=2), name="repeat")
    row = stage.score(queries, np.array([[0, 1, 2]], np.int32))[0]
    assert row[:2] == pytest.approx([1.0, 1.5])
    assert np.isnan(row[2])


def test_items_bought_every_week_are_retrieved_first():
    dataset = weekly_repeats()
    stage = Repeat(name="repeat")
    histories = dataset.histories()
    for user in range(dataset.n_users):
        ids = [dataset.catalogue.id(number) for number in histories[user]]
        item_ids = listed(stage.retrieve(ask(dataset.catalogue, ids), 2), dataset.catalogue)[0]
        assert set(item_ids) == {f"milk-{user}", f"bread-{user}"}


def test_explain_names_the_item_itself_and_seed_items_are_not_scored():
    dataset = weekly_repeats()
    queries = ask(dataset.catalogue, ["milk-0"], [], anchors=[[], ["milk-1"]])
    numbers = np.tile(dataset.catalogue.numbers(["milk-0", "milk-1"]), (2, 1))
    assert Repeat(name="repeat").explain(queries, numbers).tolist() == [
        [numbers[0, 0], -1],
        [-1, -1],
    ]
    frequencies = scores(Repeat(name="repeat"), queries, dataset.catalogue, "milk-0", "milk-1")
    assert np.isnan(frequencies).tolist() == [[False, True], [True, True]]


def test_groups_of_baskets_decay_separately():
    # Baskets from the newest: {0, 1} and {1} are one group, {0, 2} is the one before it.
    queries = query_of([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(basket_decay=0.5, n_groups=2, group_decay=0.1), name="repeat")
    row = stage.score(queries, np.array([[0, 1, 2]], np.int32))[0]
    assert row == pytest.approx([(0.5 + 0.1) / 2, 0.75 / 2, 0.1 / 2])


def twins():
    """Two pairs of users with the same habits; the second of each has one item more."""
    events = [
        (f"{pair}-{number}", item, float(day))
        for pair, items in (("tea", ("milk", "tea")), ("cake", ("flour", "egg")))
        for number in range(2)
        for day in range(3)
        for item in items
    ]
    return make_dataset([*events, ("tea-1", "honey", 3.0), ("cake-1", "sugar", 3.0)])


def test_items_of_similar_users_are_scored():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=2, neighbor_weight=0.5), name="repeat").fit(dataset)
    queries = ask(dataset.catalogue, ["milk"], ["egg"])
    honey, sugar = scores(stage, queries, dataset.catalogue, "honey", "sugar").T
    assert honey[0] > 0
    assert sugar[1] > 0
    assert np.isnan([honey[1], sugar[0]]).all()
    plain = Repeat(RepeatConfig(n_neighbors=0), name="repeat").fit(dataset)
    assert np.isnan(scores(plain, ask(dataset.catalogue, ["milk"]), dataset.catalogue, "honey"))


def test_long_and_short_histories_weigh_the_same():
    # A user with A and B twenty times is a neighbour of a user with A and C once.
    events = [("often", item, float(day)) for day in range(20) for item in "AB"]
    dataset = make_dataset([*events, ("once", "A", 30.0), ("once", "C", 30.0)])
    stage = Repeat(
        RepeatConfig(n_neighbors=1, neighbor_weight=0.5, basket_decay=0.9), name="repeat"
    ).fit(dataset)
    queries = query_of([30, 30], dataset.catalogue.numbers(["A", "C"]))
    queries = replace(queries, users=dataset.users.numbers(["once"]))
    mean = sum(0.9**age for age in range(20)) / 20
    row = scores(stage, queries, dataset.catalogue, "A", "B", "C")[0]
    assert row == pytest.approx([0.5 + 0.5 * mean, 0.5 * mean, 0.5], rel=1e-5)


def test_user_is_not_a_neighbour_of_itself():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=1, neighbor_weight=1.0), name="repeat").fit(dataset)
    queries = ask(dataset.catalogue, ["milk", "tea"])
    own = replace(queries, users=dataset.users.numbers(["tea-1"]), cache={})
    other = replace(queries, users=dataset.users.numbers(["tea-0"]), cache={})
    assert np.isnan(scores(stage, own, dataset.catalogue, "honey")[0, 0])
    assert scores(stage, other, dataset.catalogue, "honey")[0, 0] > 0


def test_histories_without_known_items_have_no_neighbours():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=3, neighbor_weight=0.25), name="repeat").fit(dataset)
    assert np.isnan(stage.score_all(QueryBatch.of_histories(History.empty(2)))).all()
    new = dataset.n_items
    row = stage.score_all(query_of([1], [new]))[0]
    assert np.flatnonzero(~np.isnan(row)).tolist() == [new]
    assert row[new] == pytest.approx(0.75)


def test_data_set_without_users_has_no_neighbours():
    dataset = twins().keep(np.zeros(len(twins().interactions), np.bool_))
    stage = Repeat(RepeatConfig(n_neighbors=3, n_groups=2), name="repeat").fit(dataset)
    queries = ask(dataset.catalogue, ["milk"])
    frequencies = scores(stage, queries, dataset.catalogue, "milk", "tea")
    assert np.isnan(frequencies).tolist() == [[False, True]]


def test_neighbours_are_the_most_recently_active_users():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=1, max_neighbor_users=2), name="repeat").fit(dataset)
    # Of each pair only the second user, with honey or sugar, is a possible neighbour.
    queries = ask(dataset.catalogue, ["milk"], ["flour"])
    honey, sugar = scores(stage, queries, dataset.catalogue, "honey", "sugar").T
    assert honey[0] > 0
    assert sugar[1] > 0
    own = replace(ask(dataset.catalogue, ["milk"]), users=dataset.users.numbers(["tea-1"]))
    assert np.isnan(scores(stage, own, dataset.catalogue, "tea")).all()


def crowd(users):
    """Users of one of fifty pairs of items; the last one alone has milk and honey."""
    pairs = np.arange(users) % 50
    items = np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()
    user_ids = [f"u{number}" for number in np.repeat(np.arange(users), 2)]
    item_ids = [f"i{number}" for number in items]
    times = np.arange(len(user_ids) + 2, dtype=np.int64) * DAY
    return from_arrays([*user_ids, "last", "last"], [*item_ids, "milk", "honey"], times=times)


def test_memory_of_a_batch_does_not_grow_with_the_users():
    dataset = crowd(40_000)
    stage = Repeat(RepeatConfig(n_neighbors=5), name="repeat").fit(dataset)
    histories = [[f"i{number % 100}"] for number in range(512)]
    queries = ask(dataset.catalogue, *histories)
    tracemalloc.start()
    try:
        batch_scores = stage.score_all(queries)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 512 * 40_000  # bytes of a matrix of queries by users
    for row in (0, 103, 104, 105, 300, 511):
        single = stage.score_all(ask(dataset.catalogue, histories[row]))
        np.testing.assert_allclose(batch_scores[row], single[0], rtol=1e-4)
        assert np.isfinite(batch_scores[row]).sum() == 2


def test_user_is_not_a_neighbour_of_itself_anywhere_in_a_batch():
    dataset = crowd(40_000)
    stage = Repeat(RepeatConfig(n_neighbors=1), name="repeat").fit(dataset)
    queries = ask(dataset.catalogue, *(["milk"] for _ in range(200)))
    users = np.full(200, -1, np.int32)
    users[[3, 150]] = dataset.users.numbers(["last", "last"])
    honey = scores(stage, replace(queries, users=users), dataset.catalogue, "honey")[:, 0]
    assert np.flatnonzero(np.isnan(honey)).tolist() == [3, 150]
