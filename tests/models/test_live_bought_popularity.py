"""Between two fits popularity cannot be bought either, and it is what a new fit would count."""

import time

import pytest

import plait
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


@pytest.fixture
def old_shop(tmp_path):
    """A shop of 120 customers who came a month ago and of five items that sell every day."""
    with plait.open(tmp_path / "home") as opened:
        events = [
            event(f"u{user}", f"i{(user + turn) % 5}", user / 20 + turn * 8)
            for user in range(120)
            for turn in range(4)
        ]
        opened.post(events)
        opened.fit(Recipe.of(RECIPE))
        yield opened


def test_newcomers_do_not_enter_between_fits_and_established_users_do(old_shop):
    before = old_shop.recommend("stranger", k=5).ids
    old_shop.post([event(f"c{number}", "slow", 31.0, "purchase") for number in range(100)])
    assert old_shop.recommend("stranger", k=5).ids == before
    at_once = shares(old_shop)
    old_shop.fit(Recipe.of(RECIPE))
    assert shares(old_shop) == pytest.approx(at_once, rel=1e-5)
    old_shop.post([event(f"u{number}", "slow", 31.5, "purchase") for number in range(100)])
    assert old_shop.recommend("stranger", k=5).ids[0] == "slow"
    at_once = shares(old_shop)
    old_shop.fit(Recipe.of(RECIPE))
    assert shares(old_shop) == pytest.approx(at_once, rel=1e-5)


def test_newcomers_stay_newcomers_to_their_item_between_fits(old_shop):
    old_shop.post([event(f"c{number}", "slow", 31.0) for number in range(4)])
    at_once = shares(old_shop)
    old_shop.post([event(f"c{number}", "slow", 31.0) for number in range(60)])
    assert shares(old_shop) == pytest.approx(at_once, rel=1e-6)
    old_shop.post([event(f"c{number}", "slow", 39.0) for number in range(60)])
    old_shop.post([event(f"c{number}", "i3", 47.0) for number in range(60)])
    at_once = shares(old_shop)
    assert at_once["i3"] > 9 * at_once["slow"]


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
