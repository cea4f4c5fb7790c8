"""A merge is a record of the log: live state, snapshots and replays agree, and it can be undone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.types import Event
from plait.data.user_merges import UserMerges
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.state.live_state import LiveState

T = 1_700_000_000_000_000
DAY = 86_400_000_000


def click(name: str, user: str, item: str, day: int = 0) -> Event:
    return Event("interaction", name, "view", user, item, T + day * DAY)


def merge(name: str, source: str, into: str | None, day: int = 0) -> Event:
    kind = "merge" if into else "unmerge"
    return Event("merge", name, kind, source, into, T + day * DAY)


def applied(log: EventLog) -> LiveState:
    """The state after the events one by one, which a replay must equal."""
    state = LiveState()
    for chunk in log.read(chunk=1):
        state = state.apply(chunk, log)
    replayed = LiveState.replay(log)
    assert dict(state.merges.targets) == dict(replayed.merges.targets)
    assert state.users.ids == replayed.users.ids
    for user in range(len(state.users)):
        assert history(state, user) == history(replayed, user)
    return state


def history(state: LiveState, user: int | str) -> list[str]:
    number = state.users.number(user) if isinstance(user, str) else user
    past = state.history(np.array([number], np.int32), {})
    return [state.catalogue.ids[item] for item in past.items]


def rows_of(log: EventLog, until_time: int | None = None) -> dict[str, list[str]]:
    dataset = snapshot(log, until_time=until_time)
    rows: dict[str, list[str]] = {}
    columns = dataset.interactions
    for user, item in zip(columns.users.tolist(), columns.items.tolist(), strict=True):
        rows.setdefault(dataset.users.ids[user], []).append(dataset.catalogue.ids[item])
    return rows


def test_a_guest_becomes_a_customer_and_can_be_taken_back(log: EventLog) -> None:
    log.append(
        [click("a", "guest", "i", 0), click("b", "ann", "j", 1), click("c", "guest", "k", 2)]
    )
    log.append([merge("m", "guest", "ann", 3), click("d", "guest", "l", 4)])
    state = applied(log)
    assert history(state, "ann") == history(state, "guest") == ["i", "j", "k", "l"]
    assert rows_of(log) == {"ann": ["i", "j", "k", "l"]}
    assert log.user_ids() == ["guest", "ann"]
    log.append([merge("u", "guest", None, 5)])
    state = applied(log)
    assert history(state, "ann") == ["j"]
    assert history(state, "guest") == ["i", "k", "l"]
    assert rows_of(log) == {"ann": ["j"], "guest": ["i", "k", "l"]}


def test_a_snapshot_of_a_time_knows_the_merges_before_it(log: EventLog) -> None:
    log.append(
        [click("a", "guest", "i", 0), click("b", "ann", "j", 1), merge("m", "guest", "ann", 5)]
    )
    assert rows_of(log, T + 4 * DAY) == {"ann": ["j"], "guest": ["i"]}
    assert rows_of(log, T + 6 * DAY) == {"ann": ["i", "j"]}


def test_unknown_users_may_be_merged(log: EventLog) -> None:
    log.append([merge("m", "guest", "ann")])
    assert log.user_ids() == ["ann", "guest"]
    assert history(applied(log), "ann") == []
    log.append([click("a", "guest", "i"), click("b", "ann", "j", 1)])
    assert history(applied(log), "ann") == ["i", "j"]
    assert snapshot(log).n_users == 2


def test_chains_and_circles(log: EventLog) -> None:
    log.append([click(name, name, f"of {name}", day) for day, name in enumerate("abc")])
    log.append([merge("1", "a", "b"), merge("2", "b", "c")])
    assert history(applied(log), "a") == ["of a", "of b", "of c"]
    log.append([merge("3", "c", "a")])  # a circle changes nothing
    assert history(applied(log), "c") == ["of a", "of b", "of c"]
    log.append([merge("4", "b", None)])
    state = applied(log)
    assert history(state, "b") == ["of a", "of b"]
    assert history(state, "c") == ["of c"]


@pytest.mark.parametrize("erased", ["guest", "ann"])
def test_erasing_one_erases_both(log: EventLog, erased: str) -> None:
    log.append([click("a", "guest", "i"), click("b", "ann", "j"), click("c", "bob", "k")])
    log.append([merge("m", "guest", "ann")])
    before = LiveState.replay(log)
    version = log.erase(erased)
    assert version == log.version == 6
    assert log.user_ids() == ["", "", "bob"]
    assert rows_of(log) == {"bob": ["k"]}
    state = applied(log)
    assert not state.merges.targets
    for chunk in log.read(before.version):
        before = before.apply(chunk, log)
    assert not before.merges.targets
    assert history(before, 0) == history(before, 1) == []
    log.append([click("d", "guest", "i")])  # the id starts as a new person
    assert rows_of(log) == {"bob": ["k"], "guest": ["i"]}


def test_no_id_of_one_user_stands_in_a_row_of_another(log: EventLog) -> None:
    log.append([click("a", "guest-17", "i"), click("b", "customer-4711", "j")])
    log.append([merge("m", "guest-17", "customer-4711"), merge("u", "guest-17", None)])
    log.erase("customer-4711")
    assert rows_of(log) == {"guest-17": ["i"]}
    for chunk in log.read():
        assert "customer-4711" not in "".join(fields or "" for fields in chunk.fields)


def test_wrong_merges_are_rejected(log: EventLog) -> None:
    rows = log.append([merge("m", "ann", "ann"), Event("merge", "n", "merge", None, "ann", T)]).rows
    assert [(row.status, row.field) for row in rows] == [("rejected", "into"), ("rejected", "user")]
    assert [row.status for row in log.append([merge("m", "a", "b")] * 2).rows] == [
        "stored",
        "duplicate",
    ]


edges = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 5)), max_size=12)


@given(edges)
def test_every_merged_user_has_one_root(steps: list[tuple[int, int | None]]) -> None:
    merges = UserMerges()
    for source, target in steps:
        if source != target:
            merges = merges.merged(source, target)
    numbers = np.arange(-1, 6, dtype=np.int32)
    roots = merges.root_numbers(numbers).tolist()
    assert roots == [merges.root(number) for number in numbers.tolist()]
    for number in range(6):
        root = merges.root(number)
        assert merges.root(root) == root
        assert number in merges.person(number)
        assert merges.person(number) == merges.person(root)
        assert not merges.without(range(6)).targets


def test_erasing_follows_merges_of_another_process_after_an_earlier_erasure(
    log: EventLog, log_location: str
) -> None:
    log.append([click("a", "guest", "i"), click("b", "ann", "j"), click("c", "bob", "k")])
    log.erase("bob")  # this process has read the merges up to here
    with EventLog.open(log_location) as other:
        other.append([merge("m", "guest", "ann")])
    log.erase("ann")
    assert log.numbers("user", ["guest", "ann"]) == {}


def test_erasing_leaves_a_user_who_was_taken_apart_after_an_earlier_erasure(log: EventLog) -> None:
    log.append([click("a", "guest", "i"), click("b", "ann", "j"), click("c", "bob", "k")])
    log.append([merge("m", "guest", "ann")])
    log.erase("bob")
    log.append([merge("n", "guest", None)])
    log.erase("ann")
    assert list(log.numbers("user", ["guest", "ann"])) == ["guest"]
