"""Tests of examples with a known outcome: ratings and clicks."""

from dataclasses import replace

import numpy as np
import pytest

from plait.errors import ProtocolError
from plait.splitting.labelled_examples import click_examples, rated_events, rating_examples
from plait.utils.timestamps import DAY
from tests.dataset_fixtures import random_rows, world


def rated(rows):
    """A data set in which item number i is rated i % 5 + 1."""
    data = world(rows)
    values = (data.interactions.items % 5 + 1).astype(np.float32)
    return replace(data, interactions=replace(data.interactions, values=values))


DATA = rated(random_rows(users=40, events=800))


def pairs(users, items):
    return list(zip(users.tolist(), items.tolist(), strict=True))


@pytest.mark.parametrize("draw", ["random", "last"])
def test_training_data_lacks_the_pairs_of_the_examples_and_nothing_else(draw):
    examples = rating_examples(DATA, test_size=0.25, draw=draw, seed=1)
    whole, train = DATA.interactions, examples.train.interactions
    tested = pairs(examples.users, examples.item_numbers.values)
    distinct = set(pairs(whole.users, whole.items))
    assert len(distinct) < len(whole)  # some pairs were rated more than once
    assert len(tested) == len(set(tested)) == round(0.25 * len(distinct))
    others = [pair for pair in pairs(whole.users, whole.items) if pair not in set(tested)]
    assert pairs(train.users, train.items) == others
    assert examples.n_removed == len(whole) - len(others)
    if draw == "last":
        assert train.times.max() <= examples.queries.times.min()


