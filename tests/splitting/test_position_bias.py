"""Tests of the click model: planted shares of who looks at a place, and of who clicks an item."""

import numpy as np
import pytest

from plait.splitting.position_bias import fit_click_model

LOOKS = np.array([1.0, 0.5, 0.25, 0.1])


def clicks(order_of, n_rows=4000):
    """Responses of four items for one query, at the places that `order_of` draws."""
    draw = np.random.default_rng(0)
    relevance = np.array([0.8, 0.6, 0.4, 0.2])
    pairs = np.stack([order_of(draw) for _ in range(n_rows)])
    ranks = np.tile(np.arange(4), (n_rows, 1))
    clicked = draw.random(pairs.shape) < LOOKS[ranks] * relevance[pairs]
    return fit_click_model(pairs.ravel(), ranks.ravel(), clicked.ravel())


def test_places_and_items_are_told_apart_where_items_change_places():
    model = clicks(lambda draw: draw.permutation(4))
    assert model.examination == pytest.approx(LOOKS, abs=0.05)
    assert model.relevance == pytest.approx([0.8, 0.6, 0.4, 0.2], abs=0.05)
    assert model.looks == pytest.approx(np.full(4, 4000 * LOOKS.mean()), rel=0.1)


def test_good_item_that_is_often_last_is_above_a_bad_one_that_is_often_first():
    """The shares of clicks alone would say the contrary."""

    def mostly_bad_first(draw):
        return np.array([3, 1, 2, 0]) if draw.random() < 0.8 else draw.permutation(4)

    model = clicks(mostly_bad_first)
    assert model.relevance[0] > 2 * model.relevance[3]


def test_an_item_that_was_shown_once_is_neither_good_nor_bad():
    pairs, ranks = np.array([0, 1]), np.array([0, 1])
    model = fit_click_model(pairs, ranks, np.array([True, False]))
    assert 0.1 < model.relevance[1] < model.relevance[0] < 0.7
    nothing = fit_click_model(pairs[:0], ranks[:0], np.zeros(0, np.bool_))
    assert len(nothing.relevance) == 0
