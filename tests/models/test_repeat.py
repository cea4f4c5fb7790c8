"""What a user comes back to, computed by hand."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from plait.data.types import History, QueryBatch
from plait.eventlog.snapshot import from_arrays
from plait.models.repeat import Repeat, RepeatConfig
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import DAY, make_dataset, weekly_repeats


def asked(days, items):
    """One question with events at whole days."""
    offsets = np.array([0, len(items)], np.int64)
    times = np.array(days, np.int64) * DAY
    return QueryBatch.of_histories(
        History(offsets, np.array(items, np.int32), times, np.ones(len(items), np.float32))
    )


def test_scores_are_decayed_frequencies_of_baskets():
    # Baskets from the newest: {0, 1}, {1}, {0, 2}; so 0 counts 1 + .5 ** 2, 1 counts 1 + .5.
    queries = asked([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(basket_decay=0.5), name="repeat")
    found = stage.score(queries, np.array([[0, 1, 2, 3]], np.int32))
    assert found[0, :3] == pytest.approx([1.25, 1.5, 0.25])
    assert np.isnan(found[0, 3])
    assert stage.retrieve(queries, 5).item_numbers[0].tolist()[:3] == [1, 0, 2]


def test_only_the_newest_baskets_are_read():
    queries = asked([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(basket_decay=0.5, max_baskets=2), name="repeat")
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
    assert Repeat(name="repeat").explain(queries, numbers).tolist() == [
        [numbers[0, 0], -1],
        [-1, -1],
    ]
    found = scores(Repeat(name="repeat"), queries, dataset.catalogue, "milk-0", "milk-1")
    assert np.isnan(found).tolist() == [[False, True], [True, True]]


def test_groups_of_baskets_have_a_decay_of_their_own():
    # Baskets from the newest: {0, 1} and {1} are one group, {0, 2} is the one before it.
    queries = asked([1, 1, 4, 9, 9], [0, 2, 1, 0, 1])
    stage = Repeat(RepeatConfig(basket_decay=0.5, n_groups=2, group_decay=0.1), name="repeat")
    found = stage.score(queries, np.array([[0, 1, 2]], np.int32))
    assert found[0] == pytest.approx([(0.5 + 0.1) / 2, 0.75 / 2, 0.1 / 2])


def twins():
    """Two pairs of users with the same habits; the second of each takes one thing more."""
    events = [
        (f"{pair}-{one}", item, float(day))
        for pair, items in (("tea", ("milk", "tea")), ("cake", ("flour", "egg")))
        for one in range(2)
        for day in range(3)
        for item in items
    ]
    return make_dataset([*events, ("tea-1", "honey", 3.0), ("cake-1", "sugar", 3.0)])


def test_users_of_the_same_habits_bring_what_they_take():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=2, neighbor_weight=0.5), name="repeat").fit(dataset)
    found = scores(
        stage, ask(dataset.catalogue, ["milk"], ["egg"]), dataset.catalogue, "honey", "sugar"
    )
    assert found[0, 0] > 0
    assert found[1, 1] > 0
    assert np.isnan([found[0, 1], found[1, 0]]).all()
    plain = Repeat(RepeatConfig(n_neighbors=0), name="repeat").fit(dataset)
    assert np.isnan(scores(plain, ask(dataset.catalogue, ["milk"]), dataset.catalogue, "honey"))


def test_long_and_short_histories_speak_equally_loud():
    # Whoever took A and B twenty times is one neighbour of who took A and C once.
    events = [("often", item, float(day)) for day in range(20) for item in "AB"]
    dataset = make_dataset([*events, ("once", "A", 30.0), ("once", "C", 30.0)])
    stage = Repeat(
        RepeatConfig(n_neighbors=1, neighbor_weight=0.5, basket_decay=0.9), name="repeat"
    ).fit(dataset)
    queries = asked([30, 30], dataset.catalogue.numbers(["A", "C"]))
    me = replace(queries, users=dataset.users.numbers(["once"]))
    mean = sum(0.9**back for back in range(20)) / 20
    found = scores(stage, me, dataset.catalogue, "A", "B", "C")[0]
    assert found == pytest.approx([0.5 + 0.5 * mean, 0.5 * mean, 0.5], rel=1e-5)


def test_nobody_is_a_neighbour_of_their_own():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=1, neighbor_weight=1.0), name="repeat").fit(dataset)
    queries = ask(dataset.catalogue, ["milk", "tea"])
    me = replace(queries, users=dataset.users.numbers(["tea-1"]), cache={})
    other = replace(queries, users=dataset.users.numbers(["tea-0"]), cache={})
    found = [scores(stage, one, dataset.catalogue, "honey")[0, 0] for one in (me, other)]
    assert np.isnan(found[0])
    assert found[1] > 0


def test_who_took_nothing_known_has_no_neighbours():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=3, neighbor_weight=0.25), name="repeat").fit(dataset)
    found = stage.score_all(QueryBatch.of_histories(History.empty(2)))
    assert np.isnan(found).all()
    new = dataset.n_items
    found = stage.score_all(asked([1], [new]))[0]
    assert np.flatnonzero(~np.isnan(found)).tolist() == [new]
    assert found[new] == pytest.approx(0.75)


def test_a_world_without_users_has_no_neighbours():
    nobody = twins().keep(np.zeros(len(twins().interactions), np.bool_))
    stage = Repeat(RepeatConfig(n_neighbors=3, n_groups=2), name="repeat").fit(nobody)
    found = scores(stage, ask(nobody.catalogue, ["milk"]), nobody.catalogue, "milk", "tea")
    assert np.isnan(found).tolist() == [[False, True]]


def test_only_who_was_here_last_can_be_a_neighbour():
    dataset = twins()
    stage = Repeat(RepeatConfig(n_neighbors=1, max_neighbor_users=2), name="repeat").fit(dataset)
    assert stage._often.shape[0] == 2
    kept = [dataset.users.id(one) for one in np.flatnonzero(stage._rows >= 0)]
    assert kept == ["tea-1", "cake-1"]
    queries = ask(dataset.catalogue, ["milk"])
    assert scores(stage, queries, dataset.catalogue, "honey")[0, 0] > 0


def crowd(users):
    """Users of one of fifty pairs of things; the last of them alone takes milk and honey."""
    pairs = np.arange(users) % 50
    items = np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()
    who = [f"u{one}" for one in np.repeat(np.arange(users), 2)]
    times = np.arange(len(who) + 2, dtype=np.int64) * DAY
    things = [f"i{one}" for one in items]
    return from_arrays([*who, "last", "last"], [*things, "milk", "honey"], times=times)


def test_a_batch_takes_no_memory_by_users():
    dataset = crowd(40_000)
    stage = Repeat(RepeatConfig(n_neighbors=5), name="repeat").fit(dataset)
    asked = [[f"i{one % 100}"] for one in range(512)]
    queries = ask(dataset.catalogue, *asked)
    tracemalloc.start()
    try:
        found = stage.score_all(queries)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 512 * 40_000  # bytes, if all users stood beside all questions
    for row in (0, 103, 104, 105, 300, 511):
        alone = stage.score_all(ask(dataset.catalogue, asked[row]))
        np.testing.assert_allclose(found[row], alone[0], rtol=1e-4)
        assert np.isfinite(found[row]).sum() == 2


def test_nobody_is_a_neighbour_of_their_own_in_any_part_of_a_batch():
    dataset = crowd(40_000)
    stage = Repeat(RepeatConfig(n_neighbors=1), name="repeat").fit(dataset)
    queries = ask(dataset.catalogue, *(["milk"] for _ in range(200)))
    users = np.full(200, -1, np.int32)
    users[[3, 150]] = dataset.users.numbers(["last", "last"])
    found = scores(stage, replace(queries, users=users), dataset.catalogue, "honey")
    assert np.flatnonzero(np.isnan(found[:, 0])).tolist() == [3, 150]
