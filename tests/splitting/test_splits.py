"""Tests of the splits: queries, histories, targets and training data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ProtocolError
from plait.splitting.splits import (
    default_split,
    leave_one_out,
    repeat_share,
    time_split,
    window,
)
from plait.utils.timestamps import DAY
from tests.dataset_fixtures import random_rows, world

ANNA = [("anna", item, day) for day, item in enumerate("abcd")]
BEN = [("ben", "a", 0), ("ben", "e", 9)]


def names(dataset, numbers):
    return "".join(dataset.catalogue.id(int(number)) for number in numbers)


def test_leave_one_out_targets_the_last_event_with_all_before_as_history():
    data = world([*ANNA, *BEN])
    split = leave_one_out(data, "test")
    assert len(split) == 1
    assert names(data, split.targets[0]) == "d"
    assert names(data, split.queries.history.items) == "abc"
    assert names(data, split.queries.seen[0]) == "abc"
    assert split.queries.times.tolist() == [3 * DAY]


def test_validation_targets_the_last_event_but_one():
    data = world([*ANNA, *BEN])
    split = leave_one_out(data, "validation")
    assert names(data, split.targets[0]) == "c"
    assert names(data, split.queries.history.items) == "ab"


@pytest.mark.parametrize("fold", ["test", "validation"])
def test_training_data_lacks_the_last_two_events_of_long_histories_only(fold):
    data = world([*ANNA, *BEN])
    train = leave_one_out(data, fold).train
    assert names(data, train.interactions.items) == "abae"


def test_seen_targets_are_excluded_and_counted_if_removed():
    data = world([*(("anna", item, day) for day, item in enumerate("abca")), *BEN])
    removed = leave_one_out(data, "test", "remove")
    assert (len(removed), removed.excluded) == (0, 1)
    retained = leave_one_out(data, "test", "keep")
    assert (len(retained), retained.excluded) == (1, 0)
    assert retained.queries.keep_seen.tolist() == [True]


def test_target_event_types_choose_targets_and_other_types_stay_in_the_history():
    rows = [
        ("anna", "a", 0, "buy"),
        ("anna", "b", 1, "buy"),
        ("anna", "c", 2, "view"),
        ("anna", "d", 3, "buy"),
        ("anna", "e", 4, "return"),
    ]
    data = world(rows)
    split = leave_one_out(data, target_events=("buy",), event_weights={"view": 0.5, "return": -1})
    assert names(data, split.targets[0]) == "d"
    assert names(data, split.queries.history.items) == "abc"
    assert split.queries.history.weights.tolist() == [1, 1, 0.5]


def test_event_types_without_positive_weight_are_not_targets_by_default():
    rows = [("anna", item, day) for day, item in enumerate("abcd")] + [("anna", "e", 5, "hide")]
    data = world(rows)
    split = leave_one_out(data, event_weights={"hide": -1})
    assert names(data, split.targets[0]) == "d"
    assert names(data, time_split(data, 2 * DAY, event_weights={"hide": -1}).targets[0]) == "d"
    assert len(leave_one_out(data, event_weights={"*": 0})) == 0


def test_rejected_items_are_seen_but_not_in_the_history():
    rows = [("anna", item, day) for day, item in enumerate("abcd")]
    rows[1] = ("anna", "b", 1, "return")
    data = world(rows)
    split = leave_one_out(data, target_events=("purchase",), event_weights={"return": -1})
    assert names(data, split.queries.rejected[0]) == "b"
    assert names(data, split.queries.history.items) == "ac"
    assert names(data, split.queries.seen[0]) == "abc"


def test_time_split_has_a_query_at_the_cut_for_each_user_with_a_later_event():
    data = world([*ANNA, *BEN, ("cleo", "f", 8), ("dora", "a", 1)])
    split = time_split(data, 2 * DAY)
    assert [data.users.id(int(user)) for user in split.users] == ["anna", "ben", "cleo"]
    assert [names(data, split.targets[row]) for row in range(3)] == ["d", "e", "f"]
    assert [names(data, split.queries.seen[row]) for row in range(3)] == ["abc", "a", ""]
    assert (split.queries.times == 2 * DAY).all()
    assert split.queries.users.tolist() == [0, 1, -1]
    assert split.train.interactions.times.max() == 2 * DAY


def test_time_split_targets_are_distinct_and_end_with_the_period():
    data = world([("anna", "a", 0), ("anna", "b", 5), ("anna", "b", 6), ("anna", "c", 9)])
    split = time_split(data, 1 * DAY, 7 * DAY)
    assert names(data, split.targets[0]) == "b"


def test_time_split_excludes_seen_targets_if_removed():
    data = world(
        [("anna", "a", 0), ("anna", "a", 5), ("anna", "b", 6), ("ben", "c", 0), ("ben", "c", 8)]
    )
    split = time_split(data, 1 * DAY, None, "remove")
    assert split.excluded == 2
    assert [names(data, split.targets[row]) for row in range(len(split))] == ["b"]


def test_items_first_seen_after_the_cut_are_unknown_to_training_and_new_to_queries():
    fields = {item_id: {"colour": "red"} for item_id in "abcdef"}
    data = world([*ANNA, *BEN], items="abcdef", item_fields=fields)
    split = time_split(data, 2 * DAY)
    late = [data.catalogue.number(item_id) for item_id in "de"]
    never = data.catalogue.number("f")
    assert not split.train.catalogue.alive[late].any()
    assert split.train.catalogue.fields(late[0]) == {}
    assert split.train.catalogue.alive[never]
    assert split.query_time_data.catalogue.alive.all()
    assert split.query_time_data.catalogue.fields(late[0]) == {"colour": "red"}
    newer = split.query_time_data.catalogue.changed > split.train.version
    assert np.flatnonzero(newer).tolist() == late
    assert data.catalogue.fields(late[0]) == {"colour": "red"}
    assert np.flatnonzero(split.new).tolist() == [*late, never]


def test_items_first_seen_after_the_period_are_unknown_to_queries():
    fields = {item_id: {"colour": "red"} for item_id in "abcdef"}
    data = world([*ANNA, *BEN], items="abcdef", item_fields=fields)
    whole = time_split(data, 1 * DAY)
    split = time_split(data, 1 * DAY, 2 * DAY)
    later = data.interactions.times > 2 * DAY
    early = set(data.interactions.items[~later].tolist())
    after = sorted(set(data.interactions.items[later].tolist()) - early)
    assert after
    assert whole.query_time_data.catalogue.alive[after].all()
    assert not split.query_time_data.catalogue.alive[after].any()
    assert split.query_time_data.catalogue.fields(after[0]) == {}
    assert not (split.query_time_data.catalogue.changed[after] > split.train.version).any()
    assert split.query_time_data.catalogue.alive[sorted(early)].all()


def test_time_split_of_positions_is_an_error():
    with pytest.raises(ProtocolError) as caught:
        time_split(world(ANNA, clock="position"), 1)
    assert caught.value.field == "protocol"


def test_queries_on_positions_have_time_0():
    assert leave_one_out(world(ANNA, clock="position")).queries.times.tolist() == [0]


def test_fields_of_users_are_in_the_context():
    data = world([*ANNA, *BEN], user_fields={"anna": {"country": "NO"}})
    assert leave_one_out(data).queries.contexts == ({"user": {"country": "NO"}},)


def test_default_split_of_a_long_log_is_by_time():
    data = world(random_rows(users=60, days=100))
    split = default_split(data)
    assert window(data) < 20 * DAY
    cut = data.interactions.times.max() - window(data)
    assert (split.queries.times == cut).all()
    assert split.queries.keep_seen is None


@pytest.mark.parametrize("rows", [random_rows(days=2), [(u, i, d * 0) for u, i, d in ANNA]])
def test_default_split_of_a_short_log_is_leave_one_out(rows):
    data = world(rows)
    split = default_split(data)
    assert (split.targets.lengths == 1).all()
    assert split.queries.keep_seen is None


def test_sampled_queries_are_a_function_of_the_seed_and_in_order():
    data = world(random_rows())
    whole = leave_one_out(data, seen="keep")
    sample = leave_one_out(data, seen="keep", max_queries=10, seed=4)
    again = leave_one_out(data, seen="keep", max_queries=10, seed=4)
    assert len(sample) == 10
    assert sample.users.tolist() == again.users.tolist() == sorted(sample.users.tolist())
    whole_rows = np.searchsorted(whole.users, sample.users).tolist()
    for row, whole_row in enumerate(whole_rows):
        assert sample.targets[row].tolist() == whole.targets[whole_row].tolist()
        assert sample.queries.seen[row].tolist() == whole.queries.seen[whole_row].tolist()


def test_repeat_share_counts_target_events():
    rows = [("anna", "a", 0, "view"), ("anna", "a", 1, "buy"), ("anna", "a", 2, "buy")]
    assert repeat_share(world(rows), ("buy",)) == pytest.approx(1 / 2)
    assert repeat_share(world(rows)) == pytest.approx(2 / 3)


def test_splits_of_an_empty_log_have_no_queries():
    data = world([])
    assert len(leave_one_out(data)) == 0
    assert len(default_split(data)) == 0
    assert len(time_split(data, 0)) == 0


events = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcdef"), st.integers(0, 9)), max_size=40
)


@settings(max_examples=60)
@given(events, st.sampled_from(["test", "validation"]), st.sampled_from(["keep", "remove"]))
def test_leave_one_out_shows_no_later_event(rows, fold, seen):
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


@settings(max_examples=60)
@given(events, st.integers(0, 9), st.sampled_from(["keep", "remove"]))
def test_time_split_shows_no_later_event(rows, day, seen):
    data = world(rows)
    split = time_split(data, day * DAY, None, seen)
    assert (split.train.interactions.times <= day * DAY).all()
    assert (split.queries.history.times <= day * DAY).all()
    late = [(u, i) for u, i, d in rows if d > day]
    early = {(u, i) for u, i, d in rows if d <= day}
    expected = {pair for pair in late if seen == "keep" or pair not in early}
    targets = {
        (data.users.id(int(split.users[row])), data.catalogue.id(int(item)))
        for row in range(len(split))
        for item in split.targets[row]
    }
    assert targets == expected
    assert split.excluded == (len(set(late) & early) if seen == "remove" else 0)
