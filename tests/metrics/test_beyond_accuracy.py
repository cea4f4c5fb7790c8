"""What all lists show together."""

import itertools

import numpy as np
import pytest

from plait.metrics.beyond_accuracy import add_absence, coverage, exposure_chances, novelty, surprise
from plait.metrics.ties import tie_groups

EVERYTHING = np.ones(4, bool)


def lists(scores):
    scores = np.asarray(scores, np.float32)
    numbers = np.broadcast_to(np.arange(scores.shape[1], dtype=np.int32), scores.shape)
    return tie_groups(scores, ~np.isnan(scores), 2), numbers


def covered(part, candidates=EVERYTHING):
    absence = np.zeros(len(candidates))
    add_absence(absence, part)
    return coverage(absence, candidates)


def test_coverage_of_lists_without_ties():
    groups, numbers = lists([[4, 3, 2, 1], [4, 1, 2, 3]])
    assert covered(exposure_chances(groups, numbers, 1)) == pytest.approx(1 / 4)
    assert covered(exposure_chances(groups, numbers, 2)) == pytest.approx(3 / 4)


def test_coverage_counts_candidates_only():
    groups, numbers = lists([[4, 3, 2, 1]])
    part = exposure_chances(groups, numbers, 2)
    assert covered(part, np.array([True, False, True, False])) == pytest.approx(1 / 2)


def test_coverage_with_ties_is_the_mean_over_all_orders():
    groups, numbers = lists([[1, 1, 1, 1], [2, 2, 2, 0]])
    first = list(itertools.combinations(range(4), 2))
    second = list(itertools.combinations(range(3), 2))
    expected = np.mean([len({*a, *b}) / 4 for a in first for b in second])
    assert covered(exposure_chances(groups, numbers, 2)) == pytest.approx(expected)


def test_absence_adds_up_batch_by_batch():
    scores = [[4, 3, 2, 1], [1, 1, 4, 3], [2, 2, 2, 2]]
    absence = np.zeros(4)
    for row in scores:
        add_absence(absence, exposure_chances(*lists([row]), 2))
    assert coverage(absence, EVERYTHING) == pytest.approx(
        covered(exposure_chances(*lists(scores), 2))
    )


def test_novelty_is_the_mean_surprise_and_nan_for_nothing():
    rare = surprise(np.array([0, 0, 0, 1], np.int32), 4)
    assert rare[2] == pytest.approx(3)  # (0 + 1) of (4 + 4)
    groups, numbers = lists([[4, 3, 2, 1], [np.nan] * 4])
    found = novelty(exposure_chances(groups, numbers, 2), rare, 2)
    assert found[0] == pytest.approx((1 + 2) / 2)
    assert np.isnan(found[1])
