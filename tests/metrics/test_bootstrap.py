"""Tests of bootstrap intervals of means and ratios over users."""

import numpy as np
import pytest

from plait.metrics.bootstrap import (
    Interval,
    cluster_sums,
    intervals,
    percentile_intervals,
    ratio_draws,
    resampled_means,
    simultaneous_intervals,
)


def test_interval_of_a_mean_is_near_the_normal_approximation():
    values = np.random.default_rng(1).random((4000, 2))
    for column, interval in enumerate(intervals(values, seed=3)):
        error = 1.96 * values[:, column].std() / np.sqrt(len(values))
        assert interval.value == pytest.approx(values[:, column].mean())
        assert interval.high - interval.value == pytest.approx(error, rel=0.15)
        assert interval.value - interval.low == pytest.approx(error, rel=0.15)


def test_interval_covers_the_mean_as_often_as_its_level():
    generator = np.random.default_rng(5)
    inside = 0
    for trial in range(200):
        interval = intervals(generator.random((80, 1)), seed=trial)[0]
        inside += interval.low <= 0.5 <= interval.high
    assert 0.88 <= inside / 200 <= 0.99


def test_columns_share_their_resamples():
    values = np.random.default_rng(2).random((300, 1))
    draws = resampled_means(np.hstack([values, values + 0.1]), 500, 0)
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 0.1)


def test_interval_is_a_function_of_the_seed():
    values = np.random.default_rng(2).random((300, 3))
    assert intervals(values, seed=7) == intervals(values, seed=7)
    assert intervals(values, seed=7) != intervals(values, seed=8)


def test_ends_of_an_interval_are_nan_with_a_single_user():
    values = np.full((1, 2), 0.25)
    draws = ratio_draws(values, np.ones((1, 1)), 50, 0)
    for computed, expected in (
        (intervals(values), [0.25, 0.25]),
        (percentile_intervals(draws), [0.25, 0.25]),
        (percentile_intervals(draws - 1.25), [-1.0, -1.0]),
        (simultaneous_intervals(draws, 0), [0.0]),
    ):
        assert [interval.value for interval in computed] == expected
        assert np.isnan([(interval.low, interval.high) for interval in computed]).all()


def test_interval_is_nan_without_users():
    assert np.isnan(intervals(np.zeros((0, 2)))).all()


def test_ends_are_nan_if_a_single_user_has_a_denominator():
    """As for a GAUC where one user has both clicks and misses."""
    over, under = np.full((9, 2), 0.5), np.ones((9, 2))
    over[1:, 0] = under[1:, 0] = 0
    single, complete = percentile_intervals(ratio_draws(over, under, 200, 0))
    assert (single.value, complete.value) == (0.5, 0.5)
    assert np.isnan([single.low, single.high]).all()
    assert (complete.low, complete.high) == (0.5, 0.5)


def test_draws_in_several_chunks_have_the_standard_error_of_the_mean():
    values = np.random.default_rng(2).random((50_000, 1))
    draws = resampled_means(values, 100, 0)
    assert draws.shape == (100, 1)
    assert draws.std() == pytest.approx(values.std() / np.sqrt(50_000), rel=0.3)


def test_undefined_interval_is_null_in_json_and_restored_as_nan():
    over, under = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[2.0, 0.0], [2.0, 0.0]])
    half, nothing = percentile_intervals(ratio_draws(over, under, 50, 0))
    assert half.value == 0.75
    assert nothing.to_dict() == {"value": None, "low": None, "high": None}
    assert np.isnan(Interval.of(nothing.to_dict())).all()
    assert Interval.of(half.to_dict()) == half


def test_ratio_is_nan_if_the_denominator_is_0():
    over, under = np.array([[1.0], [2.0]]), np.zeros((2, 1))
    assert np.isnan(ratio_draws(over, under, 50, 0)).all()


def test_simultaneous_intervals_rarely_call_one_of_equal_columns_better():
    """Pairwise, the best of ten is ahead of another one in two samples of three."""
    generator = np.random.default_rng(3)
    pairwise = jointly = 0
    for trial in range(60):
        values = generator.random((150, 10))
        draws = ratio_draws(values, np.ones((150, 1)), 300, trial)
        best = int(draws[0].argmax())
        differences = draws[:, [best]] - np.delete(draws, best, axis=1)
        pairwise += any(interval.low > 0 for interval in percentile_intervals(differences))
        jointly += any(interval.low > 0 for interval in simultaneous_intervals(draws, best))
    assert pairwise > 20
    assert jointly < 10


def test_simultaneous_intervals_show_a_clear_lead():
    values = np.random.default_rng(4).random((300, 8))
    values[:, 2] += 0.2
    leads = simultaneous_intervals(ratio_draws(values, np.ones((300, 1)), 300, 0), 2)
    assert all(interval.low > 0 for interval in leads)


def test_simultaneous_interval_of_two_columns_is_the_percentile_interval():
    values = np.random.default_rng(4).random((80, 2))
    draws = ratio_draws(values, np.ones((80, 1)), 300, 0)
    assert simultaneous_intervals(draws, 1) == percentile_intervals(draws[:, [1]] - draws[:, [0]])


def test_identical_columns_have_a_difference_of_exactly_0():
    values = np.random.default_rng(4).random((80, 1))
    draws = ratio_draws(np.hstack([values, values, values + 0.1]), np.ones((80, 1)), 300, 0)
    same, other = simultaneous_intervals(draws, 0)
    assert same == (0, 0, 0)
    assert other.high == pytest.approx(-0.1)


def test_ratios_of_one_value_a_user_equal_the_plain_bootstrap():
    values = np.random.default_rng(0).random((60, 2))
    plain = intervals(values, resamples=200, seed=4)
    ratios = percentile_intervals(ratio_draws(values, np.ones((60, 1)), 200, 4))
    assert ratios == [pytest.approx(interval) for interval in plain]


def test_intervals_over_users_are_wider_than_over_their_correlated_values():
    generator = np.random.default_rng(1)
    users = np.repeat(np.arange(20), 50)
    values = generator.random(20)[users][:, None]
    sums, counts = cluster_sums(values, users, 20), np.full((20, 1), 50.0)
    (wide,) = percentile_intervals(ratio_draws(sums, counts, 500, 0))
    (narrow,) = intervals(values, resamples=500, seed=0)
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)
