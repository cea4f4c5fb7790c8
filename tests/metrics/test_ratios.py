"""Bootstraps of means over users who have several values each, and of ratios."""

import numpy as np
import pytest

from plait.metrics.beyond_accuracy import exposure_chances, gini, mean_worth
from plait.metrics.bootstrap import cluster_sums, intervals, percentile_intervals, ratio_draws
from plait.metrics.ranking import sliced, target_gains
from plait.metrics.ties import quantize_scores, tie_groups


def test_one_value_a_user_is_the_plain_bootstrap():
    values = np.random.default_rng(0).random((60, 2))
    plain = intervals(values, resamples=200, seed=4)
    ones = np.ones((60, 1))
    assert percentile_intervals(ratio_draws(values, ones, 200, 4)) == [
        pytest.approx(one) for one in plain
    ]


def test_users_with_much_make_intervals_wider_than_their_number_says():
    generator = np.random.default_rng(1)
    users = np.repeat(np.arange(20), 50)
    values = generator.random(20)[users][:, None]
    summed, counts = cluster_sums(values, users, 20), np.full((20, 1), 50.0)
    (wide,) = percentile_intervals(ratio_draws(summed, counts, 500, 0))
    (narrow,) = intervals(values, resamples=500, seed=0)
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)


def test_gini_of_known_shares():
    assert gini(np.ones(10)) == pytest.approx(0)
    assert gini(np.eye(10)[0]) == pytest.approx(0.9)
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)
    assert gini(np.zeros(4)) == 0


def test_gains_of_targets_add_up_to_the_metrics_of_users():
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 4, (30, 12)).astype(np.float32)
    relevant = generator.random((30, 12)) < 0.3
    relevant[:, 0] = True
    groups = tie_groups(scores, np.ones_like(relevant), 5)
    from plait.metrics.ranking import linear_metrics

    whole = linear_metrics(groups, groups.hits(relevant), relevant.sum(axis=1), (3, 5))
    there = relevant.ravel()[groups.cells]
    rows, columns = np.nonzero(relevant)
    place = {cell: number for number, cell in enumerate((rows * 12 + columns).tolist())}
    mine = np.array([place[one] for one in groups.cells[there].tolist()])
    for name, gains in target_gains(groups, groups.members[there], (3, 5)).items():
        every = np.zeros(len(rows))
        every[mine] = gains
        assert sliced(name, every, rows, 30) == pytest.approx(whole[name])


def test_what_a_list_shows_has_a_mean_worth():
    scores = np.array([[3, 2, 1], [1, 1, 1]], np.float32)
    numbers = np.broadcast_to(np.arange(3, dtype=np.int32), (2, 3))
    part = exposure_chances(tie_groups(scores, np.ones((2, 3), bool), 2), numbers, 2)
    found = mean_worth(part, np.array([1.0, 2.0, 6.0]), 2)
    assert found == pytest.approx([1.5, 3.0])


def test_last_bits_are_no_order():
    ones = np.array(
        [[1.0, np.nextafter(np.float32(1), np.float32(2)), 1.00002, -3, 0, np.inf]], "f4"
    )
    found = quantize_scores(ones)
    assert found[0, 0] == found[0, 1] < found[0, 2]
    assert found[0, 3:].tolist() == [-3, 0, np.inf]
    groups = tie_groups(ones[:, :3], np.ones((1, 3), bool), 3)
    assert groups.sizes.tolist() == [1, 2]


def test_settled_scores_keep_their_order():
    generator = np.random.default_rng(0)
    scores = np.sort(
        generator.normal(size=(1, 5000)).astype("f4") * 10.0 ** generator.integers(-6, 6)
    )
    found = quantize_scores(scores)
    assert (np.diff(found) >= 0).all()
    assert np.allclose(found, scores, rtol=5e-6)
