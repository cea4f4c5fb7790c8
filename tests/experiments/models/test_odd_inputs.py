"""Odd data and odd arguments: a right answer, or an error that names what is wrong."""

import pandas as pd
import pytest

import plait
from plait import models
from plait.errors import InputError

LONE_SURROGATE = "\ud800"


@pytest.fixture(scope="module")
def rated():
    columns = {"user": list("aabbcc"), "item": list("xyxzyz"), "rating": [1, 2, 3, 4, 5, 3]}
    return plait.Dataset.of(columns, items=[{"item": item, "title": item} for item in "xyz"])


@pytest.fixture(scope="module")
def bare():
    return plait.Dataset.from_arrays("aabbcc", "xyxzyz")


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (models.SVDpp(), "train"),
        (models.Content(), "train"),
        (models.BM25(), "train"),
        (models.Content(fields=["titel"]), "fields"),
    ],
    ids=repr,
)
def test_a_model_names_the_data_that_it_needs(bare, model, field):
    with pytest.raises(InputError) as refusal:
        model.fit(bare)
    assert refusal.value.field == field


def test_a_fit_on_no_interactions_is_refused_unless_nothing_is_learned_from_them(rated):
    nothing = rated.kcore(100)
    with pytest.raises(InputError) as refusal:
        models.EASE().fit(nothing)
    assert refusal.value.field == "train"
    assert len(models.Given({"a": ["x"]}).fit(nothing).recommend(["a"])) == 0
    empty = rated.filter("value > 100")
    with pytest.raises(InputError):
        models.ItemKNN().fit(empty)


def test_ials_lists_all_items_as_implicit_does(rated):
    pytest.importorskip("implicit")
    fitted = models.IALS(factors=2).fit(rated)
    assert fitted.recommend(k=9, seen="keep").height == 9
    assert fitted.similar(["x"]).height == 2


@pytest.mark.parametrize("column", [None, 7])
def test_columns_of_arrays_are_lists(column):
    with pytest.raises(InputError) as refusal:
        plait.Dataset.from_arrays(["a"], column)
    assert refusal.value.field == "items"


@pytest.mark.parametrize("user", [LONE_SURROGATE, "u" * 10_000, True, 1.5, [1], 10**600], ids=type)
def test_what_is_no_id_is_told_by_row(user):
    with pytest.raises(InputError):
        plait.Dataset.of({"user": [user], "item": ["x"]})
    with pytest.warns(UserWarning, match="1 rows"):
        data = plait.Dataset.of({"user": [user, "b"], "item": ["x", "y"]})
    assert data.user_ids == ["b"]


@pytest.mark.parametrize("pairs", [[1, 2], [("a", "x", 1)], ["ab"], 3, "ax"], ids=str)
def test_what_are_no_pairs_is_refused(rated, pairs):
    with pytest.raises(InputError):
        models.EASE().fit(rated).scores(pairs)


def test_ids_that_cannot_be_are_refused_where_users_are_named(rated):
    fitted = models.EASE().fit(rated)
    for users in ([LONE_SURROGATE], [float("nan")], [None], "a", 3, pd.DataFrame({"x": [1]})):
        with pytest.raises(InputError):
            fitted.recommend(users)


def test_one_user_and_one_item_are_data():
    single = plait.Dataset.from_arrays(["a"], ["x"])
    for model in (models.EASE(), models.ItemKNN(), models.Popular(), models.Linear()):
        fitted = model.fit(single)
        assert len(fitted.recommend(k=3)) == 0
        assert fitted.recommend(k=3, seen="keep").height <= 1


def test_times_with_zones_categories_and_dates_are_read():
    times = pd.date_range("2024-03-30 22:00", periods=3, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"user": list("aab"), "item": list("xyx"), "time": times})
    frame["user"] = frame["user"].astype("category")
    data = plait.Dataset.of(frame)
    hours = [time.hour for time in data.to_frame()["time"].to_list()]
    assert hours == [21, 22, 23]
    cut = pd.Timestamp("2024-03-30 23:30", tz="Europe/Berlin")
    assert [len(part) for part in data.split_time(cut)] == [2, 1]
    assert [len(part) for part in data.split_time(times[0].date())] == [0, 3]
