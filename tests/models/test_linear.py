"""Tests of `linear` against plain numpy."""

import numpy as np
import pytest

from plait.errors import PlaitError
from plait.models.item_item.cooccurrence_counts import cooccurrence_matrix
from plait.models.item_item.linear import Linear, LinearConfig
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import checkerboard, clock, make_dataset, market, weekly_repeats

L2 = 5.0


def linear(dataset, **settings):
    return Linear(LinearConfig(**{"l2": L2, **settings}), name="linear").fit(dataset)


def interaction_array(dataset):
    matrix = np.zeros((dataset.n_users, dataset.n_items))
    matrix[dataset.interactions.users, dataset.interactions.items] = 1
    return matrix


def weights(stage, dataset):
    """The scores of all items for each history of a single item, NaN as 0."""
    ids = dataset.catalogue.ids
    queries = ask(dataset.catalogue, *[[item_id] for item_id in ids])
    return np.nan_to_num(scores(stage, queries, dataset.catalogue, *ids))


@pytest.mark.parametrize("make", [checkerboard, market, weekly_repeats])
def test_weights_without_order_are_the_positive_part_of_ease(make):
    dataset = make()
    matrix = interaction_array(dataset)
    inverse = np.linalg.inv(matrix.T @ matrix + L2 * np.eye(dataset.n_items))
    ease = inverse / -np.diag(inverse)
    np.fill_diagonal(ease, 0)
    fitted = weights(linear(dataset, order_aware=False), dataset)
    assert fitted == pytest.approx(np.maximum(ease, 0), abs=1e-5)


@pytest.mark.parametrize("make", [clock, market])
def test_weights_with_order_are_the_ridge_regression_of_ordered_pairs(make):
    dataset = make()
    matrix = interaction_array(dataset)
    stage = linear(dataset)
    inverse = np.linalg.inv(matrix.T @ matrix + L2 * np.eye(dataset.n_items))
    regression = inverse @ cooccurrence_matrix(dataset, stage.config).toarray()
    assert weights(stage, dataset) == pytest.approx(np.maximum(regression, 0), abs=1e-5)


def test_order_aware_model_predicts_the_next_item():
    dataset = clock()
    stage = linear(dataset)
    lists = listed(stage.retrieve(ask(dataset.catalogue, ["hour-3"]), 1), dataset.catalogue)
    assert lists == [["hour-4"]]


def test_dense_fit_above_max_dense_items_covers_the_most_popular_items():
    events = [(f"user-{user}", item, day) for user in range(4) for day, item in enumerate("abc")]
    dataset = make_dataset([*events, ("user-0", "rare", 9)])
    stage = linear(dataset, method="dense", max_dense_items=3)
    popular, rare = scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "b", "rare")[0]
    assert popular > 0
    assert np.isnan(rare)
    without_rare = make_dataset(events)
    expected = weights(linear(without_rare, order_aware=False), without_rare)
    small = weights(linear(dataset, order_aware=False, method="dense", max_dense_items=3), dataset)
    assert small[:3, :3] == pytest.approx(expected, abs=1e-6)


def test_top_k_keeps_the_largest_entries_of_each_row():
    dataset = market()
    full, few = (weights(linear(dataset, top_k=count), dataset) for count in (300, 2))
    assert ((few > 0).sum(axis=1) <= 2).all()
    assert few.max(axis=1) == pytest.approx(full.max(axis=1))


def test_singular_gram_matrix_is_an_error():
    twins = make_dataset([(f"u{user}", item, 1.0) for user in range(4) for item in "ab"])
    with pytest.raises(PlaitError) as caught:
        linear(twins, l2=1e-30)
    assert caught.value.hint == "increase `l2`"
