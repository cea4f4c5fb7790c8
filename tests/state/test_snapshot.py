"""The fold and the snapshot are two readings of one log: what is trained on is what is served."""

import tempfile

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.eventlog.snapshot import snapshot
from plait.state import DatasetState, LiveState
from tests.state.log_fixtures import WEIGHTS, action, event_of, history, open_log, state_content


@settings(deadline=None, max_examples=40)
@given(st.lists(action, max_size=40))
def test_a_state_built_from_a_snapshot_is_the_fold(actions):
    with tempfile.TemporaryDirectory() as folder, open_log(folder) as log:
        log.append([event_of(number, entry) for number, entry in enumerate(actions)])
        folded, built = LiveState.replay(log), DatasetState.of(snapshot(log))
        assert built.version == folded.version
        assert state_content(built)["items"] == state_content(folded)["items"]
        assert state_content(built)["users"] == state_content(folded)["users"]
        for user in state_content(folded)["users"]:
            assert history(built, user) == history(folded, user)


@settings(deadline=None, max_examples=20)
@given(st.lists(action, max_size=40), st.lists(st.sampled_from([-1, 0, 1, 2, 3]), max_size=5))
def test_histories_of_many_are_those_of_each(actions, users):
    with tempfile.TemporaryDirectory() as folder, open_log(folder) as log:
        log.append([event_of(number, single) for number, single in enumerate(actions)])
        asked = np.array(users, np.int32)
        for state in (LiveState.replay(log), DatasetState.of(snapshot(log))):
            many = state.history(asked, WEIGHTS)
            for place in range(len(users)):
                single = state.history(asked[place : place + 1], WEIGHTS)
                part = many.slice(place, place + 1)
                for name in ("items", "times", "weights"):
                    np.testing.assert_array_equal(getattr(single, name), getattr(part, name))
