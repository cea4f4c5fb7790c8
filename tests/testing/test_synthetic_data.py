"""The synthetic data sets are what their docstrings say, and the same every time."""

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
def test_data_set_is_the_same_every_time(name):
    first, second = (list(arrays_in(WORLDS[name]())) for _ in range(2))
    assert len(first) == len(second)
    for array, other in zip(first, second, strict=True):
        if array.dtype == object:
            assert repr(array.tolist()) == repr(other.tolist())
        else:
            np.testing.assert_array_equal(array, other)


def test_users_of_the_checkerboard_lack_one_item_of_their_colour():
    dataset = checkerboard()
    for user, row in enumerate(dataset.histories().to_padded()):
        ids = {dataset.catalogue.id(number) for number in row if number >= 0}
        colour = dataset.users.id(user)[:5]
        assert {f"{colour}-{item}" for item in range(6)} - ids == {f"{colour}-{user // 2 % 6}"}


def test_items_of_the_clock_follow_one_another():
    dataset = clock()
    for row in dataset.histories().to_padded():
        hours = [int(dataset.catalogue.id(number)[5:]) for number in row]
        assert all((after - before) % 12 == 1 for before, after in itertools.pairwise(hours))


def test_late_arrivals_have_fields_and_no_events():
    dataset = late_arrivals()
    late = dataset.catalogue.numbers(["black-late", "white-late"])
    assert not np.isin(late, dataset.interactions.items).any()
    assert dataset.catalogue.alive[late].all()
    assert dataset.catalogue.types()["title"] == "text"


def test_market_has_deleted_items_event_types_fields_and_short_histories():
    dataset = market()
    assert not dataset.catalogue.alive.all()
    assert len(dataset.event_types) == 2
    assert set(dataset.catalogue.types().values()) == {"text", "category", "set", "number"}
    assert (np.bincount(dataset.interactions.users) == 1).any()
    assert dataset.users.types() == {"country": "category"}


def test_weekly_baskets_repeat_two_items_of_each_user():
    dataset = weekly_repeats()
    counts = np.bincount(dataset.interactions.items)
    repeated = {dataset.catalogue.id(number) for number in np.flatnonzero(counts == 8)}
    assert repeated == {f"{item}-{user}" for item in ("milk", "bread") for user in range(6)}
