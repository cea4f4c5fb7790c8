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


def steps_by_loops(dataset, config):
    """Histories and targets of every step, computed one basket at a time."""
    log = dataset.interactions
    baskets_by_user = {}
    for user, item, time in zip(log.users, log.items, log.times, strict=True):
        baskets_by_user.setdefault(user, {}).setdefault(time, set()).add(item)
    histories, targets = [], []
    for by_time in baskets_by_user.values():
        baskets = [by_time[time] for time in sorted(by_time)]
        frequency = {item: sum(item in basket for basket in baskets) for item in range(99)}
        for share, ordered in ((1.0, baskets), (config.backward, baskets[::-1])):
            for step in range(1, len(ordered)):
                scale = np.sqrt(share * len(ordered[step]) ** -config.basket_norm)
                history, target = np.zeros((2, dataset.n_items))
                for age, basket in enumerate(ordered[:step][::-1][: config.max_baskets]):
                    history[list(basket)] += scale * config.basket_decay**age
                for distance, basket in enumerate(ordered[step : step + config.steps_ahead]):
                    for item in basket:
                        repetition = np.log2(1 + frequency[item]) / frequency[item]
                        target[item] += scale * config.step_discount**distance * repetition
                histories.append(history)
                targets.append(target)
    return np.array(histories), np.array(targets)


@pytest.mark.parametrize("make", [clock, market, weekly_repeats])
def test_weights_of_steps_are_the_ridge_regression_of_what_comes_next(make):
    dataset = make()
    stage = linear(dataset, regression="steps", max_baskets=3, steps_ahead=3)
    histories, targets = steps_by_loops(dataset, stage.config)
    gram = histories.T @ histories + L2 * np.eye(dataset.n_items)
    regression = np.linalg.solve(gram, histories.T @ targets)
    assert weights(stage, dataset) == pytest.approx(np.maximum(regression, 0), abs=1e-5)


@pytest.mark.parametrize("method", ["dense", "sparse"])
def test_long_histories_are_predicted_by_steps(method):
    dataset = clock()
    events = len(dataset.interactions) / dataset.n_users
    settings = {"method": method, "auto_steps_events": events}
    expected = weights(linear(dataset, regression="steps", method=method), dataset)
    assert weights(linear(dataset, **settings), dataset) == pytest.approx(expected)
    pairs = weights(linear(dataset, regression="pairs", method=method), dataset)
    settings["auto_steps_events"] = events + 1
    assert weights(linear(dataset, **settings), dataset) == pytest.approx(pairs)
    assert np.abs(pairs - expected).max() > 0.01


@pytest.mark.parametrize("regression", ["pairs", "steps"])
def test_order_aware_model_predicts_the_next_item(regression):
    dataset = clock()
    stage = linear(dataset, regression=regression)
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
