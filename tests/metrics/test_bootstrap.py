"""Intervals over users."""

import numpy as np
import pytest

from plait.metrics.bootstrap import (
    Interval,
    intervals,
    percentile_intervals,
    ratio_draws,
    resampled_means,
    simultaneous_intervals,
)


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


def test_one_user_has_a_value_and_no_interval_and_nobody_has_neither():
    one, ones = np.full((1, 2), 0.25), np.ones((1, 1))
    draws = ratio_draws(one, ones, 50, 0)
    for found in (
        intervals(one),
        percentile_intervals(draws),
        percentile_intervals(draws - 1.25),
        simultaneous_intervals(draws, 0),
    ):
        for value, low, high in found:
            assert value in (0.25, -1.0, 0.0)
            assert np.isnan([low, high]).all()
    assert np.isnan(intervals(one[:0])).all()


def test_what_one_of_many_users_can_be_measured_on_has_no_interval_either():
    """As a GAUC of which one user has both clicks and misses."""
    over, under = np.full((9, 2), 0.5), np.ones((9, 2))
    over[1:, 0] = under[1:, 0] = 0
    alone, all_of_them = percentile_intervals(ratio_draws(over, under, 200, 0))
    assert (alone.value, all_of_them.value) == (0.5, 0.5)
    assert np.isnan([alone.low, alone.high]).all()
    assert (all_of_them.low, all_of_them.high) == (0.5, 0.5)


def test_chunks_change_nothing_but_memory():
    values = np.random.default_rng(2).random((50_000, 1))
    assert resampled_means(values, 100, 0).shape == (100, 1)
    assert resampled_means(values, 100, 0).std() == pytest.approx(
        values.std() / np.sqrt(50_000), rel=0.3
    )


def test_what_nobody_has_is_unknown_and_says_so_in_json():
    over, under = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[2.0, 0.0], [2.0, 0.0]])
    half, nothing = percentile_intervals(ratio_draws(over, under, 50, 0))
    assert half.value == 0.75
    assert nothing.to_dict() == {"value": None, "low": None, "high": None}
    assert np.isnan(Interval.of(nothing.to_dict())).all()
    assert Interval.of(half.to_dict()) == half


def test_nothing_under_the_line_is_unknown_whatever_is_over_it():
    over, under = np.array([[1.0], [2.0]]), np.zeros((2, 1))
    assert np.isnan(ratio_draws(over, under, 50, 0)).all()


def test_of_many_equal_columns_hardly_ever_one_is_called_better():
    """Pair by pair, the best of ten is ahead of another one in two samples of three."""
    generator = np.random.default_rng(3)
    pairwise = jointly = 0
    for trial in range(60):
        values = generator.random((150, 10))
        draws = ratio_draws(values, np.ones((150, 1)), 300, trial)
        best = int(draws[0].argmax())
        alone = percentile_intervals(draws[:, [best]] - np.delete(draws, best, axis=1))
        pairwise += any(one.low > 0 for one in alone)
        jointly += any(one.low > 0 for one in simultaneous_intervals(draws, best))
    assert pairwise > 20
    assert jointly < 10


def test_a_clear_lead_is_seen_among_many_columns():
    values = np.random.default_rng(4).random((300, 8))
    values[:, 2] += 0.2
    found = simultaneous_intervals(ratio_draws(values, np.ones((300, 1)), 300, 0), 2)
    assert all(one.low > 0 for one in found)


def test_two_columns_are_compared_by_their_percentiles():
    values = np.random.default_rng(4).random((80, 2))
    draws = ratio_draws(values, np.ones((80, 1)), 300, 0)
    assert simultaneous_intervals(draws, 1) == percentile_intervals(draws[:, [1]] - draws[:, [0]])


def test_columns_that_are_the_same_do_not_differ_at_all():
    values = np.random.default_rng(4).random((80, 1))
    draws = ratio_draws(np.hstack([values, values, values + 0.1]), np.ones((80, 1)), 300, 0)
    same, other = simultaneous_intervals(draws, 0)
    assert same == (0, 0, 0)
    assert other.high == pytest.approx(-0.1)
