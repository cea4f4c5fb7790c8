"""Popularity follows the log between two fits, as a new fit would count it."""

import numpy as np
import pytest

import plait
from plait.pipeline.recipe import Recipe
from plait.utils.timestamps import DAY

START = 1_700_000_000
RECIPE = {
    "name": "popular-only",
    "models": {"popular": {"half_life_days": 2.0}},
    "steps": {"fuse": {}, "rules": {"seen": "off"}, "policy": {}, "explain": {}},
    "event_weights": {"purchase": 2.0, "hide": -1.0, "shown": 0.0},
}


def event(user, item, day=0.0, kind="view"):
    return {"user": user, "item": item, "kind": kind, "time": START + day * DAY / 1e6}


def shares(shop):
    """The share of each item by its id, from the column of the model."""
    model = shop.host.serving()
    from plait.data.types import Query

    _, items = model.run([Query(k=50)])
    numbers = items.item_numbers[0]
    values = items.column("popular.score")[0]
    ids = model.state.catalogue.ids
    return {
        ids[number]: float(value)
        for number, value in zip(numbers.tolist(), values, strict=True)
        if number >= 0 and np.isfinite(value)
    }


@pytest.fixture
def shop(tmp_path):
    with plait.open(tmp_path / "home") as opened:
        opened.post([event(f"u{user}", f"i{user % 7}", user / 40) for user in range(60)])
        opened.fit(Recipe.of(RECIPE))
        yield opened


def test_counts_after_new_events_are_those_of_a_new_fit(shop):
    rows = [event(f"n{number}", f"i{number % 9}", 2 + number / 10) for number in range(30)]
    rows += [event("n1", "i8", 4.9, "purchase"), event("n2", "i8", 5.0, "hide")]
    rows += [event("n3", "i8", 5.1, "shown"), event("late", "i0", 1.0)]
    for start in range(0, len(rows), 7):
        shop.post(rows[start : start + 7])
        shares(shop)
    live = shares(shop)
    shop.fit(Recipe.of(RECIPE))
    assert shares(shop) == pytest.approx(live, rel=1e-5)
    assert "i8" in live


def test_many_posted_events_are_counted_before_a_query_as_a_new_fit_counts_them(shop):
    shares(shop)
    for day in (2.0, 3.0):
        rows = [event(f"n{number}", f"i{number % 11}", day) for number in range(300)]
        shop.post([*rows, event("fan", "i3", day)])
        shop.post([event(f"few{day}", "i10", day)])
    live = shares(shop)
    shop.fit(Recipe.of(RECIPE))
    assert shares(shop) == pytest.approx(live, rel=1e-5)
    assert len(live) == 11


def test_a_home_opened_again_counts_the_events_since_its_fit(shop, tmp_path):
    shop.post([event(f"n{number}", f"i{number % 11}", 2.0) for number in range(300)])
    with plait.open(tmp_path / "home") as again:
        assert shares(again) == pytest.approx(shares(shop), rel=1e-5)
        again.post([event(f"m{number}", "i10", 2.5) for number in range(200)])
        live = shares(again)
        again.fit(Recipe.of(RECIPE))
        assert shares(again) == pytest.approx(live, rel=1e-5)


def test_a_silence_counts_as_three_half_lives_live_too(shop):
    shop.post([event("n", "i1", 400.0), event("m", "i2", 401.0)])
    live = shares(shop)
    shop.fit(Recipe.of(RECIPE))
    assert shares(shop) == pytest.approx(live, rel=1e-5)


def test_a_user_counts_once_for_an_item_on_a_day(shop):
    shop.post([event("fan", "i3", 2.0)])
    once = shares(shop)
    for _ in range(3):
        shop.post([event("fan", "i3", 2.0) for _ in range(20)])
    assert shares(shop) == pytest.approx(once, rel=1e-6)
    shop.post([event("fan", "i3", 2.0, "purchase")])
    assert shares(shop)["i3"] > once["i3"]
    live = shares(shop)
    shop.fit(Recipe.of(RECIPE))
    assert shares(shop) == pytest.approx(live, rel=1e-5)


def test_an_event_of_the_day_of_the_fit_is_not_counted_again(shop):
    before = shares(shop)
    shop.post([event("u59", "i3", 59 / 40) for _ in range(5)])
    assert shares(shop) == pytest.approx(before, rel=1e-6)


def test_an_erased_user_no_longer_counts(shop):
    before = shares(shop)
    shop.post([event(f"n{number}", "i6", 2.0) for number in range(5)])
    after = shares(shop)
    shop.post([event("gone", "i2", 2.0)])
    assert shares(shop) != pytest.approx(after)
    shop.erase_user("gone")
    assert shares(shop) == pytest.approx(after, rel=1e-6)
    assert after != pytest.approx(before)


def test_a_restart_and_another_reader_count_the_same(shop, tmp_path):
    shop.post([event(f"n{number}", "i6", 2.0 + number / 9) for number in range(9)])
    live = shares(shop)
    with plait.open(tmp_path / "home") as other:
        assert shares(other) == pytest.approx(live, rel=1e-6)


def test_popularity_of_a_segment_follows_too(tmp_path):
    recipe = Recipe.of(
        {**RECIPE, "models": {"popular": {"segment_by": "country", "segment_weight": 1.0}}}
    )
    with plait.open(tmp_path / "home") as shop:
        for number in range(6):
            shop.put_user(f"u{number}", {"country": "de" if number % 2 else "fr"})
        shop.post([event(f"u{number}", f"i{number}", 0) for number in range(6)])
        shop.fit(recipe)
        for number in range(20):
            shop.put_user(f"f{number}", {"country": "fr"})
        shop.post([event(f"f{number}", "new", 0.1) for number in range(20)])
        assert shop.recommend(context={"country": "fr"}, k=1).ids == ["new"]
        assert shop.recommend(context={"country": "de"}, k=3).ids != ["new"]
        assert "new" not in shop.recommend(context={"country": "de"}, k=3).ids


def test_purchases_of_many_move_the_list_of_a_stranger_at_once(shop):
    assert "slow" not in shop.recommend("stranger", k=5).ids
    shop.post([event(f"c{number}", "slow", 2.0, "purchase") for number in range(100)])
    assert shop.recommend("stranger", k=5).ids[0] == "slow"
