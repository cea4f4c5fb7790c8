"""The toy worlds are what they say, and the same every time."""

import itertools

import numpy as np
import pytest

from plait.testing.stage_case import arrays_in
from plait.testing.synthetic_data import (
    WORLDS,
    checkerboard,
    clock,
    late_arrivals,
    market,
    weekly_repeats,
)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_a_world_is_the_same_every_time(name):
    one, other = (list(arrays_in(WORLDS[name]())) for _ in range(2))
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        assert mine.tolist() == theirs.tolist() or np.isnan(mine).any()


def test_users_of_the_checkerboard_lack_one_item_of_their_colour():
    dataset = checkerboard()
    for user, row in enumerate(dataset.histories().to_padded()):
        ids = {dataset.catalogue.id(one) for one in row if one >= 0}
        colour = dataset.users.id(user)[:5]
        assert {f"{colour}-{one}" for one in range(6)} - ids == {f"{colour}-{user // 2 % 6}"}


def test_hours_follow_one_another():
    dataset = clock()
    for row in dataset.histories().to_padded():
        hours = [int(dataset.catalogue.id(one)[5:]) for one in row]
        assert all((after - before) % 12 == 1 for before, after in itertools.pairwise(hours))


def test_late_arrivals_have_fields_and_no_events():
    dataset = late_arrivals()
    late = dataset.catalogue.numbers(["black-late", "white-late"])
    assert not np.isin(late, dataset.interactions.items).any()
    assert dataset.catalogue.alive[late].all()
    assert dataset.catalogue.types()["title"] == "text"


def test_the_market_has_what_checks_need():
    dataset = market()
    assert not dataset.catalogue.alive.all()
    assert len(dataset.event_types) == 2
    assert set(dataset.catalogue.types().values()) == {"text", "category", "set", "number"}
    assert (np.bincount(dataset.interactions.users) == 1).any()
    assert dataset.users.types() == {"country": "category"}


def test_weekly_baskets_come_back():
    dataset = weekly_repeats()
    counts = np.bincount(dataset.interactions.items)
    often = {dataset.catalogue.id(one) for one in np.flatnonzero(counts == 8)}
    assert often == {f"{one}-{user}" for one in ("milk", "bread") for user in range(6)}
