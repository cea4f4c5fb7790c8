import itertools
import json
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.types import Event
from plait.eventlog import EventLog
from plait.state import LiveState
from tests.state.log_fixtures import (
    WEIGHTS,
    Model,
    action,
    event_of,
    history,
    open_log,
    state_content,
)


def written(log, actions, cuts):
    """Append `actions` in batches, and yield after each."""
    events = [event_of(number, entry) for number, entry in enumerate(actions)]
    places = sorted({0, len(events), *(cut % (len(events) + 1) for cut in cuts)})
    for start, stop in itertools.pairwise(places):
        log.append(events[start:stop])
        yield stop


@settings(deadline=None, max_examples=60)
@given(st.lists(action, max_size=40), st.lists(st.integers(0, 40), max_size=6), st.integers(1, 9))
def test_any_chunking_gives_what_a_naive_model_says(actions, cuts, size):
    with tempfile.TemporaryDirectory() as folder, open_log(folder) as log:
        state = LiveState.replay(log)
        model, done = Model(), 0
        for stop in written(log, actions, cuts):
            for chunk in log.read(state.version, chunk=size):
                state = state.apply(chunk, log)
            for number in range(done, stop):
                model.do(number, actions[number])
            done = stop
            content = state_content(state)
            expected = {entry: model.items.get(entry, {}) for entry in model.alive}
            for entry in model.doubtful() - set(content["items"]):
                del expected[entry]
            assert content["items"] == expected
            assert content["users"] == model.users
            for user in model.users:
                assert content["histories"][user] == model.history(user)
        again = LiveState.replay(log)
        assert again.version == state.version
        assert again.erased == state.erased
        assert state_content(again)["users"] == state_content(state)["users"]
        assert state_content(again)["histories"] == state_content(state)["histories"]
        assert (
            set(state_content(state)["items"]) - set(state_content(again)["items"])
            <= model.doubtful()
        )
        if not any(entry[0] == "erase" for entry in actions):
            assert state_content(again) == state_content(state)
            np.testing.assert_array_equal(again.catalogue.changed, state.catalogue.changed)


@pytest.fixture
def log(tmp_path):
    with EventLog.open(tmp_path) as opened:
        yield opened


def put(log, name, item, **fields):
    return log.append([Event("item", name, "put", item=item, fields=json.dumps(fields))]).version


def folded(state, log):
    for chunk in log.read(state.version):
        state = state.apply(chunk, log)
    return state


def test_saying_the_same_again_changes_nothing(log):
    put(log, "1", "a", title="a red lamp", price=3)
    state = folded(LiveState(), log)
    put(log, "2", "a", title="a red lamp", price=3)
    after = folded(state, log)
    assert after.version == 2
    assert after.catalogue.changed.tolist() == [1]
    put(log, "3", "a", title="a red lamp", price=4)
    assert folded(after, log).catalogue.changed.tolist() == [3]


def test_a_view_does_not_bring_a_deleted_item_back_and_a_put_does(log):
    put(log, "1", "a", title="a red lamp")
    log.append([Event("item", "2", "delete", item="a")])
    log.append([Event("interaction", "3", "view", "u", "a", 1)])
    state = folded(LiveState(), log)
    assert not state.catalogue.alive[0]
    put(log, "4", "a", title="another lamp")
    assert folded(state, log).catalogue.alive[0]


def test_an_erased_user_who_comes_back_is_somebody_new(log):
    log.append([Event("interaction", "1", "view", "u", "a", 1)])
    state = folded(LiveState(), log)
    log.append([Event("erase", "2", user="u"), Event("interaction", "3", "view", "u", "b", 2)])
    after = folded(state, log)
    assert state.users.numbers(["u"]).tolist() == [-1]  # its number belongs to nobody any more
    assert after.users.numbers(["u", ""]).tolist() == [1, -1]
    assert history(after, "u") == [("b", 1.0)]
    assert after.erased == ((2, 0),)
    assert state_content(LiveState.replay(log))["histories"] == {"u": [("b", 1.0)]}


def test_events_without_time_stand_in_the_order_of_their_positions(log):
    log.append(
        [
            Event("interaction", "1", "view", "u", "second", position=2),
            Event("interaction", "2", "view", "u", "first", position=1),
        ]
    )
    log.append([Event("interaction", "3", "view", "u", "third", 1_600_000_000_000_000)])
    assert [item for item, _ in history(folded(LiveState(), log), "u")] == [
        "first",
        "second",
        "third",
    ]


def test_weights_of_rejections_are_told(log):
    log.append([Event("interaction", "1", "hide", "u", "a", 1)])
    events = folded(LiveState(), log).history(np.array([0], np.int32), WEIGHTS)
    assert events.weights.tolist() == [-1.0]
