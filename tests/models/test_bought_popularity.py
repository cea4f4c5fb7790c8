"""A shop of 600 customers with a known order of items, and accounts that push one of them."""

from dataclasses import replace

import numpy as np
import pytest

from plait.models.popularity.popular import Popular, PopularConfig
from plait.models.popularity.robust_counts import DailyCells, robust_interactions
from plait.testing.queries import ask, listed
from plait.testing.synthetic_data import make_dataset

DAYS = 60
TARGET = "i30"


def shop():
    """Customers buy some 200 things a day; item n is taken in proportion to 1 / (n + 3)."""
    random = np.random.default_rng(4)
    share = 1 / (np.arange(40) + 3)
    n_events = 200 * DAYS
    items = random.choice(40, n_events, p=share / share.sum())
    users = random.integers(600, size=n_events)
    times = np.sort(random.uniform(0, DAYS, n_events))
    return [
        (f"u{user}", f"i{item}", time)
        for user, item, time in zip(users.tolist(), items.tolist(), times.tolist(), strict=True)
    ]


def rank(attack, **settings):
    """The place of the target among the popular items, from 1."""
    dataset = make_dataset([*shop(), *attack])
    stage = Popular(PopularConfig(**settings), name="popular").fit(dataset)
    ids = listed(stage.retrieve(ask(dataset.catalogue, []), 40), dataset.catalogue)[0]
    return ids.index(TARGET) + 1


@pytest.mark.parametrize("half_life_days", [0.5, 4.0, 28.0, 0.0])
@pytest.mark.parametrize(
    "attack",
    [
        [("fake", TARGET, DAYS - turn / 24_000) for turn in range(1000)],
        [("fake", TARGET, day + 0.5) for day in range(DAYS)],
    ],
    ids=["1000 in an hour", "each day"],
)
def test_one_account_with_any_number_of_events_is_not_among_the_ten_best(attack, half_life_days):
    assert rank(attack, half_life_days=half_life_days) > 10


@pytest.mark.parametrize("half_life_days", [4.0, 28.0, 0.0])
@pytest.mark.parametrize("times_each", [1, 20])
def test_fifty_new_accounts_in_an_hour_are_not_among_the_ten_best(half_life_days, times_each):
    attack = [
        (f"fake{account}", TARGET, DAYS - (account + turn) / 2400)
        for account in range(50)
        for turn in range(times_each)
    ]
    assert rank(attack, half_life_days=half_life_days) > 10


@pytest.mark.parametrize("half_life_days", [0.5, 4.0, 0.0])
@pytest.mark.parametrize("accounts", [50, 500])
@pytest.mark.parametrize("disguise", [[], ["i0", "i1", "i2"]], ids=["alone", "with bestsellers"])
def test_newcomers_of_any_number_are_not_among_the_ten_best(accounts, disguise, half_life_days):
    attack = [
        (f"fake{account}", item, DAYS - (account + 1) / 48_000 - turn / 50_000)
        for account in range(accounts)
        for turn, item in enumerate([TARGET, *disguise])
    ]
    assert rank(attack, half_life_days=half_life_days) > 10


def test_accounts_that_came_for_one_item_stay_newcomers_to_it_whatever_their_age():
    attack = [
        (f"fake{account}", TARGET, DAYS - day - account / 100)
        for account in range(50)
        for day in (0, 20, 40)
    ]
    assert rank(attack, half_life_days=0.5) > 10


def test_a_hundred_customers_in_a_day_are_among_the_ten_best():
    hit = [(f"u{number}", TARGET, DAYS - number / 200) for number in range(100)]
    assert rank(hit, half_life_days=0.5) <= 10


def test_newcomers_count_in_full_where_all_users_are_new():
    events = [(f"u{number}", f"i{number % 5}", number / 100) for number in range(100)]
    robust = robust_interactions(make_dataset(events).interactions, is_timed=True)
    assert robust.is_newcomer.all()
    cells = robust.cells(slice(None), np.ones(100))
    assert cells.saturated(1.0, 1e9 * robust.newcomer_ratio()) == pytest.approx(
        replace(cells, newcomers=np.zeros(len(cells))).saturated(1.0, 0.0)
    )


def test_robust_interactions_call_newcomer_who_comes_with_an_item_within_a_week():
    events = [("a", "x", 0), ("a", "y", 6), ("a", "z", 7), ("a", "x", 30), ("b", "x", 50)]
    dataset = make_dataset(events)
    robust = robust_interactions(dataset.interactions, is_timed=True)
    users, items = dataset.users.ids, dataset.catalogue.ids
    rows = robust.interactions
    pairs = zip(rows.users.tolist(), rows.items.tolist(), strict=True)
    names = [(users[user], items[item]) for user, item in pairs]
    assert dict(zip(names, robust.is_newcomer.tolist(), strict=True)) == {
        ("a", "x"): True,
        ("a", "y"): True,
        ("a", "z"): False,
        ("b", "x"): True,
    }
    assert robust.newcomer_ratio() == pytest.approx(2.5)
    assert not robust_interactions(dataset.interactions, is_timed=False).is_newcomer.any()


def test_saturated_counts_newcomers_up_to_what_established_users_let_expect():
    counts = np.array([60.0, 60.0, 5.0, 60.0])
    newcomers = np.array([50.0, 60.0, 5.0, 0.0])
    days = np.arange(4)
    cells = DailyCells.of(days, np.zeros(4, np.int64), counts, counts, newcomers)
    bounded = np.array([10 + 1.5 * 11, 1.5, 1.5, 60])
    assert cells.saturated(100.0, 1.5) == pytest.approx([60, 60, 5, 60])
    assert cells.saturated(1.0, 1.5) == pytest.approx(1 + np.log(bounded))


def test_a_hit_that_customers_buy_day_by_day_is_first_within_a_week():
    customers = iter(np.random.default_rng(1).permutation(600).tolist())
    hit = [
        (f"u{next(customers)}", TARGET, DAYS - 7 + day + part / 80)
        for day in range(7)
        for part in range(60)
    ]
    assert rank(hit, half_life_days=4.0) == 1


def test_robust_interactions_keep_the_newest_day_of_a_pair_and_halve_users_of_one_item():
    events = [("a", "x", 1), ("a", "x", 5), ("a", "y", 2), ("b", "x", 3.1), ("b", "x", 3.2)]
    kinds = ["view", "view", "view", "purchase", "view"]
    weights = {"view": 1.0, "purchase": 2.0}
    dataset = make_dataset(events, kinds=kinds).weighted(weights)
    counted = robust_interactions(dataset.interactions, is_timed=True).interactions
    names, items = dataset.users.ids, dataset.catalogue.ids
    rows = zip(counted.users.tolist(), counted.items.tolist(), counted.weights, strict=True)
    result = {(names[user], items[item]): float(weight) for user, item, weight in rows}
    assert result == {("a", "x"): 1.0, ("a", "y"): 1.0, ("b", "x"): 1.0}


def test_saturated_counts_in_full_up_to_the_fifth_item_of_a_day_and_by_logarithm_beyond():
    counts = np.array([80.0, 9.0, 8.0, 6.0, 4.0, 2.0, 30.0])
    days = np.array([1, 1, 1, 1, 1, 1, 2])
    items = np.array([0, 1, 2, 3, 4, 5, 0])
    cells = DailyCells.of(days, items, counts, counts / 2, np.zeros(7))
    expected = np.where(
        counts <= 4, counts, np.where(days == 1, 4 * (1 + np.log(counts / 4)), 1 + np.log(counts))
    )
    assert cells.saturated(1.0, 0.0) == pytest.approx(expected / 2)