@pytest.mark.parametrize("draw", ["random", "last"])
def test_outcome_of_a_drawn_pair_is_its_newest_rating(draw):
    rows = [(f"u{number % 9}", f"i{number % 7}", float(number)) for number in range(189)]
    data = world(rows)
    times = data.interactions.times
    values = (times // DAY).astype(np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    examples = rating_examples(data, test_size=0.3, draw=draw)
    assert len(examples) == 19
    assert (examples.outcomes >= 126).all()  # every pair was rated three times, 63 days apart


@pytest.mark.parametrize("has_test", [True, False])
@pytest.mark.parametrize("value", [4.0, np.nan])
def test_training_data_holds_no_event_of_a_tested_pair_of_any_type_and_value(has_test, value):
    rows = [(f"u{number % 20}", f"i{number // 20}", float(number)) for number in range(200)]
    data = world([*((*row, "rate") for row in rows), *((*row, "look") for row in rows)])
    rates = data.interactions.event_types == data.event_types.index("rate")
    values = np.where(rates, 3.0, value).astype(np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    test = data.keep(rates & (np.arange(400) % 7 == 0)) if has_test else None
    examples = rating_examples(data, test=test, test_size=0.2, target_events=("rate",))
    train = examples.train.interactions
    tested = set(pairs(examples.users, examples.item_numbers.values))
    assert tested
    assert not tested & set(pairs(train.users, train.items))
    assert examples.n_removed == 2 * len(tested)
    history = examples.queries.history
    assert not tested & set(pairs(examples.queries.users[history.rows], history.items))


@pytest.mark.parametrize("unknown", [-1, 4, 6])
def test_rating_of_an_unknown_item_removes_nothing_from_the_training_data(unknown):
    data = rated(
        [(f"u{user}", f"i{item}", user * 4.0 + item) for user in range(3) for item in range(4)]
    )
    row = data.interactions.take(np.array([5]))
    items = np.array([unknown], np.int32)
    examples = rating_examples(data, test=replace(data, interactions=replace(row, items=items)))
    assert examples.users.tolist() == [1]
    assert examples.item_numbers.values.tolist() == [-1]
    assert examples.n_removed == 0


def test_unknown_users_and_items_have_keys_and_queries_of_their_own():
    data = rated(
        [(f"u{user}", f"i{item}", user * 4.0 + item) for user in range(3) for item in range(4)]
    )
    rows = data.interactions.take(np.array([0, 1, 2, 3]))
    users, items = np.array([3, 4, 4, -1], np.int32), np.array([0, 4, 5, 1], np.int32)
    rows = replace(rows, users=users, items=items, times=np.zeros(4, np.int64))
    examples = rating_examples(data, test=replace(data, interactions=rows))
    assert examples.users.tolist() == [-1] * 4
    assert examples.queries.users.tolist() == [-1] * 3
    assert examples.user_keys.tolist() == [-1, 3, 4, 4]
    assert examples.item_numbers.values.tolist() == [1, 0, -1, -1]
    assert examples.item_keys.tolist() == [1, 0, 4, 5]
    assert not examples.queries.history.lengths.any()


def test_outcomes_and_users_are_in_the_order_of_the_items():
    examples = rating_examples(DATA, test_size=0.3)
    assert (examples.outcomes == examples.item_numbers.values % 5 + 1).all()
    assert (examples.users == examples.queries.users[examples.item_numbers.rows]).all()


def test_histories_hold_the_training_data_of_their_user():
    examples = rating_examples(DATA, test_size=0.3, draw="random")
    for row, user in enumerate(examples.queries.users):
        low, high = examples.queries.history.offsets[row : row + 2]
        train = examples.train.interactions
        assert examples.queries.history.items[low:high].tolist() == (
            train.items[train.users == user].tolist()
        )


def test_pairs_of_a_test_set_are_removed_from_the_training_data():
    test = DATA.keep(np.arange(800) % 8 == 0)
    examples = rating_examples(DATA, test=test)
    tested = set(pairs(test.interactions.users, test.interactions.items))
    train = examples.train.interactions
    assert not tested & set(pairs(train.users, train.items))
    assert len(examples) == 100


def test_ratings_of_unknown_users_and_items_are_examples():
    ratings = DATA.keep(np.arange(800) < 4).interactions
    users, items = np.array([-1, -1, 2, 3], np.int32), np.array([4, 5, -1, 0], np.int32)
    ratings = replace(ratings, users=users, items=items)
    examples = rating_examples(DATA, test=replace(DATA, interactions=ratings))
    assert len(examples) == 4
    is_known_pair = (DATA.interactions.users == 3) & (DATA.interactions.items == 0)
    assert examples.n_removed == is_known_pair.sum()


def test_data_set_without_ratings_is_an_error():
    with pytest.raises(ProtocolError) as caught:
        rating_examples(world(random_rows()))
    assert caught.value.field == "protocol"
    assert not rated_events(world(random_rows()), ()).any()


CLICKS = [
    (f"u{number % 7}", f"i{number % 5}", number / 10, "click" if number % 3 else "shown")
    for number in range(300)
]


def test_click_examples_are_the_clicks_and_misses_after_the_cut():
    data = world(CLICKS)
    examples = click_examples(data, 20 * DAY, target_events=("click",), negative_events=("shown",))
    late = [row for row in CLICKS if row[2] > 20]
    assert len(examples) == len(late)
    assert examples.outcomes.sum() == sum(row[3] == "click" for row in late)
    assert examples.train.interactions.times.max() <= 20 * DAY
    trained = {data.event_types[number] for number in examples.train.interactions.event_types}
    assert trained == {"click"}


def test_items_first_shown_after_the_cut_are_unknown_to_training_and_new_to_queries():
    late = [(f"u{user}", "new", 25.0, ("click", "shown")[user % 2]) for user in range(4)]
    early = [("u1", "passed", 1.0, "shown")]
    rows = sorted([*CLICKS, *late, *early], key=lambda row: row[2])
    fields = {item_id: {"colour": "red"} for item_id in ("new", "passed")}
    data = world(rows, item_fields=fields)
    event_types = {"target_events": ("click",), "negative_events": ("shown",)}
    new, passed = data.catalogue.number("new"), data.catalogue.number("passed")
    examples = click_examples(data, 20 * DAY, **event_types)
    assert not examples.train.catalogue.alive[new]
    assert examples.train.catalogue.fields(new) == {}
    assert examples.train.catalogue.fields(passed) == {"colour": "red"}
    assert examples.query_time_data.catalogue.fields(new) == {"colour": "red"}
    assert examples.query_time_data.catalogue.changed[new] > examples.train.version
    before = click_examples(data, 15 * DAY, 20 * DAY, **event_types)
    assert not before.query_time_data.catalogue.alive[new]


def test_history_of_an_example_ends_before_it():
    examples = click_examples(
        world(CLICKS), 20 * DAY, target_events=("click",), negative_events=("shown",)
    )
    history = examples.queries.history
    assert history.lengths.min() > 0
    assert (history.times < examples.queries.times[history.rows]).all()
    assert (history.times > 20 * DAY).any()  # events since the cut are known, as in production


def test_target_event_with_the_value_0_is_a_miss():
    data = world([row[:3] for row in CLICKS])
    values = (np.arange(300) % 4 > 0).astype(np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    examples = click_examples(data, 20 * DAY, target_events=(), negative_events=())
    late = data.interactions.times > 20 * DAY
    assert examples.outcomes.sum() == values[late].sum()
    assert (examples.train.interactions.values != 0).all()


def test_clicks_without_misses_are_an_error():
    with pytest.raises(ProtocolError) as caught:
        click_examples(world(CLICKS), 20 * DAY, target_events=(), negative_events=())
    assert caught.value.field == "negative"
