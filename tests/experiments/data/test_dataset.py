"""Data sets from frames: the rules of ingest, filters, k-core and splits."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import plait
from plait.errors import InputError

ROWS = {
    "user": [1, 1, 1, 2, 2, 3],
    "item": ["a", "b", "c", "a", "b", "d"],
    "rating": [5.0, 3.0, 4.0, 2.0, 5.0, 1.0],
    "time": [10, 20, 30, 15, 25, 40],
}


def pairs(data):
    return [(row["user"], row["item"]) for row in data.to_frame().iter_rows(named=True)]


@pytest.fixture
def ratings():
    return plait.Dataset.of(ROWS)


@pytest.mark.parametrize(
    "make", [dict, pl.DataFrame, pd.DataFrame, pa.table, lambda rows: pl.DataFrame(rows).to_dicts()]
)
def test_every_kind_of_table_gives_the_same_data(make, ratings):
    assert plait.Dataset.of(make(ROWS)).to_frame().equals(ratings.to_frame())


def test_arrays_follow_the_rules_of_ingest(ratings):
    data = plait.Dataset.from_arrays(
        np.array([1.0, 1, 1, 2, 2, 3]),
        ROWS["item"],
        ROWS["time"],
        values=ROWS["rating"],
    )
    assert data.to_frame().equals(ratings.to_frame())
    assert data.user_ids == ["1", "2", "3"]  # a whole number has no point, as ingest says


def test_a_row_without_a_user_is_left_out_with_a_warning():
    rows = [{"user": "1", "item": "a"}, {"user": float("nan"), "item": "b"}]
    with pytest.warns(UserWarning, match="1 rows of events"):
        data = plait.Dataset.of(rows)
    assert pairs(data) == [("1", "a")]


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(InputError):
        plait.Dataset.from_arrays(["1", "2"], ["a"])


@pytest.mark.parametrize(
    "events",
    [None, pd.DataFrame(ROWS).user, pl.Series([1]), np.zeros(3), pd.DataFrame(ROWS)[:0], [], {}],
    ids=["none", "pandas", "polars", "numpy", "no rows", "empty list", "empty dictionary"],
)
def test_events_that_are_no_table_or_empty_are_refused(events):
    with pytest.raises(InputError) as problem:
        plait.Dataset.of(events)
    assert problem.value.field == "events"


def test_values_without_names_are_refused_with_the_call_that_reads_them():
    matrix = sparse.csr_matrix([[1.0, 0.0], [0.0, 2.0]])
    for events in ([("ann", "mug")], [["ann", "mug", 5.0]], matrix):
        with pytest.raises(InputError) as problem:
            plait.Dataset.of(events)
        assert problem.value.field == "events"
        assert "from_arrays" in problem.value.hint
    coo = matrix.tocoo()
    data = plait.Dataset.from_arrays(coo.row, coo.col, values=coo.data)
    assert data.to_frame()["value"].to_list() == [1.0, 2.0]


def test_a_list_of_tables_is_read_as_a_whole(tmp_path, ratings):
    rows = pl.DataFrame(ROWS)
    rows[4:].write_csv(tmp_path / "rest.csv")
    data = plait.Dataset.of([rows[:2], rows[2:4].to_pandas(), tmp_path / "rest.csv"])
    assert data.to_frame().equals(ratings.to_frame())


def test_catalogue_and_fields_come_with_the_items():
    items = pl.DataFrame({"item": ["a", "z"], "title": ["Lamp", "Vase"]})
    data = plait.Dataset.of(ROWS, items=items)
    assert data.catalogue.fields(data.catalogue.number("z")) == {"title": "Vase"}
    assert "item fields title" in repr(data)
    assert "<td>title</td>" in data._repr_html_()


def test_repr_is_short_and_counts(ratings):
    assert repr(ratings) == "Dataset: 3 users, 4 items, 6 rating\n1970-01-01 to 1970-01-01"


def test_html_escapes_event_types():
    data = plait.Dataset.of([{"user": "1", "item": "a", "kind": "<b>x"}])
    assert "<b>" not in data._repr_html_()


@pytest.mark.parametrize(
    "condition",
    [
        "value >= 4",
        "value >= 4 AND user <> 'user' AND \"user\" < '9'",
        "value >= 4 AND time >= '1970-01-01T00:00:10' AND time < '2000-01-01'",
        pl.col("value") >= 4,
        lambda frame: frame["value"] >= 4,
        np.array([True, False, True, False, True, False]),
    ],
    ids=["sql", "user", "time", "expression", "function", "mask"],
)
def test_filter_keeps_the_interactions_that_meet_the_condition(ratings, condition):
    filtered = ratings.filter(condition)
    assert pairs(filtered) == [("1", "a"), ("1", "c"), ("2", "b")]
    assert not filtered.catalogue.alive[filtered.catalogue.number("d")]
    assert filtered.n_items == ratings.n_items


@pytest.mark.parametrize("condition", ["price > 3", "value >", [True], "value", lambda _: 1])
def test_a_condition_that_is_no_mask_is_refused(ratings, condition):
    with pytest.raises(InputError) as problem:
        ratings.filter(condition)
    assert problem.value.field == "condition"


def test_a_mask_of_another_frame_is_refused(ratings):
    with pytest.raises(InputError) as problem:
        ratings.filter(pd.DataFrame(ROWS).rating >= 4)
    assert problem.value.field == "condition"
    assert len(ratings.filter(lambda frame: frame.to_pandas().value >= 4)) == 3


@pytest.mark.parametrize("make", [pl.DataFrame, pl.DataFrame.to_pandas])
def test_a_split_of_ones_own_comes_with_its_frames(ratings, make):
    rows = pl.DataFrame(ROWS)[[5, 0, 3, 2, 4, 1]]
    train, test = (ratings.matching(make(part)) for part in (rows[:4], rows[4:]))
    assert pairs(train) == [("1", "a"), ("1", "c"), ("2", "a"), ("3", "d")]
    assert pairs(test) == [("1", "b"), ("2", "b")]
    assert train.catalogue.ids == test.catalogue.ids
    assert ratings.matching(rows[["user", "item"]][:4]).to_frame().equals(train.to_frame())


def test_matching_tells_interactions_of_a_pair_apart_or_refuses():
    rows = {"user": [1, 1, 1], "item": ["a"] * 3, "time": [1, 2, 2], "kind": ["view"] * 2 + ["buy"]}
    data = plait.Dataset.of(rows)
    frame = pl.DataFrame(rows)
    assert data.matching(frame[2:]).to_frame()["kind"].to_list() == ["buy"]
    assert len(data.matching(frame[:1])) == 1
    for table in (frame[["user", "item"]][:1], {"user": [1], "item": ["b"]}):
        with pytest.raises(InputError) as problem:
            data.matching(table)
        assert problem.value.field == "table"


def test_items_outside_the_core_are_no_candidates():
    data = plait.Dataset.of(ROWS, items=[{"item": item} for item in "abcdz"], users=[{"user": 9}])
    core = data.kcore(2)
    alive = [core.catalogue.id(number) for number in np.flatnonzero(core.catalogue.alive)]
    assert alive == ["a", "b"]
    assert core.users.alive.sum() == 2
    table = plait.score(
        {"x": {"1": ["a"], "2": ["a"]}}, core, k=1, metrics=["coverage"], train=core
    )
    assert table.to_frame()["value"].to_list() == [0.5]


@pytest.mark.parametrize(
    ("method", "arguments", "field"),
    [
        ("kcore", {"least": "5"}, "least"),
        ("kcore", {"items": 1.5}, "items"),
        ("split_last", {"n": "1"}, "n"),
        ("split_last", {"size": 0}, "size"),
        ("split_random", {"share": "0.2"}, "share"),
        ("split_users", {"share": None}, "share"),
        ("sample", {"users": "5"}, "users"),
        ("sample", {"users": float("nan")}, "users"),
    ],
)
def test_an_argument_that_is_no_number_is_refused_by_name(ratings, method, arguments, field):
    with pytest.raises(InputError) as problem:
        getattr(ratings, method)(**arguments)
    assert problem.value.field == field


def test_whole_floats_and_numbers_of_numpy_are_numbers(ratings):
    assert len(ratings.kcore(np.float64(2.0))) == 4
    assert len(ratings.split_last(1.0)[1]) == 2
    assert len(ratings.split_last(np.int64(1))[1]) == 2
    assert len(ratings.sample(users=np.float32(2)).user_ids) == 2


def test_kcore_repeats_until_all_have_enough(ratings):
    assert pairs(ratings.kcore(2)) == [("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")]
    assert len(ratings.kcore(1, users=3)) == 3


def test_parts_of_split_last_have_several_interactions_of_a_user():
    rows = [{"user": "a", "item": f"i{n}", "time": n} for n in range(7)]
    rows += [{"user": "b", "item": f"i{n}", "time": n} for n in range(4)]
    parts = plait.Dataset.of(rows).split_last(2, size=2)
    listed = [part.to_frame().filter(user="a")["item"].to_list() for part in parts]
    assert listed == [["i0", "i1", "i2"], ["i3", "i4"], ["i5", "i6"]]
    assert [len(part.to_frame().filter(user="b")) for part in parts] == [4, 0, 0]


def test_split_last_holds_out_one_part_for_each_place(ratings):
    train, validation, test = ratings.split_last(2)
    assert pairs(validation) == [("1", "b")]
    assert pairs(test) == [("1", "c")]
    assert pairs(train) == [("1", "a"), ("2", "a"), ("2", "b"), ("3", "d")]


def test_split_time_cuts_at_times_and_at_shares(ratings):
    before, after = ratings.split_time("1970-01-01T00:00:25Z")
    assert [len(before), len(after)] == [3, 3]
    assert pairs(ratings.split_time(0.5)[1]) == [("1", "c"), ("2", "b"), ("3", "d")]
    with pytest.raises(InputError):
        ratings.split_time(0.9, 0.1)
    with pytest.raises(InputError):
        plait.Dataset.from_arrays(["1"], ["a"]).split_time(0.5)


@given(share=st.floats(0.05, 0.95), seed=st.integers(0, 5), by=st.sampled_from(["user", "event"]))
def test_split_random_divides_every_interaction_once(share, seed, by):
    data = RANDOM
    train, test = data.split_random(share, by=by, seed=seed)
    assert sorted(pairs(train) + pairs(test)) == sorted(pairs(data))
    if by == "user":
        lengths = np.bincount(data.interactions.users)
        drawn = np.bincount(test.interactions.users, minlength=len(lengths))
        assert (drawn == np.floor(share * lengths + 1e-9)).all()


def test_split_users_separates_users_and_sample_draws_them():
    train, test = RANDOM.split_users(3, seed=1)
    assert len(test.user_ids) == 3
    assert not set(train.user_ids) & set(test.user_ids)
    assert len(RANDOM.sample(users=0.5).user_ids) == 4
    with pytest.raises(InputError):
        RANDOM.sample(users=9)


@pytest.mark.parametrize("arguments", [{"share": 1.0}, {"share": 0}, {"by": "item"}])
def test_split_random_refuses_impossible_arguments(arguments):
    with pytest.raises(InputError):
        RANDOM.split_random(**arguments)


_GENERATOR = np.random.default_rng(0)
RANDOM = plait.Dataset.from_arrays(
    [f"u{user}" for user in np.repeat(np.arange(8), np.arange(1, 9))],
    [f"i{item}" for item in _GENERATOR.permutation(36)],
    list(range(36)),
)


def test_repeated_rows_are_matched_as_often_as_a_part_has_them():
    row = {"user": "a", "item": "x", "time": 100}
    rows = [row, row, row, {**row, "time": 200}, {**row, "user": "b"}]
    data = plait.Dataset.of(rows)
    parts = ([row, row, {**row, "user": "b"}], [row, {**row, "time": 200}])
    for part in parts:
        assert data.matching(part).to_frame().equals(plait.Dataset.of(part).to_frame())
    with pytest.raises(InputError):  # which of the two times?
        data.matching([{"user": "a", "item": "x"}])
    rated = [{**row, "rating": stars} for stars in (1, 5)]
    with pytest.raises(InputError):  # which of the two ratings?
        plait.Dataset.of(rated).matching([row])
