"""The newest interactions: versions share memory and stay as they were."""

import numpy as np

from plait.data import recent_interactions
from plait.data.recent_interactions import RecentInteractions


def appended(recent, *users):
    column = np.array(users, np.int64)
    return recent.with_rows(column * 10, column, column, column, column)


def users(recent, start=0):
    return recent.rows(start)["user"].tolist()


def test_versions_stay_as_they_were():
    first = appended(RecentInteractions(), 1, 2)
    second = appended(first, 3)
    branch = appended(first, 4)
    assert users(first) == [1, 2]
    assert users(second) == [1, 2, 3]
    assert users(branch) == [1, 2, 4]
    assert second.last_offset == 30
    assert second.lineage is first.lineage
    assert RecentInteractions().last_offset == -1


def test_rows_from_an_index_on():
    recent = appended(appended(RecentInteractions(), *range(1000)), *range(1000, 3000))
    assert users(recent, 2998) == [2998, 2999]
    assert users(recent, 3000) == []


def test_only_the_newest_stay_and_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(recent_interactions, "MAX_RECENT_ROWS", 100)
    monkeypatch.setattr(recent_interactions, "_FIRST_SIZE", 16)
    recent = RecentInteractions()
    for user in range(5000):
        recent = appended(recent, user)
    assert len(recent.buffer) <= 400
    assert recent.stop == 5000
    assert users(recent, 4990) == list(range(4990, 5000))
    assert len(users(recent)) >= 100


def test_without_users_begins_a_new_lineage():
    recent = appended(RecentInteractions(), 1, 2, 1, 3)
    rest = recent.without_users({1})
    assert users(rest) == [2, 3]
    assert rest.lineage is not recent.lineage
    assert users(appended(rest, 4)) == [2, 3, 4]
    assert users(recent) == [1, 2, 1, 3]
