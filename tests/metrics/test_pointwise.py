"""Tests of the metrics of predicted ratings and click probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.metrics.pointwise import (
    BootstrapConfig,
    auc,
    calibration,
    click_metrics,
    click_slice,
    rating_metrics,
    user_auc,
)

FEW = BootstrapConfig(50, 0)


def plain_auc(chances, clicked):
    """The share of pairs of a click and a miss that are in order, ties counting half."""
    pairs = [(a > b) + (a == b) / 2 for a in chances[clicked] for b in chances[~clicked]]
    return np.mean(pairs) if pairs else 0.5


cases = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans()), min_size=1, max_size=40
)


def arrays_of(rows):
    """Predicted probabilities, outcomes and users."""
    predictions, users, clicked = (np.array(column) for column in zip(*rows, strict=True))
    return predictions / 5 + 0.1, clicked, users


@given(cases)
def test_auc_is_the_share_of_ordered_pairs(rows):
    chances, clicked, users = arrays_of(rows)
    area = auc(chances, clicked, users, FEW)
    assert area.value == pytest.approx(plain_auc(chances, clicked))
    if len(np.unique(users)) > 1 or clicked.all() or not clicked.any():
        assert area.low <= area.value <= area.high
    else:
        assert np.isnan([area.low, area.high]).all()


@given(cases)
def test_user_auc_counts_the_pairs_of_each_user(rows):
    chances, clicked, users = arrays_of(rows)
    own, weights = user_auc(chances, clicked, users)
    for row, user in enumerate(np.unique(users)):
        is_own = users == user
        has_both = clicked[is_own].any() and not clicked[is_own].all()
        assert weights[row] == (is_own.sum() if has_both else 0)
        if has_both:
            assert own[row] == pytest.approx(plain_auc(chances[is_own], clicked[is_own]))


@given(cases)
def test_click_slice_equals_click_metrics_but_for_the_auc_of_a_single_outcome(rows):
    chances, clicked, users = arrays_of(rows)
    in_slice = click_slice(chances, clicked, users, FEW)
    whole = click_metrics(chances, clicked, users, FEW)
    assert in_slice["log_loss"] == pytest.approx(whole["log_loss"], nan_ok=True)
    if clicked.any() and not clicked.all():
        assert in_slice["auc"] == pytest.approx(whole["auc"], nan_ok=True)
    else:
        assert np.isnan(in_slice["auc"]).all()
        assert whole["auc"].value == 0.5


def test_gauc_ignores_that_one_user_clicks_more():
    users = np.repeat([0, 1], 50)
    clicked = np.concatenate([np.arange(50) < 45, np.arange(50) < 5])
    chances = np.where(users == 0, 0.9, 0.1)
    metrics = click_metrics(chances, clicked, users, FEW)
    assert metrics["auc"].value > 0.8
    assert metrics["gauc"].value == 0.5


def test_true_probabilities_are_calibrated_and_distorted_ones_are_not():
    generator = np.random.default_rng(0)
    chances = generator.random(20_000)
    clicked = generator.random(20_000) < chances
    users = generator.integers(0, 500, 20_000)
    true = click_metrics(chances, clicked, users, FEW)
    distorted = click_metrics(chances**3, clicked, users, FEW)
    assert true["ece"].value < 0.02 < 0.2 < distorted["ece"].value
    assert true["log_loss"].value < distorted["log_loss"].value
    assert distorted["auc"].value == pytest.approx(true["auc"].value)
    points = calibration(chances, clicked)
    assert len(points) == 10
    assert sum(count for _, _, count in points) == 20_000
    assert all(abs(mean - rate) < 0.05 for mean, rate, _ in points)


def test_equal_predictions_share_a_calibration_bin():
    assert calibration(np.full(9, 0.25), np.arange(9) < 3) == [(0.25, pytest.approx(1 / 3), 9)]


def test_rating_metrics_equal_errors_computed_by_hand():
    predicted, actual = np.array([3.0, 4, 5]), np.array([3.0, 5, 3])
    metrics = rating_metrics(predicted, actual, np.array([0, 0, 1]), FEW)
    assert metrics["rmse"].value == pytest.approx(np.sqrt(5 / 3))
    assert metrics["mae"].value == 1
    assert metrics["r2"].value == pytest.approx(1 - 5 / (8 / 3))
    assert metrics["rmse"].low == pytest.approx(np.sqrt(1 / 2))
    assert metrics["rmse"].high == pytest.approx(2)


def test_r2_of_the_mean_is_0():
    actual = np.array([1.0, 2, 3, 4])
    metrics = rating_metrics(np.full(4, 2.5), actual, np.arange(4), FEW)
    assert metrics["r2"].value == pytest.approx(0)


def test_r2_of_equal_ratings_is_nan_whatever_rounding_leaves_of_their_variance():
    for level in (3.3, 4.1, 1e6 / 3):
        actual = np.full(3, level)
        metrics = rating_metrics(actual + 0.3, actual, np.arange(3), FEW)
        assert np.isnan(metrics["r2"]).all()
        assert metrics["rmse"].value == pytest.approx(0.3)
    few = rating_metrics(np.full(4, 4.0), np.array([3.3, 3.3, 3.3, 3.1]), np.arange(4), FEW)
    assert -1000 < few["r2"].low < 0
