"""A shop of 600 customers with a known order of items, and accounts that push one of them."""

import numpy as np
import pytest

from plait.models.popularity.daily_cells import DailyCells, robust_interactions
from plait.models.popularity.popular import Popular, PopularConfig
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
    counted = robust_interactions(dataset.interactions, is_timed=True)
    names, items = dataset.users.ids, dataset.catalogue.ids
    rows = zip(counted.users.tolist(), counted.items.tolist(), counted.weights, strict=True)
    result = {(names[user], items[item]): float(weight) for user, item, weight in rows}
    assert result == {("a", "x"): 1.0, ("a", "y"): 1.0, ("b", "x"): 1.0}


def test_saturated_counts_in_full_up_to_the_fifth_item_of_a_day_and_by_logarithm_beyond():
    counts = np.array([80.0, 9.0, 8.0, 6.0, 4.0, 2.0, 30.0])
    days = np.array([1, 1, 1, 1, 1, 1, 2])
    items = np.array([0, 1, 2, 3, 4, 5, 0])
    cells = DailyCells.of(days, items, counts, counts / 2)
    expected = np.where(
        counts <= 4, counts, np.where(days == 1, 4 * (1 + np.log(counts / 4)), 1 + np.log(counts))
    )
    assert cells.saturated(1.0) == pytest.approx(expected / 2)
