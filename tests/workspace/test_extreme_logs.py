"""The recipe `default` on logs of two events, and with one user who has very many."""

import numpy as np
import polars as pl
import pytest

import plait


@pytest.mark.parametrize("items", [["a", "b"], ["a", "a"]])
def test_two_events_are_fitted_and_answered(items):
    events = {"user": ["u", "v"], "item": items, "time": [1_000_000, 2_000_000]}
    with plait.open(None) as shop:
        shop.ingest(events=events)
        shop.fit("default")
        response = shop.recommend("stranger", k=5)
        assert {item.id for item in response.items} == set(items)
        assert np.isfinite([item.score for item in response.items]).all()


def test_a_user_with_very_many_events_is_fitted_and_answered():
    """The pairs of such a history are bounded by the window, not by its square."""
    random = np.random.default_rng(0)
    many, others = 100_000, 300
    events = pl.DataFrame(
        {
            "user": ["robot"] * many + [f"u{user % 60}" for user in range(others)],
            "item": [f"i{item}" for item in random.integers(200, size=many + others)],
            "time": np.arange(many + others) + 1_600_000_000,
        }
    )
    with plait.open(None) as shop:
        shop.ingest(events=events)
        shop.fit("default")
        assert len(shop.recommend("robot", k=5, seen="keep").items) == 5
        assert len(shop.recommend("u1", k=5).items) == 5
