"""Tests of `repeat` against a plain implementation of TIFU-KNN that follows the paper."""

import dataclasses
from collections import defaultdict

import numpy as np
import pytest

from plait.data.types import History, QueryBatch
from plait.models.tifu_knn import Repeat, RepeatConfig
from plait.testing.synthetic_data import START, make_dataset
from plait.utils.timestamps import DAY


def partition(baskets, m):
    """At most m groups, oldest first: as long as each other, or the newest longer by one."""
    m = min(m, len(baskets))
    short = len(baskets) // m
    groups, start = [], 0
    for group in range(m):
        size = short if group < m - len(baskets) % m else short + 1
        groups.append(baskets[start : start + size])
        start += size
    assert start == len(baskets)
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
    """The mean of the k nearest; users as far as the last of them share the last places."""
    far = sorted(distance(u, v) for v in others)
    k = min(k, len(others))
    near = [v for v in others if distance(u, v) < far[k - 1] - 1e-6]
    last = [v for v in others if abs(distance(u, v) - far[k - 1]) <= 1e-6]
    mean = defaultdict(float)
    for vectors, weight in ((near, 1.0), (last, (k - len(near)) / len(last))):
        for v in vectors:
            for item, value in v.items():
                mean[item] += weight * value / k
    return mean


def tifu_knn(history, others, config):
    """alpha * own + (1 - alpha) * neighbours', by item."""

    def vector(baskets):
        recent = baskets[-config.max_baskets :]
        n_groups = max(config.n_groups, 1)
        return user_vector(recent, n_groups, config.basket_decay, config.group_decay)

    alpha = 1 - config.neighbor_weight if config.n_neighbors else 1.0
    own = vector(history)
    expected = {item: alpha * value for item, value in own.items()}
    if config.n_neighbors:
        mean = neighbours_mean(own, [vector(other) for other in others], config.n_neighbors)
        for item, value in mean.items():
            expected[item] = expected.get(item, 0.0) + (1 - alpha) * value
    return expected


def shoppers(rng, users, items):
    """Baskets by user: one to twelve, an item now and then twice in a basket, favourites often.

    The last four have the same baskets, so that there are ties.
    """
    baskets_by_user = {}
    for user in range(users):
        favourites = rng.choice(items, 3, replace=False)
        baskets = []
        for _ in range(1 if user == 0 else int(rng.integers(1, 13))):
            basket = [*rng.choice(favourites, 2), *rng.integers(0, items, rng.integers(0, 4))]
            baskets.append([f"i{item}" for item in basket])
        baskets_by_user[f"u{user}"] = baskets
    for user in range(users - 3, users):
        baskets_by_user[f"u{user}"] = baskets_by_user[f"u{users - 4}"]
    return baskets_by_user


def query_of(dataset, baskets, user):
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
    "config",
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
    ids=["three", "seven", "one-group", "all-users", "no-neighbours", "max-baskets"],
)
def test_scores_equal_tifu_knn(config, seed):
    rng = np.random.default_rng(seed)
    baskets_by_user = shoppers(rng, 15, 20)
    events = [
        (user, item, float(day))
        for user, baskets in baskets_by_user.items()
        for day, basket in enumerate(baskets)
        for item in basket
    ]
    dataset = make_dataset(events)
    stage = Repeat(config, name="repeat").fit(dataset)
    unknown = {"unknown": [*baskets_by_user["u1"], *baskets_by_user["u2"][:2]]}
    for user, baskets in {**baskets_by_user, **unknown}.items():
        queries = query_of(dataset, baskets, user)
        others = [history for other, history in baskets_by_user.items() if other != user]
        expected = tifu_knn(baskets, others, config)
        row = stage.score_all(queries)[0]
        for number in range(dataset.n_items):
            item = dataset.catalogue.id(number)
            value = row[number] if number < len(row) else np.nan
            if item in expected:
                assert value == pytest.approx(expected[item], rel=1e-4), (user, item)
            else:
                assert np.isnan(value), (user, item)
