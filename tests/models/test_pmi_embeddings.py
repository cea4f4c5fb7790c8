"""Vectors that item tables start from."""

import numpy as np
import pytest

from plait.features.vocabulary import Vocabulary
from plait.models.sequential.pmi_embeddings import pmi_embeddings
from plait.testing.check_change import renumbered
from plait.testing.synthetic_data import checkerboard, clock, make_dataset, market


def started(dataset, dim=6, seed=0):
    return pmi_embeddings(dataset, Vocabulary.of(dataset), dim, seed)


def by_id(dataset, vectors):
    """Cosines in the order of outside ids: nothing of it depends on numbers."""
    items = Vocabulary.of(dataset)
    order = np.argsort([dataset.catalogue.ids[one] for one in items.numbers])
    return (vectors @ vectors.T)[order][:, order]


def test_items_that_come_together_point_the_same_way():
    dataset = checkerboard()
    vectors = started(dataset)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors.dtype == np.float32
    like = by_id(dataset, vectors)
    group = np.array([one.startswith("black") for one in sorted(dataset.catalogue.ids)])
    same = group[:, None] == group
    assert like[same].mean() > like[~same].mean() + 0.3


def test_hours_that_are_near_point_the_same_way():
    dataset = clock(hours=12)
    like = by_id(dataset, started(dataset, dim=4))
    ids = sorted(dataset.catalogue.ids)
    hours = np.array([int(one.rpartition("-")[2]) for one in ids])
    apart = np.abs(hours[:, None] - hours)
    apart = np.minimum(apart, 12 - apart)
    assert like[apart == 1].mean() > like[apart == 3].mean() > like[apart == 6].mean()


def test_renumbering_the_items_changes_nothing():
    dataset = market()
    places = np.random.default_rng(3).permutation(dataset.n_items).astype(np.int32)
    other = renumbered(dataset, places)
    assert by_id(dataset, started(dataset)) == pytest.approx(by_id(other, started(other)), abs=1e-4)


def test_the_same_seed_gives_the_same_vectors():
    assert (started(market()) == started(market())).all()


@pytest.mark.parametrize("items", [1, 2, 3])
def test_small_catalogues_leave_places_over(items):
    rows = [
        (f"u{user}", f"i{item}", user * 10 + item) for user in range(4) for item in range(items)
    ]
    vectors = started(make_dataset(rows))
    assert vectors.shape == (items, 6)
    assert np.isfinite(vectors).all()
    assert not vectors[:, max(items - 1, 0) :].any()


def test_an_item_that_comes_with_no_other_starts_from_nothing():
    rows = [(f"u{user}", f"i{user % 3}", user) for user in range(9)]
    rows += [(f"u{user}", f"i{(user + 1) % 3}", user + 20) for user in range(9)]
    dataset = make_dataset([*rows, ("lone", "island", 50)])
    lone = np.array([dataset.catalogue.ids[one] for one in Vocabulary.of(dataset).numbers])
    vectors = started(dataset)
    assert not vectors[lone == "island"].any()
    assert np.linalg.norm(vectors[lone != "island"], axis=1) == pytest.approx(1, abs=1e-5)


def test_nothing_at_all():
    assert started(make_dataset([("u", "i", 1)])).shape == (1, 6)
