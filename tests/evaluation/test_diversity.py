"""How much the items of a list differ, ties in expectation."""

import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as some
from scipy import sparse

from plait.evaluation.ranking.list_diversity import ItemSimilarity, diversity, item_similarity
from plait.metrics.beyond_accuracy import exposure_chances
from plait.metrics.ties import tie_groups
from tests.dataset_fixtures import world


def by_hand(scores, vectors, k):
    """The mean over every order of tied items."""
    count = len(scores)
    values = []
    for order in itertools.permutations(range(count)):
        if any(scores[a] < scores[b] for a, b in itertools.pairwise(order)):
            continue
        pairs = itertools.combinations(order[:k], 2)
        values.append(np.mean([1 - vectors[a] @ vectors[b] for a, b in pairs]))
    return np.mean(values)


@hypothesis.settings(max_examples=40)
@hypothesis.given(
    some.lists(some.integers(0, 2), min_size=2, max_size=5),
    some.integers(2, 4),
    some.integers(0, 99),
)
def test_the_closed_form_is_the_mean_over_all_orders(levels, k, seed):
    generator = np.random.default_rng(seed)
    vectors = generator.random((len(levels), 3)) * (generator.random((len(levels), 3)) < 0.6)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    scores = np.array([levels], np.float32)
    numbers = np.arange(len(levels), dtype=np.int32)[None]
    part = exposure_chances(tie_groups(scores, np.ones(scores.shape, bool), k), numbers, k)
    values = diversity(part, ItemSimilarity.of("fields", sparse.csr_matrix(vectors)), 1)
    assert values[0] == pytest.approx(by_hand(levels, vectors, min(k, len(levels))))


def test_a_list_of_one_has_no_diversity():
    scores = np.array([[1.0, np.nan]], np.float32)
    part = exposure_chances(
        tie_groups(scores, ~np.isnan(scores), 2), np.array([[0, 1]], np.int32), 2
    )
    assert np.isnan(diversity(part, ItemSimilarity.of("fields", sparse.eye_array(2).tocsr()), 1)[0])


def test_item_similarity_without_fields_compares_users():
    data = world([("u", "a", 0), ("v", "a", 1), ("u", "b", 2), ("v", "b", 3), ("w", "c", 4)])
    similarity = item_similarity(data)
    assert similarity.by == "users"
    assert (similarity.vectors @ similarity.vectors.T).toarray() == pytest.approx(
        np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), abs=1e-6
    )
