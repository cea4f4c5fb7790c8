"""A protocol is a value with a hash."""

import json

import pytest

from plait.errors import ProtocolError
from plait.evaluation.protocol import Protocol
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

DATA = world(random_rows())
TOY = recipe("Counts")


def test_the_hash_stands_for_everything_that_decides_a_number():
    one = Protocol().resolved(DATA, TOY)
    assert one.hash == Protocol(seen="remove").resolved(DATA, TOY).hash
    others = [
        Protocol(seen="keep"),
        Protocol(k=(5,)),
        Protocol(seed=1),
        Protocol(refit=True),
        Protocol(name="time"),
    ]
    hashes = {one.hash, *(other.resolved(DATA, TOY).hash for other in others)}
    assert len(hashes) == 6
    assert all(len(found) == 12 for found in hashes)


def test_it_is_json():
    found = json.loads(json.dumps(Protocol(name="time").resolved(DATA, TOY).to_dict()))
    assert found["name"] == "time"
    assert found["k"] == [5, 10]
    assert found["ties"] == "expected"
    assert found["candidates"] == "all"
    assert found["goal"] == ["purchase"]


def test_the_goal_is_what_is_asked_else_what_the_recipe_says_else_what_is_worth_something():
    rows = [
        (*row, ("view", "buy", "return")[number % 3]) for number, row in enumerate(random_rows())
    ]
    data = world(rows)
    worth = recipe("Counts", kinds={"return": -1})
    assert Protocol().resolved(data, worth).goal == ("buy", "view")
    said = recipe("Counts", goal=["buy", "rent"])
    assert Protocol().resolved(data, said).goal == ("buy",)
    assert Protocol(goal=("view",)).resolved(data, said).goal == ("view",)
    with pytest.raises(ProtocolError, match="rent"):
        Protocol(goal=("rent",)).resolved(data, said)


def test_a_fifth_of_the_span_is_the_window_of_a_short_log():
    assert Protocol(name="time").resolved(DATA, TOY).test_days == pytest.approx(12, abs=0.2)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (Protocol(name="time", refit=True), "refit"),
        (Protocol(name="time", test_days=0), "test-days"),
        (Protocol(name="time", test_days=61), "61 days"),
        (Protocol(test_days=3), "window"),
        (Protocol(k=(0, 5)), "k is"),
        (Protocol(k=()), "k is"),
        (Protocol(name="random"), "random"),
        (Protocol(seen="twice"), "twice"),
        (Protocol(name="clicks", negative=("answers", "shown")), "stands alone"),
        (Protocol(name="clicks", negative=("answers",)), "--negative answers is"),
        (Protocol(negative=("answers",)), "leave-one-out has no negative"),
        (Protocol(name="ratings", seen="remove"), "ratings makes no lists"),
    ],
)
def test_what_cannot_be_is_refused(wrong, named):
    with pytest.raises(ProtocolError, match=named):
        wrong.resolved(DATA, TOY)


def test_time_is_refused_where_there_are_positions():
    data = world(
        [(user, item, place) for place, (user, item, _) in enumerate(random_rows())],
        clock="position",
    )
    with pytest.raises(ProtocolError, match="leave-one-out"):
        Protocol(name="time").resolved(data, TOY)
