"""Intervals over users."""

import numpy as np
import pytest

from plait.measure.bootstrap import Interval, intervals, ratio_draws, resampled_means, spans


def test_the_width_is_that_of_the_normal_approximation():
    values = np.random.default_rng(1).random((4000, 2))
    for column, one in enumerate(intervals(values, seed=3)):
        error = 1.96 * values[:, column].std() / np.sqrt(len(values))
        assert one.value == pytest.approx(values[:, column].mean())
        assert one.high - one.value == pytest.approx(error, rel=0.15)
        assert one.value - one.low == pytest.approx(error, rel=0.15)


def test_it_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(5)
    inside = 0
    for trial in range(200):
        one = intervals(generator.random((80, 1)), seed=trial)[0]
        inside += one.low <= 0.5 <= one.high
    assert 0.88 <= inside / 200 <= 0.99


def test_columns_share_their_resamples():
    values = np.random.default_rng(2).random((300, 1))
    drawn = resampled_means(np.hstack([values, values + 0.1]), 500, 0)
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], 0.1)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(2).random((300, 3))
    assert intervals(values, seed=7) == intervals(values, seed=7)
    assert intervals(values, seed=7) != intervals(values, seed=8)


@pytest.mark.parametrize("users", [0, 1])
def test_nobody_and_one_user(users):
    for one in intervals(np.full((users, 2), 0.25)):
        assert one.value == one.low == one.high


def test_chunks_change_nothing_but_memory():
    values = np.random.default_rng(2).random((50_000, 1))
    assert resampled_means(values, 100, 0).shape == (100, 1)
    assert resampled_means(values, 100, 0).std() == pytest.approx(
        values.std() / np.sqrt(50_000), rel=0.3
    )


def test_what_nobody_has_is_unknown_and_says_so_in_json():
    over, under = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[2.0, 0.0], [2.0, 0.0]])
    half, nothing = spans(ratio_draws(over, under, 50, 0))
    assert half.value == 0.75
    assert nothing.to_dict() == {"value": None, "low": None, "high": None}
    assert np.isnan(Interval.of(nothing.to_dict())).all()
    assert Interval.of(half.to_dict()) == half
