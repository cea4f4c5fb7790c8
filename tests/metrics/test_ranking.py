"""Tests of the closed forms against an enumeration of every order of the tied items."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.ragged import Ragged
from plait.metrics.ranking import (
    METRICS,
    linear_metrics,
    sliced,
    target_gains,
    tied_targets,
    user_metrics,
)
from plait.metrics.ties import tie_groups

KS = (1, 2, 3, 5, 8)


def by_hand(order, targets, k):
    """All metrics of one list in one order."""
    hits = [item in targets for item in order[:k]]
    ideal = min(k, len(targets))
    recall, precision = sum(hits) / ideal, sum(hits) / k
    gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, ideal + 1))
    first = next((1 / rank for rank, hit in enumerate(hits, 1) if hit), 0.0)
    average = sum(sum(hits[:rank]) / rank for rank, hit in enumerate(hits, 1) if hit)
    return {
        "recall": recall,
        "ndcg": gain / best,
        "mrr": first,
        "hit_rate": float(any(hits)),
        "precision": precision,
        "f1": 2 * precision * recall / (precision + recall) if any(hits) else 0.0,
        "map": average / ideal,
        "rbp": sum(0.2 * 0.8 ** (rank - 1) for rank, hit in enumerate(hits, 1) if hit),
    }


def enumerated(scores, targets, k):
    """The mean over all orders that respect the scores."""
    groups = {}
    for item, score in enumerate(scores):
        if not math.isnan(score):
            groups.setdefault(score, []).append(item)
    tied = [list(itertools.permutations(groups[score])) for score in sorted(groups, reverse=True)]
    orders = [list(itertools.chain(*groups)) for groups in itertools.product(*tied)]
    metrics = [by_hand(order, targets, k) for order in orders]
    return {name: float(np.mean([values[name] for values in metrics])) for name in METRICS}


def measured(scores, targets, ks=KS, depth=None):
    """The closed forms for lists of items 0, 1, ... with these scores."""
    scores = np.asarray(scores, np.float32)
    numbers = np.broadcast_to(np.arange(scores.shape[1], dtype=np.int32), scores.shape)
    ragged = Ragged.from_rows(targets)
    groups = tie_groups(scores, np.ones(scores.shape, bool), depth or max(ks))
    hits = groups.hits(ragged.isin(numbers))
    return user_metrics(groups, hits, ragged.lengths, ks)


@st.composite
def lists(draw):
    width = draw(st.integers(1, 7))
    score = st.sampled_from([0.0, 0.5, 1.0, math.nan, -3.0])
    scores = draw(st.lists(score, min_size=width, max_size=width))
    targets = draw(st.sets(st.integers(0, width + 2), min_size=1, max_size=6))
    return scores, sorted(targets)


@settings(max_examples=150)
@given(lists())
def test_closed_forms_equal_the_mean_over_all_orders(case):
    scores, targets = case
    metrics = measured([scores], [targets])
    for k in KS:
        for name, expected in enumerated(scores, targets, k).items():
            assert metrics[f"{name}@{k}"][0] == pytest.approx(expected, abs=1e-9), (name, k)


@settings(max_examples=40)
@given(st.lists(lists(), min_size=2, max_size=6))
def test_metrics_of_a_batch_equal_those_of_its_rows(cases):
    width = max(len(scores) for scores, _ in cases)
    padded = [scores + [math.nan] * (width - len(scores)) for scores, _ in cases]
    batch_targets = [targets for _, targets in cases]
    batch_metrics = measured(padded, batch_targets)
    for row, (scores, targets) in enumerate(zip(padded, batch_targets, strict=True)):
        for name, values in measured([scores], [targets]).items():
            assert batch_metrics[name][row] == pytest.approx(values[0], abs=1e-12), name


def test_metrics_of_a_list_without_ties():
    metrics = measured([[5, 4, 3, 2, 1]], [[1, 9]], ks=(2, 10))
    assert metrics["recall@2"][0] == pytest.approx(0.5)
    assert metrics["mrr@10"][0] == pytest.approx(0.5)
    assert metrics["precision@10"][0] == pytest.approx(0.1)
    assert metrics["ndcg@2"][0] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))


def test_metrics_need_the_head_of_the_list_only():
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 40, (50, 120)).astype(np.float32)
    targets = [generator.choice(120, 4, replace=False) for _ in range(50)]
    head, whole = measured(scores, targets), measured(scores, targets, depth=120)
    for name, values in whole.items():
        np.testing.assert_allclose(head[name], values, atol=1e-12)


def test_constant_scores_have_the_metrics_of_random_order():
    metrics = measured(np.zeros((1, 4000)), [[17]], ks=(10,))
    assert metrics["recall@10"][0] == pytest.approx(10 / 4000)
    assert metrics["hit_rate@10"][0] == pytest.approx(10 / 4000)
    assert metrics["mrr@10"][0] == pytest.approx(sum(1 / i for i in range(1, 11)) / 4000)


def test_nan_scores_and_empty_lists_are_misses():
    metrics = measured([[math.nan, math.nan], [math.nan, 1.0]], [[0], [0]], ks=(1,))
    assert all((values == 0).all() for values in metrics.values())
    empty = measured(np.zeros((2, 0)), [[0], [3]], ks=(5,))
    assert all((values == 0).all() for values in empty.values())


def test_invalid_candidates_are_not_ranked():
    scores = np.array([[3.0, 2.0, 1.0]], np.float32)
    groups = tie_groups(scores, np.array([[False, True, True]]), 1)
    hits = groups.hits(np.array([[False, True, False]]))
    metrics = user_metrics(groups, hits, np.array([1]), (1,))
    assert metrics["recall@1"][0] == 1


def test_tied_targets_counts_targets_in_groups_that_the_cutoff_divides():
    groups = tie_groups(np.array([[2.0, 1, 1, 1]], np.float32), np.ones((1, 4), bool), 2)
    hits = groups.hits(np.array([[True, True, False, True]]))
    assert tied_targets(groups, hits, 2).tolist() == [2.0]
    assert tied_targets(groups, hits, 1).tolist() == [0.0]


def test_linear_metrics_are_nan_without_targets():
    groups = tie_groups(np.array([[2.0, 1]], np.float32), np.ones((1, 2), bool), 2)
    metrics = linear_metrics(groups, groups.hits(np.zeros((1, 2), bool)), np.array([0]), (1,))
    assert np.isnan(metrics["recall@1"][0])
    assert np.isnan(metrics["ndcg@1"][0])


def test_relevance_ignores_padding_and_absent_targets():
    numbers = np.array([[4, 2, -1], [7, 4, 0]], np.int32)
    relevant = Ragged.from_rows([[2, 99], [0, 7]]).isin(numbers)
    assert relevant.tolist() == [[False, True, False], [True, False, True]]


def test_gains_of_targets_add_up_to_the_metrics_of_users():
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 4, (30, 12)).astype(np.float32)
    relevant = generator.random((30, 12)) < 0.3
    relevant[:, 0] = True
    groups = tie_groups(scores, np.ones_like(relevant), 5)
    metrics = linear_metrics(groups, groups.hits(relevant), relevant.sum(axis=1), (3, 5))
    is_target = relevant.ravel()[groups.cells]
    target_cells = np.flatnonzero(relevant)
    positions = np.searchsorted(target_cells, groups.cells[is_target])
    for name, gains in target_gains(groups, groups.members[is_target], (3, 5)).items():
        all_gains = np.zeros(len(target_cells))
        all_gains[positions] = gains
        assert sliced(name, all_gains, target_cells // 12, 30) == pytest.approx(metrics[name])
