"""Between two fits popularity cannot be bought either, and it is what a new fit would count."""

import time

import pytest

from plait.pipeline.recipe import Recipe
from plait.utils.timestamps import DAY
from tests.models.test_live_popularity import RECIPE, event, shares, shop

__all__ = ["shop"]


def test_a_user_counts_once_for_an_item_whatever_the_days(shop):
    days = [2.0, 3.0, 4.0, 5.0, 6.0]
    shop.post([event("fan", "i3", day) for day in days] + [event("fan", "i4", 6.0)])
    at_once = shares(shop)
    shop.post([event("fan", "i3", day) for day in days for _ in range(9)])
    assert shares(shop) == pytest.approx(at_once, rel=1e-6)
    shop.fit(Recipe.of(RECIPE))
    assert shares(shop) == pytest.approx(at_once, rel=1e-5)


def test_a_second_item_makes_a_user_of_the_fit_count_in_full(shop):
    shop.post([event("u9", "i5", 2.0)])
    live = shares(shop)
    shop.fit(Recipe.of(RECIPE))
    assert shares(shop) == pytest.approx(live, rel=0.02)


def test_one_account_does_not_enter_and_a_hundred_users_do(shop):
    before = shop.recommend("stranger", k=5).ids
    shop.post([event("fake", "slow", 2.0, "purchase") for _ in range(1000)])
    assert shop.recommend("stranger", k=5).ids == before
    shop.post([event(f"c{number}", "slow", 2.0, "purchase") for number in range(100)])
    assert shop.recommend("stranger", k=5).ids[0] == "slow"


def test_events_of_a_clock_that_was_years_ahead_do_not_make_others_old(shop):
    now = time.time_ns() // 1000 / 1e6
    ahead = {"user": "n", "item": "i1", "kind": "view", "time": now}
    shop.post([ahead])
    late = now + 3000 * DAY / 1e6
    from plait.data.types import Event

    shop._log.append([Event("interaction", "far", "view", "m", "i2", round(late * 1e6))])
    shop.post([{"user": f"v{n}", "item": "i6", "kind": "view", "time": now} for n in range(40)])
    values = shares(shop)
    assert max(values, key=values.get) == "i6"
    shop.fit(Recipe.of(RECIPE))
    values = shares(shop)
    assert max(values, key=values.get) == "i6"
    assert shop.info()["bundle"]["times_in_the_future"] == 1
