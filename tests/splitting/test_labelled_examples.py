"""Outcomes that are known: ratings and clicks."""

from dataclasses import replace

import numpy as np
import pytest

from plait.errors import ProtocolError
from plait.splitting.labelled_examples import click_examples, rated_events, rating_examples
from plait.splitting.splits import DAY
from tests.dataset_fixtures import random_rows, world


def rated(rows, **more):
    """A world in which item number i is rated i % 5 + 1."""
    data = world(rows, **more)
    values = (data.interactions.items % 5 + 1).astype(np.float32)
    return replace(data, interactions=replace(data.interactions, values=values))


DATA = rated(random_rows(users=40, events=800))


def pairs(users, items):
    return list(zip(users.tolist(), items.tolist(), strict=True))


@pytest.mark.parametrize("draw", ["random", "last"])
def test_train_and_test_share_no_pair_and_train_lacks_nothing_else(draw):
    found = rating_examples(DATA, share=0.25, draw=draw, seed=1)
    whole, train = DATA.interactions, found.train.interactions
    asked = pairs(found.users, found.numbers.values)
    there = set(pairs(whole.users, whole.items))
    assert len(there) < len(whole)  # some pairs were rated more than once
    assert len(asked) == len(set(asked)) == round(0.25 * len(there))
    rest = [one for one in pairs(whole.users, whole.items) if one not in set(asked)]
    assert pairs(train.users, train.items) == rest
    assert found.taken == len(whole) - len(rest)
    if draw == "last":
        assert train.times.max() <= found.queries.times.min()


