"""Who is asked, from what, for what."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ProtocolError
from plait.splitting.splits import (
    DAY,
    default_split,
    leave_one_out,
    repeat_share,
    time_split,
    window,
)
from tests.dataset_fixtures import random_rows, world

ANNA = [("anna", item, day) for day, item in enumerate("abcd")]
BEN = [("ben", "a", 0), ("ben", "e", 9)]


def names(dataset, numbers):
    return "".join(dataset.catalogue.id(int(one)) for one in numbers)


def test_the_last_event_is_asked_from_everything_before_it():
    data = world([*ANNA, *BEN])
    split = leave_one_out(data, "test")
    assert len(split) == 1
    assert names(data, split.targets[0]) == "d"
    assert names(data, split.queries.history.items) == "abc"
    assert names(data, split.queries.seen[0]) == "abc"
    assert split.queries.times.tolist() == [3 * DAY]


def test_validation_asks_for_the_event_before_and_knows_less():
    data = world([*ANNA, *BEN])
    split = leave_one_out(data, "validation")
    assert names(data, split.targets[0]) == "c"
    assert names(data, split.queries.history.items) == "ab"


@pytest.mark.parametrize("fold", ["test", "validation"])
def test_train_lacks_the_last_two_of_long_histories_only(fold):
    data = world([*ANNA, *BEN])
    train = leave_one_out(data, fold).train
    assert names(data, train.interactions.items) == "abae"


def test_targets_seen_before_are_left_out_and_counted():
    data = world([("anna", item, day) for day, item in enumerate("abca")] + ANNA[:0] + BEN)
    removed = leave_one_out(data, "test", "remove")
    assert (len(removed), removed.excluded) == (0, 1)
    kept = leave_one_out(data, "test", "keep")
    assert (len(kept), kept.excluded) == (1, 0)
    assert kept.queries.keep_seen.tolist() == [True]


def test_goal_kinds_choose_the_targets_and_other_kinds_stay_in_the_history():
    rows = [
        ("anna", "a", 0, "buy"),
        ("anna", "b", 1, "buy"),
        ("anna", "c", 2, "view"),
        ("anna", "d", 3, "buy"),
        ("anna", "e", 4, "return"),
    ]
    data = world(rows)
    split = leave_one_out(data, goal=("buy",), kinds={"view": 0.5, "return": -1})
    assert names(data, split.targets[0]) == "d"
    assert names(data, split.queries.history.items) == "abc"
    assert split.queries.history.weights.tolist() == [1, 1, 0.5]


def test_without_a_goal_rejections_are_no_targets():
    rows = [("anna", item, day) for day, item in enumerate("abcd")] + [("anna", "e", 5, "hide")]
    data = world(rows)
    split = leave_one_out(data, kinds={"hide": -1})
    assert names(data, split.targets[0]) == "d"
    assert names(data, time_split(data, 2 * DAY, kinds={"hide": -1}).targets[0]) == "d"
    assert len(leave_one_out(data, kinds={"*": 0})) == 0


def test_rejected_items_are_hidden_seen_and_no_history():
    rows = [("anna", item, day) for day, item in enumerate("abcd")]
    rows[1] = ("anna", "b", 1, "return")
    data = world(rows)
    split = leave_one_out(data, goal=("purchase",), kinds={"return": -1})
    assert names(data, split.queries.rejected[0]) == "b"
    assert names(data, split.queries.history.items) == "ac"
    assert names(data, split.queries.seen[0]) == "abc"


def test_time_split_asks_who_acts_later_from_what_was_at_the_cut():
    data = world([*ANNA, *BEN, ("cleo", "f", 8), ("dora", "a", 1)])
    split = time_split(data, 2 * DAY)
    assert [data.users.id(int(one)) for one in split.users] == ["anna", "ben", "cleo"]
    assert [names(data, split.targets[row]) for row in range(3)] == ["d", "e", "f"]
    assert [names(data, split.queries.seen[row]) for row in range(3)] == ["abc", "a", ""]
    assert (split.queries.times == 2 * DAY).all()
    assert split.queries.users.tolist() == [0, 1, -1]
    assert split.train.interactions.times.max() == 2 * DAY


def test_time_split_targets_are_distinct_and_end_with_the_window():
    data = world([("anna", "a", 0), ("anna", "b", 5), ("anna", "b", 6), ("anna", "c", 9)])
    split = time_split(data, 1 * DAY, 7 * DAY)
    assert names(data, split.targets[0]) == "b"


def test_time_split_removes_seen_targets_if_told():
    data = world(
        [("anna", "a", 0), ("anna", "a", 5), ("anna", "b", 6), ("ben", "c", 0), ("ben", "c", 8)]
    )
    split = time_split(data, 1 * DAY, None, "remove")
    assert split.excluded == 2
    assert [names(data, split.targets[row]) for row in range(len(split))] == ["b"]


def test_items_that_come_after_the_cut_are_unknown_to_train_and_new_when_asked():
    fields = {one: {"colour": "red"} for one in "abcdef"}
    data = world([*ANNA, *BEN], items="abcdef", item_fields=fields)
    split = time_split(data, 2 * DAY)
    late = [data.catalogue.number(one) for one in "de"]
    never = data.catalogue.number("f")
    assert not split.train.catalogue.alive[late].any()
    assert split.train.catalogue.fields(late[0]) == {}
    assert split.train.catalogue.alive[never]
    assert split.asked.catalogue.alive.all()
    assert split.asked.catalogue.fields(late[0]) == {"colour": "red"}
    newer = split.asked.catalogue.changed > split.train.version
    assert np.flatnonzero(newer).tolist() == late
    assert data.catalogue.fields(late[0]) == {"colour": "red"}
    assert np.flatnonzero(split.new).tolist() == [*late, never]


def test_items_that_come_after_the_window_are_not_known_when_asked():
    fields = {one: {"colour": "red"} for one in "abcdef"}
    data = world([*ANNA, *BEN], items="abcdef", item_fields=fields)
    whole = time_split(data, 1 * DAY)
    split = time_split(data, 1 * DAY, 2 * DAY)
    later = data.interactions.times > 2 * DAY
    early = set(data.interactions.items[~later].tolist())
    after = sorted(set(data.interactions.items[later].tolist()) - early)
    assert after
    assert whole.asked.catalogue.alive[after].all()
    assert not split.asked.catalogue.alive[after].any()
    assert split.asked.catalogue.fields(after[0]) == {}
    assert not (split.asked.catalogue.changed[after] > split.train.version).any()
    assert split.asked.catalogue.alive[sorted(early)].all()


def test_positions_cannot_be_cut_by_time():
    with pytest.raises(ProtocolError, match="leave-one-out"):
        time_split(world(ANNA, clock="position"), 1)


def test_positions_are_asked_at_no_time():
    assert leave_one_out(world(ANNA, clock="position")).queries.times.tolist() == [0]


def test_fields_of_users_are_context():
    data = world([*ANNA, *BEN], user_fields={"anna": {"country": "NO"}})
    assert leave_one_out(data).queries.contexts == ({"user": {"country": "NO"}},)


def test_default_split_takes_the_last_window_of_a_long_log():
    data = world(random_rows(users=60, days=100))
    split = default_split(data)
    assert window(data) < 20 * DAY
    cut = data.interactions.times.max() - window(data)
    assert (split.queries.times == cut).all()
    assert split.queries.keep_seen is None


@pytest.mark.parametrize("rows", [random_rows(days=2), [(u, i, d * 0) for u, i, d in ANNA]])
def test_default_split_of_a_short_log_leaves_one_out(rows):
    data = world(rows)
    split = default_split(data)
    assert (split.targets.lengths == 1).all()
    assert split.queries.keep_seen is None


def test_sampling_is_seeded_and_in_order():
    data = world(random_rows())
    whole = leave_one_out(data, seen="keep")
    one = leave_one_out(data, seen="keep", most=10, seed=4)
    two = leave_one_out(data, seen="keep", most=10, seed=4)
    assert len(one) == 10
    assert one.users.tolist() == two.users.tolist() == sorted(one.users.tolist())
    at = np.searchsorted(whole.users, one.users)
    for row, place in enumerate(at):
        assert one.targets[row].tolist() == whole.targets[int(place)].tolist()
        assert one.queries.seen[row].tolist() == whole.queries.seen[int(place)].tolist()


def test_repeats_are_counted_by_goal():
    rows = [("anna", "a", 0, "view"), ("anna", "a", 1, "buy"), ("anna", "a", 2, "buy")]
    assert repeat_share(world(rows), ("buy",)) == pytest.approx(1 / 2)
    assert repeat_share(world(rows)) == pytest.approx(2 / 3)


def test_an_empty_log_has_nobody_to_ask():
    data = world([])
    assert len(leave_one_out(data)) == 0
    assert len(default_split(data)) == 0
    assert len(time_split(data, 0)) == 0


events = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcdef"), st.integers(0, 9)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(events, st.sampled_from(["test", "validation"]), st.sampled_from(["keep", "remove"]))
def test_leave_one_out_never_shows_what_comes_later(rows, fold, seen):
    data = world(rows)
    split = leave_one_out(data, fold, seen)
    back = 1 if fold == "test" else 2
    for row, user in enumerate(split.users):
        own = np.flatnonzero(data.interactions.users == user)
        assert split.targets[row].tolist() == [data.interactions.items[own[-back]]]
        expected = data.interactions.items[own[:-back]].tolist()
        assert split.queries.seen[row].tolist() == expected
        assert split.queries.history.ragged[row].tolist() == expected
        if seen == "remove":
            assert split.targets[row][0] not in expected
        trained = split.train.interactions.offsets[split.train.interactions.users == user]
        assert not np.isin(data.interactions.offsets[own[-2:]], trained).any()
    long = (np.bincount(data.interactions.users, minlength=data.n_users) >= 3).sum()
    assert len(split) + split.excluded == long


@settings(max_examples=60, deadline=None)
@given(events, st.integers(0, 9), st.sampled_from(["keep", "remove"]))
def test_a_time_split_never_shows_what_comes_later(rows, day, seen):
    data = world(rows)
    split = time_split(data, day * DAY, None, seen)
    assert (split.train.interactions.times <= day * DAY).all()
    assert (split.queries.history.times <= day * DAY).all()
    late = [(u, i) for u, i, d in rows if d > day]
    early = {(u, i) for u, i, d in rows if d <= day}
    wanted = {pair for pair in late if seen == "keep" or pair not in early}
    found = {
        (data.users.id(int(split.users[row])), data.catalogue.id(int(item)))
        for row in range(len(split))
        for item in split.targets[row]
    }
    assert found == wanted
    assert split.excluded == (len(set(late) & early) if seen == "remove" else 0)
