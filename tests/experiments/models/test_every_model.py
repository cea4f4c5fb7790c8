"""What holds for every model of `plait.models`: copies, files, ids of any type, updates."""

import copy
import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import plait
from plait import models
from plait.errors import InputError
from tests.architecture.source_tree import doc

ROWS = [
    {"user": user, "item": (7 * user + step) % 12, "time": 100 * user + step, "rating": 1.0 + step}
    for user in range(30)
    for step in range(5)
]
NEW_ROWS = [{"user": 99, "item": item, "time": 9000 + item, "rating": 3.0} for item in (3, 13)]
ITEMS = [{"item": item, "title": f"thing {'red' if item < 6 else 'blue'}"} for item in range(13)]
SHORT = {"dim": 8, "epochs": 1}

COUNTED = {
    "BM25": models.BM25(),
    "Content": models.Content(),
    "EASE": models.EASE(l2=10.0),
    "FromStage": models.FromStage("repeat"),
    "Given": models.Given({"1": ["3", "1"], "99": ["0"]}),
    "ItemKNN": models.ItemKNN(k=5),
    "Linear": models.Linear(l2=10.0),
    "Popular": models.Popular(),
    "Vectors": models.Vectors(range(14), np.eye(14) + 0.1),
}
"""Models that are fitted anew by `update`, to the result of a first fit on all events."""
LEARNED = {
    "BERT4Rec": models.BERT4Rec(**SHORT),
    "BPR": models.BPR(factors=4, iterations=5),
    "GRU4Rec": models.GRU4Rec(**SHORT),
    "HSTU": models.HSTU(**SHORT),
    "IALS": models.IALS(factors=4),
    "LightGCN": models.LightGCN(**SHORT),
    "SASRec": models.SASRec(**SHORT),
    "SVDpp": models.SVDpp(factors=2, iterations=20, burn_in=5),
}
"""Models that go on from what they learned."""
EVERY = COUNTED | LEARNED
EXTRAS = {"IALS": "implicit", "BPR": "implicit", "SVDpp": ""} | dict.fromkeys(
    ("BERT4Rec", "GRU4Rec", "HSTU", "LightGCN", "SASRec"), "torch"
)


@pytest.fixture(scope="module")
def data():
    return plait.Dataset.of(ROWS, items=ITEMS)


@pytest.fixture(scope="module")
def whole():
    return plait.Dataset.of([*ROWS, *NEW_ROWS], items=ITEMS)


@pytest.fixture(scope="module", params=sorted(EVERY))
def name(request):
    if package := EXTRAS.get(request.param):
        pytest.importorskip(package)
    return request.param


@pytest.fixture(scope="module")
def fitted(name, data):
    return EVERY[name].fit(data)


def assert_same_answers(first, second, tolerance=0.0):
    pairs = [(user, item) for user in (1, 4, 99, "nobody") for item in (3, 11, 13)]
    expected, actual = (
        fitted.scores(pairs)["score"].fill_null(-99.0).to_numpy() for fitted in (first, second)
    )
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
    for lists in ("recommend", "similar"):
        users = [1, 4, 99, "nobody"] if lists == "recommend" else [3, 11]
        expected, actual = (getattr(fitted, lists)(users, k=4) for fitted in (first, second))
        assert actual.drop("score").equals(expected.drop("score"))


def test_no_model_is_left_out():
    assert sorted(EVERY) == sorted({*models.__all__} - {"load"})
    table = doc("python.md").partition("| models | `update` |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    assert [sorted(row) for row in rows] == [
        sorted(LEARNED),
        sorted(COUNTED.keys() - {"FromStage"}),
        ["FromStage"],
    ]


def test_a_fit_is_repeatable_and_changes_neither_model(name, fitted, data):
    model = EVERY[name]
    before = repr(model), repr(fitted)
    assert_same_answers(fitted, model.fit(data))
    assert_same_answers(fitted, fitted.model.clone().fit(data))
    assert (repr(model), repr(fitted)) == before