@pytest.mark.parametrize("draw", ["random", "last"])
def test_a_drawn_pair_is_asked_for_its_newest_rating(draw):
    rows = [(f"u{one % 9}", f"i{one % 7}", float(one)) for one in range(189)]
    data = world(rows)
    times = data.interactions.times
    values = (times // DAY).astype(np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    found = rating_examples(data, share=0.3, draw=draw)
    assert len(found) == 19
    assert (found.outcomes >= 126).all()  # every pair was rated three times, 63 days apart


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("value", [4.0, np.nan])
def test_no_event_of_a_tested_pair_stays_whatever_its_kind_and_value(given, value):
    people = [(f"u{one % 20}", f"i{one // 20}", float(one)) for one in range(200)]
    data = world([*((*row, "rate") for row in people), *((*row, "look") for row in people)])
    rates = np.array([data.event_types[one] == "rate" for one in data.interactions.event_types])
    values = np.where(rates, 3.0, value).astype(np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    test = data.keep(rates & (np.arange(400) % 7 == 0)) if given else None
    found = rating_examples(data, test=test, share=0.2, goal=("rate",))
    train = found.train.interactions
    asked = set(pairs(found.users, found.numbers.values))
    assert asked
    assert not asked & set(pairs(train.users, train.items))
    assert found.taken == 2 * len(asked)
    history = found.queries.history
    assert not asked & set(pairs(found.queries.users[history.rows], history.items))


@pytest.mark.parametrize("unknown", [-1, 4, 6])
def test_a_rating_of_an_unknown_item_takes_nothing_out(unknown):
    data = rated(
        [(f"u{user}", f"i{item}", user * 4.0 + item) for user in range(3) for item in range(4)]
    )
    row = data.interactions.take(np.array([5]))
    items = np.array([unknown], np.int32)
    found = rating_examples(data, test=replace(data, interactions=replace(row, items=items)))
    assert found.users.tolist() == [1]
    assert found.numbers.values.tolist() == [-1]
    assert found.taken == 0


def test_strangers_are_told_apart_and_asked_apart():
    data = rated(
        [(f"u{user}", f"i{item}", user * 4.0 + item) for user in range(3) for item in range(4)]
    )
    rows = data.interactions.take(np.array([0, 1, 2, 3]))
    users, items = np.array([3, 4, 4, -1], np.int32), np.array([0, 4, 5, 1], np.int32)
    rows = replace(rows, users=users, items=items, times=np.zeros(4, np.int64))
    found = rating_examples(data, test=replace(data, interactions=rows))
    assert found.users.tolist() == [-1] * 4
    assert found.queries.users.tolist() == [-1] * 3
    assert found.owners.tolist() == [-1, 3, 4, 4]
    assert found.numbers.values.tolist() == [1, 0, -1, -1]
    assert found.things.tolist() == [1, 0, 4, 5]
    assert not found.queries.history.lengths.any()


def test_outcomes_stay_with_their_items():
    found = rating_examples(DATA, share=0.3)
    assert (found.outcomes == found.numbers.values % 5 + 1).all()
    assert (found.users == found.queries.users[found.numbers.rows]).all()


def test_histories_hold_train_alone():
    found = rating_examples(DATA, share=0.3, draw="random")
    for row, user in enumerate(found.queries.users):
        low, high = found.queries.history.offsets[row : row + 2]
        train = found.train.interactions
        assert found.queries.history.items[low:high].tolist() == (
            train.items[train.users == user].tolist()
        )


def test_a_given_test_is_taken_out_of_train():
    test = DATA.keep(np.arange(800) % 8 == 0)
    found = rating_examples(DATA, test=test)
    pairs = set(
        zip(test.interactions.users.tolist(), test.interactions.items.tolist(), strict=True)
    )
    train = found.train.interactions
    assert not pairs & set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    assert len(found) == 100


def test_ratings_of_unknown_users_and_items_are_asked_all_the_same():
    strange = DATA.keep(np.arange(800) < 4).interactions
    strange = replace(
        strange, users=np.array([-1, -1, 2, 3], "i4"), items=np.array([4, 5, -1, 0], "i4")
    )
    found = rating_examples(DATA, test=replace(DATA, interactions=strange))
    assert len(found) == 4
    assert found.taken == int(
        ((DATA.interactions.users == 3) & (DATA.interactions.items == 0)).sum()
    )


def test_no_rating_is_refused():
    with pytest.raises(ProtocolError, match="no rating"):
        rating_examples(world(random_rows()))
    assert not rated_events(world(random_rows()), ()).any()


def shown(rows):
    """A world of clicks and impressions."""
    return world(rows)


CLICKS = [
    (f"u{number % 7}", f"i{number % 5}", number / 10, "click" if number % 3 else "shown")
    for number in range(300)
]


def test_clicks_and_misses_behind_the_cut():
    data = shown(CLICKS)
    found = click_examples(data, 20 * DAY, goal=("click",), negative=("shown",))
    late = [row for row in CLICKS if row[2] > 20]
    assert len(found) == len(late)
    assert found.outcomes.sum() == sum(row[3] == "click" for row in late)
    assert found.train.interactions.times.max() <= 20 * DAY
    kinds = {data.event_types[kind] for kind in found.train.interactions.event_types}
    assert kinds == {"click"}


def test_items_first_shown_behind_the_cut_are_unknown_to_train_and_new_when_asked():
    late = [(f"u{one}", "new", 25.0, ("click", "shown")[one % 2]) for one in range(4)]
    early = [("u1", "passed", 1.0, "shown")]
    rows = sorted([*CLICKS, *late, *early], key=lambda row: row[2])
    fields = {one: {"colour": "red"} for one in ("new", "passed")}
    data = world(rows, item_fields=fields)
    told = {"goal": ("click",), "negative": ("shown",)}
    new, passed = data.catalogue.number("new"), data.catalogue.number("passed")
    found = click_examples(data, 20 * DAY, **told)
    assert not found.train.catalogue.alive[new]
    assert found.train.catalogue.fields(new) == {}
    assert found.train.catalogue.fields(passed) == {"colour": "red"}
    assert found.asked.catalogue.fields(new) == {"colour": "red"}
    assert found.asked.catalogue.changed[new] > found.train.version
    before = click_examples(data, 15 * DAY, 20 * DAY, **told)
    assert not before.asked.catalogue.alive[new]


def test_the_history_of_a_click_ends_before_it():
    found = click_examples(shown(CLICKS), 20 * DAY, goal=("click",), negative=("shown",))
    history = found.queries.history
    assert history.lengths.min() > 0
    assert (history.times < found.queries.times[history.rows]).all()
    late = history.times > 20 * DAY
    assert late.any()  # what happened since the cut is known, as it would be live


def test_a_value_of_zero_is_a_miss():
    data = world([row[:3] for row in CLICKS])
    values = (np.arange(300) % 4 > 0).astype(np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    found = click_examples(data, 20 * DAY, goal=(), negative=())
    late = data.interactions.times > 20 * DAY
    assert found.outcomes.sum() == values[late].sum()
    assert (found.train.interactions.values != 0).all()


def test_clicks_without_misses_are_refused():
    with pytest.raises(ProtocolError, match="0 misses"):
        click_examples(world(CLICKS), 20 * DAY, goal=(), negative=())
