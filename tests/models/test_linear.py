"""Linear models against what numpy computes plainly."""

import numpy as np
import pytest

from plait.errors import PlaitError
from plait.models.item_item.cooccurrence import pairs
from plait.models.item_item.linear import Linear, LinearConfig
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import checkerboard, clock, make_dataset, market, weekly_repeats

L2 = 5.0


def linear(dataset, **settings):
    return Linear(LinearConfig(**{"l2": L2, **settings}), name="linear").fit(dataset)


def taken(dataset):
    found = np.zeros((dataset.n_users, dataset.n_items))
    found[dataset.interactions.users, dataset.interactions.items] = 1
    return found


def weights(stage, dataset):
    """What every item alone gives to every item, NaN as 0."""
    ids = dataset.catalogue.ids
    queries = ask(dataset.catalogue, *[[one] for one in ids])
    return np.nan_to_num(scores(stage, queries, dataset.catalogue, *ids))


@pytest.mark.parametrize("make", [checkerboard, market, weekly_repeats])
def test_without_order_it_is_the_positive_part_of_ease(make):
    dataset = make()
    matrix = taken(dataset)
    inverse = np.linalg.inv(matrix.T @ matrix + L2 * np.eye(dataset.n_items))
    ease = inverse / -np.diag(inverse)
    np.fill_diagonal(ease, 0)
    found = weights(linear(dataset, order_aware=False), dataset)
    assert found == pytest.approx(np.maximum(ease, 0), abs=1e-5)


@pytest.mark.parametrize("make", [clock, market])
def test_with_order_it_is_the_ridge_regression_of_ordered_pairs(make):
    dataset = make()
    matrix = taken(dataset)
    stage = linear(dataset)
    inverse = np.linalg.inv(matrix.T @ matrix + L2 * np.eye(dataset.n_items))
    right = inverse @ pairs(dataset, stage.config).toarray()
    assert weights(stage, dataset) == pytest.approx(np.maximum(right, 0), abs=1e-5)


def test_order_tells_the_direction_of_the_clock():
    dataset = clock()
    stage = linear(dataset)
    brought = listed(stage.retrieve(ask(dataset.catalogue, ["hour-3"]), 1), dataset.catalogue)
    assert brought == [["hour-4"]]


def test_above_the_limit_only_the_most_popular_take_part():
    events = [(f"user-{one}", item, day) for one in range(4) for day, item in enumerate("abc")]
    dataset = make_dataset([*events, ("user-0", "rare", 9)])
    stage = linear(dataset, method="dense", max_dense_items=3)
    found = scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "b", "rare")
    assert found[0, 0] > 0
    assert np.isnan(found[0, 1])
    whole = make_dataset(events)
    right = weights(linear(whole, order_aware=False), whole)
    small = weights(linear(dataset, order_aware=False, method="dense", max_dense_items=3), dataset)
    assert small[:3, :3] == pytest.approx(right, abs=1e-6)


def test_only_the_strongest_neighbours_are_kept():
    dataset = market()
    full, few = (weights(linear(dataset, top_k=count), dataset) for count in (300, 2))
    assert ((few > 0).sum(axis=1) <= 2).all()
    assert few.max(axis=1) == pytest.approx(full.max(axis=1))


def test_a_ridge_of_next_to_nothing_is_refused_with_a_hint():
    twins = make_dataset([(f"u{user}", item, 1.0) for user in range(4) for item in "ab"])
    with pytest.raises(PlaitError, match="raise l2"):
        linear(twins, l2=1e-30)
