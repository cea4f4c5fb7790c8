"""Vectors of users and items of fitted models."""

import numpy as np
import pytest

import plait
from plait import models
from plait.errors import InputError
from plait.experiments.models.vector_table import VectorTable


@pytest.fixture(scope="module")
def data():
    rows = [
        {"user": f"u{user}", "item": f"i{(user + step) % 10}", "time": step, "value": 1 + step % 5}
        for user in range(30)
        for step in range(6)
    ]
    return plait.Dataset.of([*rows, {"user": "u0", "item": "bad", "kind": "hide", "time": 9}])


def factors(model):
    pytest.importorskip("implicit")
    return model(factors=4, iterations=3)


def network(model):
    pytest.importorskip("torch")
    return model(dim=8, layers=1, epochs=1)


def scores_and_products(fitted):
    """The raw score of every pair and the product of its vectors."""
    items, users = fitted.item_vectors, fitted.user_vectors
    pairs = [(user, item) for user in users.ids for item in items.ids]
    return fitted.scores(pairs)["score"].to_numpy(), (users.vectors @ items.vectors.T).ravel()


@pytest.mark.parametrize(
    "make",
    [
        lambda: factors(models.IALS),
        lambda: factors(models.BPR),
        lambda: network(models.LightGCN),
        lambda: models.Vectors([f"i{n}" for n in range(10)], np.eye(10)),
    ],
)
def test_products_of_vectors_are_the_scores(data, make):
    fitted = make().fit(data)
    scores, products = scores_and_products(fitted)
    np.testing.assert_allclose(products, scores, rtol=1e-4, atol=1e-5)
    assert fitted.item_vectors.ids == [f"i{n}" for n in range(10)]
    assert len(fitted.user_vectors.ids) == 30


def test_products_of_vectors_of_svdpp_are_ratings_before_they_are_clipped(data):
    scores, products = scores_and_products(models.SVDpp(iterations=30, burn_in=10).fit(data))
    np.testing.assert_allclose(np.clip(products, 1, 5), scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["SASRec", "GRU4Rec"])
def test_products_of_vectors_order_items_as_networks_do(data, name):
    scores, products = scores_and_products(network(getattr(models, name)).fit(data))
    for row_scores, row_products in zip(
        scores.reshape(30, -1), products.reshape(30, -1), strict=True
    ):
        assert (np.diff(row_scores[np.argsort(row_products)]) >= -1e-5).all()


@pytest.mark.parametrize("attribute", ["item_vectors", "user_vectors"])
def test_a_model_without_vectors_is_an_input_error(data, attribute):
    fitted = models.EASE().fit(data)
    with pytest.raises(InputError):
        getattr(fitted, attribute)


def test_vectors_as_a_frame():
    table = VectorTable.of(["a", "b", "c"], np.array([[1, 2], [np.nan, 0], [3, 4]], np.float32))
    ids, vectors = table
    assert ids == ["a", "c"]
    assert vectors.tolist() == [[1, 2], [3, 4]]
    assert table.to_frame().rows() == [("a", [1, 2]), ("c", [3, 4])]
