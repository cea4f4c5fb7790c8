"""Scores and vectors of other systems as models."""

import numpy as np
import polars as pl
import pytest

import plait
from plait import models
from plait.errors import InputError
from plait.models.external.score_order import ordered_float32

USERS = ["ann", "ann", "bob", "bob", "eve"]
ITEMS = ["lamp", "bulb", "lamp", "mug", "cup"]
VECTORS = {"lamp": [1, 0], "bulb": [0.8, 0.6], "mug": [0, 1], "cup": [-0.6, 0.8]}


@pytest.fixture(scope="module")
def data():
    return plait.Dataset.from_arrays(USERS, ITEMS)


SCORES = {"user": ["ann", "ann", "bob"], "item": ["mug", "cup", "bulb"], "score": [0.5, 2.0, 0.0]}
RANKS = {"user_id": ["ann", "ann", "bob"], "item_id": ["mug", "cup", "bulb"], "rank": [1, 0, 4]}


@pytest.mark.parametrize(
    ("lists", "scores"),
    [
        (SCORES, [2.0, 0.5, 0.0]),
        (pl.DataFrame(SCORES), [2.0, 0.5, 0.0]),
        (RANKS, [1.0, 0.5, 1.0]),
        ({"ann": ["cup", "mug"], "bob": ["bulb"]}, [1.0, 0.5, 1.0]),
    ],
)
def test_given_lists_are_recommended_as_they_are(data, lists, scores):
    fitted = models.Given(lists).fit(data)
    frame = fitted.recommend(k=5)
    assert frame["item"].to_list() == ["cup", "mug", "bulb"]
    assert frame["score"].to_list() == scores
    pairs = fitted.scores([("ann", "cup"), ("ann", "lamp"), ("eve", "cup")])
    assert pairs["score"].to_list() == [scores[0], None, None]


@pytest.mark.parametrize(
    "lists",
    [
        lambda: (pair for pair in [("ann", "cup"), ("ann", "mug"), ("bob", "bulb")]),
        lambda: {"ann": iter(["cup", "mug"]), "bob": iter(["bulb"])},
        lambda: {"user": iter(["ann", "ann", "bob"]), "item": iter(["cup", "mug", "bulb"])},
    ],
)
def test_iterators_are_read_once(data, lists):
    model = models.Given(lists())
    for fitted in (model.fit(data), model.clone().fit(data)):
        assert fitted.recommend(k=5)["item"].to_list() == ["cup", "mug", "bulb"]


def test_an_iterator_of_ids_is_read_once(data):
    model = models.Vectors(iter(VECTORS), list(VECTORS.values()))
    assert model.clone().fit(data).similar(["lamp"], k=1)["similar"].to_list() == ["bulb"]


@pytest.mark.parametrize(
    "scores",
    [
        [1700000002, 1700000001, 0],
        [2e39, 1e39, 3.4e38],
        [-1e39, -2e39, -3e39],
        [1e-50, 0.0, -1e-50],
        [1.0, 1 - 1e-12, 1 - 2e-12],
    ],
)
def test_scores_that_float32_cannot_tell_apart_stay_in_order(data, scores):
    lists = {"user": ["eve"] * 3, "item": ["bulb", "mug", "lamp"], "score": scores}
    frame = models.Given(lists).fit(data).recommend(["eve"], k=5)
    assert frame["item"].to_list() == ["bulb", "mug", "lamp"]
    assert frame["score"].is_finite().all()
    assert frame["score"].n_unique() == 3


def test_float32_scores_are_those_nearest_and_ties_stay():
    users = np.array([1, 0, 1, 0, 0], np.int32)
    scores = np.array([0.1, 5.0, 0.1, 0.3, 5.0])
    assert ordered_float32(users, scores).tolist() == scores.astype(np.float32).tolist()
    assert ordered_float32(users[:0], scores[:0]).tolist() == []


def test_given_lists_of_a_fitted_model_are_that_model(data):
    lists = models.Popular().fit(data).recommend(k=3)
    assert models.Given(lists).fit(data).recommend(k=3).equals(lists)


def test_vectors_score_by_the_cosine_to_the_mean_of_the_history(data):
    model = models.Vectors(list(VECTORS), np.array(list(VECTORS.values())))
    fitted = model.fit(data)
    mean = np.mean([VECTORS["lamp"], VECTORS["mug"]], axis=0)
    expected = [np.dot(mean, VECTORS[item]) / np.linalg.norm(mean) for item in ("bulb", "cup")]
    scores = fitted.scores([("bob", "bulb"), ("bob", "cup"), ("nobody", "cup")])["score"]
    assert scores.to_list()[:2] == pytest.approx(expected)
    assert scores[2] is None
    assert fitted.recommend(["bob"], k=5)["item"].to_list() == ["bulb", "cup"]
    assert fitted.similar(["lamp"], k=1)["similar"].to_list() == ["bulb"]


def test_newer_events_weigh_more_with_decay():
    data = plait.Dataset.from_arrays(["ann"] * 2, ["lamp", "mug"], [1, 2])
    product = models.Vectors(["lamp", "mug"], [[1, 0], [0, 1]], similarity="dot", basket_decay=0.5)
    scores = product.fit(data).scores([("ann", "lamp"), ("ann", "mug")])["score"]
    assert scores.to_list() == pytest.approx([1 / 3, 2 / 3])


def test_items_without_a_vector_have_no_score(data):
    fitted = models.Vectors(["lamp", "no such item"], [[1.0, 2.0], [3.0, 4.0]]).fit(data)
    assert fitted.scores([("bob", "mug"), ("eve", "lamp")])["score"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("ids", "vectors"),
    [
        (["a", "b"], [[1.0]]),
        (["a"], [1.0]),
        (["a"], [[float("nan")]]),
        (["a", "a"], [[1.0], [2.0]]),
        (["a", "b"], [[1.0], [1.0, 2.0]]),
        ([None], [[1.0]]),
    ],
)
def test_vectors_that_do_not_fit_their_ids_are_refused(ids, vectors):
    with pytest.raises(InputError):
        models.Vectors(ids, vectors)


@pytest.mark.parametrize("lists", [3, [3], {**SCORES, "score": [1.0, None, 2.0]}])
def test_lists_that_are_none_are_refused(lists):
    with pytest.raises(InputError):
        models.Given(lists)


def test_settings_and_data_make_a_clone(data):
    model = models.Vectors(["lamp"], [[1.0]], similarity="dot")
    assert repr(model) == "Vectors(similarity='dot')"
    assert model.clone().fit(data).scores([("ann", "lamp")])["score"].to_list() == [1.0]
    assert repr(models.Given(SCORES).clone()) == "Given()"
