"""`repeat` beside TIFU-KNN as the paper writes it, slowly, with nothing in common."""

import dataclasses
from collections import defaultdict

import numpy as np
import pytest

from plait.data.types import History, QueryBatch
from plait.models.repeat import Repeat, RepeatConfig
from plait.testing.synthetic_data import DAY, START, make_dataset


def partition(baskets, m):
    """At most m groups, oldest first: as long as each other, or the newest longer by one."""
    m = min(m, len(baskets))
    short = len(baskets) // m
    groups, at = [], 0
    for group in range(m):
        size = short if group < m - len(baskets) % m else short + 1
        groups.append(baskets[at : at + size])
        at += size
    assert at == len(baskets)
    return groups


def user_vector(baskets, m, r_b, r_g):
    """v_g = sum_j r_b^(x - j) v_j / x over the x baskets; u = sum_i r_g^(m - i) v_gi / m."""
    groups = partition(baskets, m)
    u = defaultdict(float)
    for i, group in enumerate(groups, 1):
        for j, basket in enumerate(group, 1):
            for item in set(basket):
                v_g = r_b ** (len(group) - j) / len(group)
                u[item] += r_g ** (len(groups) - i) * v_g / len(groups)
    return u


def distance(u, v):
    return sum((u.get(item, 0.0) - v.get(item, 0.0)) ** 2 for item in {*u, *v}) ** 0.5


def neighbours_mean(u, others, k):
    """The mean of the k nearest; who is as far as the last of them has a part of the places."""
    far = sorted(distance(u, v) for v in others)
    k = min(k, len(others))
    near = [v for v in others if distance(u, v) < far[k - 1] - 1e-6]
    last = [v for v in others if abs(distance(u, v) - far[k - 1]) <= 1e-6]
    mean = defaultdict(float)
    for some, worth in ((near, 1.0), (last, (k - len(near)) / len(last))):
        for v in some:
            for item, value in v.items():
                mean[item] += worth * value / k
    return mean


def tifu_knn(history, others, told):
    """alpha * own + (1 - alpha) * neighbours', by item."""

    def vector(baskets):
        recent = baskets[-told.max_baskets :]
        return user_vector(recent, max(told.n_groups, 1), told.basket_decay, told.group_decay)

    alpha = 1 - told.neighbor_weight if told.n_neighbors else 1.0
    own = vector(history)
    found = {item: alpha * value for item, value in own.items()}
    if told.n_neighbors:
        mean = neighbours_mean(own, [vector(one) for one in others], told.n_neighbors)
        for item, value in mean.items():
            found[item] = found.get(item, 0.0) + (1 - alpha) * value
    return found


def shoppers(rng, users, items):
    """Baskets by user: one to twelve, an item now and then twice in a basket, favourites often.

    The last four took the same, so that some stand in a tie.
    """
    found = {}
    for user in range(users):
        favourites = rng.choice(items, 3, replace=False)
        baskets = []
        for _ in range(1 if user == 0 else int(rng.integers(1, 13))):
            taken = [*rng.choice(favourites, 2), *rng.integers(0, items, rng.integers(0, 4))]
            baskets.append([f"i{one}" for one in taken])
        found[f"u{user}"] = baskets
    for user in range(users - 3, users):
        found[f"u{user}"] = found[f"u{users - 4}"]
    return found


def question(dataset, baskets, user):
    items = [item for basket in baskets for item in basket]
    days = [day for day, basket in enumerate(baskets) for _ in basket]
    history = History(
        np.array([0, len(items)], np.int64),
        dataset.catalogue.numbers(items),
        START + np.array(days, np.int64) * DAY,
        np.ones(len(items), np.float32),
    )
    queries = QueryBatch.of_histories(history)
    return dataclasses.replace(queries, users=dataset.users.numbers([user]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "told",
    [
        RepeatConfig(n_groups=3, n_neighbors=4),
        RepeatConfig(
            n_groups=7, n_neighbors=5, neighbor_weight=0.7, basket_decay=0.8, group_decay=0.6
        ),
        RepeatConfig(n_neighbors=1, neighbor_weight=0.5),
        RepeatConfig(n_groups=4, n_neighbors=1000, neighbor_weight=0.9),
        RepeatConfig(n_groups=5, basket_decay=0.7),
        RepeatConfig(n_groups=2, n_neighbors=3, max_baskets=5),
    ],
    ids=["three", "seven", "one-group", "everybody", "alone", "cut"],
)
def test_scores_are_those_of_the_paper(told, seed):
    rng = np.random.default_rng(seed)
    taken = shoppers(rng, 15, 20)
    events = [
        (user, item, float(day))
        for user, baskets in taken.items()
        for day, basket in enumerate(baskets)
        for item in basket
    ]
    dataset = make_dataset(events)
    stage = Repeat(told, name="repeat").fit(dataset)
    stranger = {"nobody": [*taken["u1"], *taken["u2"][:2]]}
    for user, baskets in {**taken, **stranger}.items():
        queries = question(dataset, baskets, user)
        others = [theirs for other, theirs in taken.items() if other != user]
        expected = tifu_knn(baskets, others, told)
        found = stage.score_all(queries)[0]
        for number in range(dataset.n_items):
            item = dataset.catalogue.id(number)
            value = found[number] if number < len(found) else np.nan
            if item in expected:
                assert value == pytest.approx(expected[item], rel=1e-4), (user, item)
            else:
                assert np.isnan(value), (user, item)
