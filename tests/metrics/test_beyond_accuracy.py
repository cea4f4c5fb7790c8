"""Tests of coverage, novelty and exposure of the lists of all users."""

import itertools

import numpy as np
import pytest

from plait.metrics.beyond_accuracy import (
    add_absence,
    coverage,
    exposure_chances,
    gini,
    mean_exposed_value,
    self_information,
)
from plait.metrics.ties import tie_groups

ALL_ITEMS = np.ones(4, bool)


def exposure_of(scores, k):
    scores = np.asarray(scores, np.float32)
    numbers = np.broadcast_to(np.arange(scores.shape[1], dtype=np.int32), scores.shape)
    return exposure_chances(tie_groups(scores, ~np.isnan(scores), 2), numbers, k)


def coverage_of(scores, k, candidates=ALL_ITEMS):
    absence = np.zeros(len(candidates))
    add_absence(absence, exposure_of(scores, k))
    return coverage(absence, candidates)


def test_coverage_without_ties_is_the_share_of_shown_items():
    scores = [[4, 3, 2, 1], [4, 1, 2, 3]]
    assert coverage_of(scores, 1) == pytest.approx(1 / 4)
    assert coverage_of(scores, 2) == pytest.approx(3 / 4)


def test_coverage_counts_candidates_only():
    candidates = np.array([True, False, True, False])
    assert coverage_of([[4, 3, 2, 1]], 2, candidates) == pytest.approx(1 / 2)


def test_coverage_with_ties_is_the_mean_over_all_orders():
    first = list(itertools.combinations(range(4), 2))
    second = list(itertools.combinations(range(3), 2))
    expected = np.mean([len({*a, *b}) / 4 for a in first for b in second])
    assert coverage_of([[1, 1, 1, 1], [2, 2, 2, 0]], 2) == pytest.approx(expected)


def test_absence_of_batches_adds_up():
    scores = [[4, 3, 2, 1], [1, 1, 4, 3], [2, 2, 2, 2]]
    absence = np.zeros(4)
    for row in scores:
        add_absence(absence, exposure_of([row], 2))
    assert coverage(absence, ALL_ITEMS) == pytest.approx(coverage_of(scores, 2))


def test_novelty_is_the_mean_self_information_and_nan_for_an_empty_list():
    information = self_information(np.array([0, 0, 0, 1], np.int32), 4)
    assert information[2] == pytest.approx(3)  # (0 + 1) of (4 + 4)
    full, empty = mean_exposed_value(exposure_of([[4, 3, 2, 1], [np.nan] * 4], 2), information, 2)
    assert full == pytest.approx((1 + 2) / 2)
    assert np.isnan(empty)


def test_mean_of_a_value_is_weighted_by_exposure():
    exposure = exposure_of([[3, 2, 1], [1, 1, 1]], 2)
    means = mean_exposed_value(exposure, np.array([1.0, 2.0, 6.0]), 2)
    assert means == pytest.approx([1.5, 3.0])


@pytest.mark.parametrize(
    ("exposure", "expected"),
    [(np.ones(10), 0), (np.eye(10)[0], 0.9), (np.array([1.0, 3.0]), 0.25), (np.zeros(4), 0)],
)
def test_gini_of_known_distributions(exposure, expected):
    assert gini(exposure) == pytest.approx(expected)
