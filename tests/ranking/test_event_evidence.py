"""The counts that sentences are checked against."""

import numpy as np
import pytest

from plait.data.types import History
from plait.pipeline.fitted_state import read_state, write_state
from plait.ranking.explanation.event_evidence import (
    ANY,
    Action,
    EventEvidence,
    PopularityLimits,
    past_actions,
)
from plait.testing.synthetic_data import make_dataset, positions_only
from plait.utils.timestamps import DAY

LIMITS = PopularityLimits(days=28.0, items=50, users=3)
ACTIONS = {"view": Action.VIEWED, "purchase": Action.BOUGHT}
ALIVE = np.ones(20, np.bool_)


def evidence(dataset, **more):
    return EventEvidence.of(dataset, ACTIONS, LIMITS, **more)


def test_users_of_both_items_are_counted_once_each_and_only_the_living():
    events = [(f"u{user}", item, time) for user in range(3) for item, time in (("a", 0), ("b", 1))]
    dataset = make_dataset([*events, ("u0", "a", 2), ("u0", "b", 3), ("u9", "c", 4)])
    a, b, c = (dataset.catalogue.number(name) for name in "abc")
    counted = evidence(dataset)
    assert counted.are_together(a, b, Action.VIEWED, 3, ALIVE)
    assert not counted.are_together(a, b, Action.VIEWED, 4, ALIVE)
    assert not counted.are_together(a, b, Action.BOUGHT, 1, ALIVE)
    assert not counted.are_together(a, c, ANY, 1, ALIVE)
    erased = ALIVE.copy()
    erased[dataset.users.number("u1")] = False
    assert not counted.are_together(a, b, ANY, 3, erased)
    assert not counted.are_together(a, 99, ANY, 1, ALIVE)


def test_others_are_not_the_user():
    dataset = make_dataset([("u", "a", 0), ("v", "b", 0), ("u", "b", 1)])
    a, b = (dataset.catalogue.number(name) for name in "ab")
    user = dataset.users.number("u")
    assert not evidence(dataset).others_chose(a, user, ALIVE)
    assert evidence(dataset).others_chose(a, -1, ALIVE)
    assert evidence(dataset).others_chose(b, user, ALIVE)
    assert not evidence(dataset).others_chose(99, user, ALIVE)


def test_popular_now_counts_a_user_once_a_day_in_the_last_days():
    old = [(f"u{user}", "old", user) for user in range(9)]
    new = [(f"u{user}", "new", 100 + user / 100) for user in range(4)]
    loud = [("u0", "loud", 100 + second / 1000) for second in range(50)]
    dataset = make_dataset([*old, *new, *loud])
    numbers = {name: dataset.catalogue.number(name) for name in ("old", "new", "loud")}
    counted = evidence(dataset)
    assert counted.popular_now[""].tolist() == [numbers["new"]]
    assert counted.popular_ever[""].tolist() == sorted([numbers["old"], numbers["new"]])


def test_without_times_nothing_is_popular_now():
    counted = evidence(positions_only())
    assert not counted.popular_now
    assert len(counted.popular_ever[""])


def test_evidence_of_no_events():
    counted = evidence(make_dataset([("u", "a", 0)]).keep(np.zeros(1, np.bool_)))
    assert not counted.popular_now
    assert not counted.others_chose(0, -1, ALIVE)


def test_evidence_is_saved(tmp_path):
    dataset = make_dataset([(f"u{user}", item, user) for user in range(4) for item in "ab"])
    write_state(tmp_path, {"evidence": evidence(dataset)}, {"evidence": EventEvidence})
    loaded = read_state(tmp_path, {"evidence": EventEvidence})["evidence"]
    assert loaded.are_together(0, 1, ANY, 4, ALIVE)
    assert loaded.popular_now[""].tolist() == evidence(dataset).popular_now[""].tolist()


@pytest.mark.parametrize(("row", "expected"), [(0, {}), (1, {7: {Action.BOUGHT: (2, 2)}})])
def test_past_actions_count_moments_and_days(row, expected):
    history = History(
        np.array([0, 1, 5]),
        np.array([3, 7, 7, 7, 4], np.int32),
        np.array([0, 5, 5, DAY, 9]),
        np.full(5, float(Action.BOUGHT), np.float32),
    )
    assert past_actions(history, row, [7]) == expected
