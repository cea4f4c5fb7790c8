"""A protocol is a value with a hash."""

import json
from dataclasses import replace

import pytest

from plait.errors import ProtocolError
from plait.evaluation.protocol import Protocol
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

DATA = world(random_rows())
TOY = recipe("Counts")


def test_hash_changes_with_every_option_that_decides_a_figure():
    resolved = Protocol().resolved(DATA, TOY)
    assert resolved.hash == Protocol(seen="remove").resolved(DATA, TOY).hash
    others = [
        Protocol(seen="keep"),
        Protocol(k=(5,)),
        Protocol(seed=1),
        Protocol(refit=True),
        Protocol(name="time"),
    ]
    hashes = {resolved.hash, *(other.resolved(DATA, TOY).hash for other in others)}
    assert len(hashes) == 6
    assert all(len(variant) == 12 for variant in hashes)


COMMON = {"candidates", "goal", "history", "name", "refit", "resamples", "seed", "seen"}
COMMON |= {"test_days", "ties"}
CLICKS = Protocol(name="clicks", seen="keep", goal=("click",), test_days=7.0)
RATINGS = Protocol(name="ratings", seen="keep", goal=("rating",))
TIME = Protocol(name="time", test_days=7.0, seen="keep", goal=("buy",))
HELD_OUT = Protocol(
    name="held-out-users", seen="remove", goal=("buy",), test_users=0.2, fold_in=0.5
)


@pytest.mark.parametrize(
    ("protocol", "expected", "keys"),
    [
        (Protocol(), "768d4139e042", {"k"}),
        (Protocol(seen="remove", goal=("buy",), refit=True), "300aa6298eea", {"k"}),
        (replace(TIME, goal=("buy", "view")), "6708b7d9b838", {"k"}),
        (replace(TIME, windows=3), "114dc44fba84", {"k", "windows"}),
        (HELD_OUT, "40b68f6fba7b", {"k", "test_users", "fold_in"}),
        (
            replace(RATINGS, draw="last", test_share=0.2),
            "e9b07728ff9b",
            {"draw", "test_share", "test_file", "held"},
        ),
        (replace(RATINGS, test_file="0123456789ab"), "d8ad181ef9c0", {"test_file", "held"}),
        (replace(CLICKS, negative=("skip",)), "3e3dc4027712", {"negative"}),
        (replace(CLICKS, negative=("answers",)), "3e98c9aeb16a", {"negative", "taken"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hash_and_keys_are_those_of_stored_runs(protocol, expected, keys):
    """Other values would make the runs that homes keep incomparable with new ones."""
    assert protocol.hash == expected
    assert set(protocol.to_dict()) == COMMON | keys


def test_to_dict_is_json():
    document = json.loads(json.dumps(Protocol(name="time").resolved(DATA, TOY).to_dict()))
    assert document["name"] == "time"
    assert document["k"] == [5, 10]
    assert document["ties"] == "expected"
    assert document["candidates"] == "all"
    assert document["goal"] == ["purchase"]


def test_goal_comes_from_the_protocol_else_the_recipe_else_the_weights():
    rows = [
        (*row, ("view", "buy", "return")[number % 3]) for number, row in enumerate(random_rows())
    ]
    data = world(rows)
    worth = recipe("Counts", event_weights={"return": -1})
    assert Protocol().resolved(data, worth).goal == ("buy", "view")
    targeted = recipe("Counts", target_events=["buy", "rent"])
    assert Protocol().resolved(data, targeted).goal == ("buy",)
    assert Protocol(goal=("view",)).resolved(data, targeted).goal == ("view",)
    with pytest.raises(ProtocolError) as refused:
        Protocol(goal=("rent",)).resolved(data, targeted)
    assert refused.value.field == "goal"


def test_test_days_of_a_short_log_are_a_fifth_of_its_span():
    assert Protocol(name="time").resolved(DATA, TOY).test_days == pytest.approx(12, abs=0.2)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (Protocol(name="time", refit=True), "refit"),
        (Protocol(name="time", test_days=0), "test_days"),
        (Protocol(name="time", test_days=61), "test_days"),
        (Protocol(test_days=3), "test_days"),
        (Protocol(k=(0, 5)), "k"),
        (Protocol(k=()), "k"),
        (Protocol(name="random"), "protocol"),
        (Protocol(seen="twice"), "seen"),
        (Protocol(name="clicks", negative=("answers", "shown")), "negative"),
        (Protocol(name="clicks", negative=("answers",)), "negative"),
        (Protocol(negative=("answers",)), "negative"),
        (Protocol(name="ratings", seen="remove"), "seen"),
    ],
)
def test_an_impossible_option_is_refused_by_its_field(wrong, field):
    with pytest.raises(ProtocolError) as refused:
        wrong.resolved(DATA, TOY)
    assert refused.value.field == field
    assert refused.value.hint


def test_time_protocol_refuses_positions():
    data = world(
        [(user, item, place) for place, (user, item, _) in enumerate(random_rows())],
        clock="position",
    )
    with pytest.raises(ProtocolError) as refused:
        Protocol(name="time").resolved(data, TOY)
    assert "leave-one-out" in refused.value.hint