def test_copies_answer_as_the_model(name, fitted, tmp_path):
    assert repr(copy.deepcopy(EVERY[name])) == repr(EVERY[name])
    fitted.save(tmp_path / "model")
    for same in (
        models.load(tmp_path / "model"),
        copy.deepcopy(fitted),
        pickle.loads(pickle.dumps(fitted)),
    ):
        assert repr(same) == repr(fitted)
        assert_same_answers(fitted, same)


def test_ids_may_have_any_type_and_stand_in_any_container(fitted):
    expected = fitted.recommend(["1", "2"], k=3)
    for users in (
        [1, 2],
        (user for user in (1, 2)),
        np.array([1, 2], np.float32),
        np.array([1, 2], np.int32),
        pd.Series([1, 2]),
        pd.DataFrame({"userId": [1, 2]}),
        pl.Series([1, 2]),
        pl.LazyFrame({"user": [1, 2]}),
        pa.array([1, 2]),
        pa.chunked_array([[1], [2]]),
        pa.table({"user": [1, 2]}),
        {"user": [1, 2]},
        [{"user": 1}, {"user": "2"}],
    ):
        assert fitted.recommend(users, k=3).equals(expected), type(users)


@pytest.mark.parametrize("users", [[None], [1, None], [1, float("nan")], pl.Series([1, None])])
def test_missing_ids_are_refused(fitted, users):
    with pytest.raises(InputError):
        fitted.recommend(users)


def test_empty_lists_have_the_columns_of_full_ones(fitted):
    schema = fitted.recommend(k=2).schema
    assert list(schema) == ["user", "item", "rank", "score"]
    for users in (
        [],
        (),
        set(),
        np.array([]),
        pl.DataFrame({"user": []}),
        pd.Series([], dtype=int),
    ):
        empty = fitted.recommend(users, k=2)
        assert empty.schema == schema
        assert not len(empty)
    assert not len(fitted.similar([]))
    assert not len(fitted.scores([]))


def test_lists_are_as_long_as_there_are_items(fitted, data):
    lists = fitted.recommend([1], k=10**9, seen="keep")
    assert len(lists) <= data.n_items
    assert lists["item"].is_unique().all()
    assert set(fitted.recommend(["nobody"], k=50)["item"]) <= set(data.item_ids)


def test_seen_items_are_left_out_whatever_names_them(fitted):
    first = fitted.recommend([1], k=1, seen="keep")["item"].to_list()
    rest = fitted.recommend([1], k=20, seen="keep")["item"].to_list()[1:]
    for seen in (
        [{"user": 1, "item": item} for item in first],
        [(1, item) for item in first] or [("nobody", 0)],
        {1: first},
        {"1": set(first)},
        pd.DataFrame({"user": [1] * len(first), "item": first}),
        pa.table({"user": [1] * len(first), "item": pa.array(first, pa.string())}),
    ):
        if len(seen):
            assert fitted.recommend([1], k=20, seen=seen)["item"].to_list() == rest


def test_a_loaded_model_knows_new_users_and_items_after_an_update(name, fitted, whole, tmp_path):
    fitted.save(tmp_path / "model")
    updated = models.load(tmp_path / "model").update(NEW_ROWS)
    assert updated.warm_started == (name in LEARNED)
    assert updated.dataset.user_ids == whole.user_ids
    assert updated.dataset.item_ids == whole.item_ids
    if name not in LEARNED:
        assert_same_answers(EVERY[name].fit(whole), updated, tolerance=1e-4)
        return
    assert len(updated.recommend([99], k=3)) == 3
    assert updated.scores([(1, 13), (99, 3)])["score"].is_finite().all()


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan"), "all", None])
def test_a_share_is_a_number_up_to_one(data, share):
    with pytest.raises(InputError) as caught:
        models.EASE().fit(data).update(NEW_ROWS, share=share)
    assert caught.value.field == "share"
