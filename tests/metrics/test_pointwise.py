"""Ratings by their error, clicks by order and probability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

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


def brute(chances, clicked):
    """Every pair of a click and a miss, one by one."""
    pairs = [(a > b) + (a == b) / 2 for a in chances[clicked] for b in chances[~clicked]]
    return np.mean(pairs) if pairs else 0.5


cases = some.lists(
    some.tuples(some.integers(0, 4), some.integers(0, 3), some.booleans()), min_size=1, max_size=40
)


@given(cases)
def test_auc_is_the_share_of_ordered_pairs(rows):
    chances = np.array([row[0] / 5 + 0.1 for row in rows])
    users = np.array([row[1] for row in rows])
    clicked = np.array([row[2] for row in rows])
    found = auc(chances, clicked, users, FEW)
    assert found.value == pytest.approx(brute(chances, clicked))
    if len(np.unique(users)) > 1 or clicked.all() or not clicked.any():
        assert found.low <= found.value <= found.high
    else:  # one user says nothing of others
        assert np.isnan([found.low, found.high]).all()


@given(cases)
def test_the_auc_of_a_user_counts_own_pairs_only(rows):
    chances = np.array([row[0] / 5 + 0.1 for row in rows])
    users = np.array([row[1] for row in rows])
    clicked = np.array([row[2] for row in rows])
    own, weights = user_auc(chances, clicked, users)
    for place, user in enumerate(np.unique(users)):
        mine = users == user
        both = clicked[mine].any() and not clicked[mine].all()
        assert weights[place] == (mine.sum() if both else 0)
        if both:
            assert own[place] == pytest.approx(brute(chances[mine], clicked[mine]))


@given(cases)
def test_a_part_has_the_metrics_of_all_of_it_and_no_auc_without_both(rows):
    chances = np.array([row[0] / 5 + 0.1 for row in rows])
    users = np.array([row[1] for row in rows])
    clicked = np.array([row[2] for row in rows])
    part, whole = (one(chances, clicked, users, FEW) for one in (click_slice, click_metrics))
    assert part["log_loss"] == pytest.approx(whole["log_loss"], nan_ok=True)
    if clicked.any() and not clicked.all():
        assert part["auc"] == pytest.approx(whole["auc"], nan_ok=True)
    else:
        assert np.isnan(part["auc"]).all()
        assert whole["auc"].value == 0.5


def test_gauc_does_not_see_that_one_user_clicks_more():
    users = np.repeat([0, 1], 50)
    clicked = np.concatenate([np.arange(50) < 45, np.arange(50) < 5])
    chances = np.where(users == 0, 0.9, 0.1)
    found = click_metrics(chances, clicked, users, FEW)
    assert found["auc"].value > 0.8
    assert found["gauc"].value == 0.5


def test_what_is_predicted_rightly_is_calibrated():
    generator = np.random.default_rng(0)
    chances = generator.random(20_000)
    clicked = generator.random(20_000) < chances
    users = generator.integers(0, 500, 20_000)
    right = click_metrics(chances, clicked, users, FEW)
    wrong = click_metrics(chances**3, clicked, users, FEW)
    assert right["ece"].value < 0.02 < 0.2 < wrong["ece"].value
    assert right["log_loss"].value < wrong["log_loss"].value
    assert wrong["auc"].value == pytest.approx(right["auc"].value)
    points = calibration(chances, clicked)
    assert len(points) == 10
    assert sum(count for _, _, count in points) == 20_000
    assert all(abs(mean - rate) < 0.05 for mean, rate, _ in points)


def test_equal_predictions_share_a_bin():
    assert calibration(np.full(9, 0.25), np.arange(9) < 3) == [(0.25, pytest.approx(1 / 3), 9)]


def test_rating_errors_by_hand():
    found = rating_metrics(np.array([3.0, 4, 5]), np.array([3.0, 5, 3]), np.array([0, 0, 1]), FEW)
    assert found["rmse"].value == pytest.approx(np.sqrt(5 / 3))
    assert found["mae"].value == 1
    assert found["r2"].value == pytest.approx(1 - 5 / (8 / 3))
    assert found["rmse"].low == pytest.approx(np.sqrt(1 / 2))
    assert found["rmse"].high == pytest.approx(2)


def test_the_mean_explains_nothing():
    actual = np.array([1.0, 2, 3, 4])
    found = rating_metrics(np.full(4, 2.5), actual, np.arange(4), FEW)
    assert found["r2"].value == pytest.approx(0)


def test_ratings_that_are_all_the_same_leave_nothing_to_explain():
    """Their variance is 0, and rounding must not be taken for one."""
    for level in (3.3, 4.1, 1e6 / 3):
        actual = np.full(3, level)
        found = rating_metrics(actual + 0.3, actual, np.arange(3), FEW)
        assert np.isnan(found["r2"]).all()
        assert found["rmse"].value == pytest.approx(0.3)
    few = rating_metrics(np.full(4, 4.0), np.array([3.3, 3.3, 3.3, 3.1]), np.arange(4), FEW)
    assert -1000 < few["r2"].low < 0
