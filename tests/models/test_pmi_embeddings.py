"""Initial item vectors from co-occurrence."""

import numpy as np
import pytest

from plait.features.item_vocabulary import Vocabulary
from plait.models.sequential.pmi_embeddings import pmi_embeddings
from plait.testing.check_renumbering import renumbered
from plait.testing.synthetic_data import checkerboard, clock, make_dataset, market


def embed(dataset, dim=6, seed=0):
    return pmi_embeddings(dataset, Vocabulary.of(dataset), dim, seed)


def cosines_by_id(dataset, vectors):
    """Cosines in the order of external ids, independent of item numbers."""
    items = Vocabulary.of(dataset)
    order = np.argsort([dataset.catalogue.ids[number] for number in items.numbers])
    return (vectors @ vectors.T)[order][:, order]


def test_items_that_occur_together_have_similar_vectors():
    dataset = checkerboard()
    vectors = embed(dataset)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors.dtype == np.float32
    cosines = cosines_by_id(dataset, vectors)
    is_black = np.array([item_id.startswith("black") for item_id in sorted(dataset.catalogue.ids)])
    same = is_black[:, None] == is_black
    assert cosines[same].mean() > cosines[~same].mean() + 0.3


def test_items_that_follow_each_other_closely_have_similar_vectors():
    dataset = clock(hours=12)
    cosines = cosines_by_id(dataset, embed(dataset, dim=4))
    ids = sorted(dataset.catalogue.ids)
    hours = np.array([int(item_id.rpartition("-")[2]) for item_id in ids])
    distance = np.abs(hours[:, None] - hours)
    distance = np.minimum(distance, 12 - distance)
    assert (
        cosines[distance == 1].mean()
        > cosines[distance == 3].mean()
        > cosines[distance == 6].mean()
    )


def test_vectors_do_not_depend_on_item_numbers():
    dataset = market()
    permutation = np.random.default_rng(3).permutation(dataset.n_items).astype(np.int32)
    other = renumbered(dataset, permutation)
    expected = cosines_by_id(other, embed(other))
    assert cosines_by_id(dataset, embed(dataset)) == pytest.approx(expected, abs=1e-4)


def test_the_same_seed_gives_the_same_vectors():
    np.testing.assert_array_equal(embed(market()), embed(market()))


@pytest.mark.parametrize("items", [1, 2, 3])
def test_dimensions_that_a_small_catalogue_does_not_fill_are_zero(items):
    rows = [
        (f"u{user}", f"i{item}", user * 10 + item) for user in range(4) for item in range(items)
    ]
    vectors = embed(make_dataset(rows))
    assert vectors.shape == (items, 6)
    assert np.isfinite(vectors).all()
    assert not vectors[:, max(items - 1, 0) :].any()


def test_an_item_that_occurs_with_no_other_has_a_zero_vector():
    rows = [(f"u{user}", f"i{user % 3}", user) for user in range(9)]
    rows += [(f"u{user}", f"i{(user + 1) % 3}", user + 20) for user in range(9)]
    dataset = make_dataset([*rows, ("lone", "island", 50)])
    ids = np.array([dataset.catalogue.ids[number] for number in Vocabulary.of(dataset).numbers])
    vectors = embed(dataset)
    assert not vectors[ids == "island"].any()
    assert np.linalg.norm(vectors[ids != "island"], axis=1) == pytest.approx(1, abs=1e-5)


def test_a_single_event_gives_a_zero_vector():
    vectors = embed(make_dataset([("u", "i", 1)]))
    assert vectors.shape == (1, 6)
    assert not vectors.any()
