"""What a predicted rating must beat: means, and the biases of users and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.types import Dataset, Int32Array, Int64Array
from plait.metrics.ties import Doubles
from plait.splitting.labelled_examples import Examples, rated_events

__all__ = ["Biases", "rating_baselines"]

DAMP_ITEMS, DAMP_USERS, ROUNDS = 10.0, 15.0, 10


@dataclass(frozen=True, slots=True, eq=False)
class Biases:
    """The mean rating, and by how much users (float64 [n_users]) and items ([n_items]) differ."""

    mean: float
    users: Doubles
    items: Doubles

    @staticmethod
    def of(train: Dataset, goal: tuple[str, ...]) -> Biases:
        """Damped means in turn, ten rounds: Koren, "Factor in the neighbors" (2010), 2.1."""
        found = train.interactions.take(rated_events(train, goal))
        values = found.values.astype(np.float64)
        mean = float(values.mean())
        users, items = np.zeros(train.n_users), np.zeros(train.n_items)
        for _ in range(ROUNDS):
            rest = values - mean - users[found.users]
            items = _damped(found.items, rest, train.n_items, DAMP_ITEMS)
            rest = values - mean - items[found.items]
            users = _damped(found.users, rest, train.n_users, DAMP_USERS)
        return Biases(mean, users, items)

    def predict(self, users: Int32Array, items: Int32Array) -> Doubles:
        """float64 [N]; -1 stands for somebody, or something, of whom nothing is known."""
        return self.mean + _read(self.users, users) + _read(self.items, items)


def rating_baselines(test: Examples, goal: tuple[str, ...]) -> dict[str, Doubles]:
    """By name what is predicted for every rating: means, and their sum of biases."""
    train = test.train
    found = train.interactions.take(rated_events(train, goal))
    items, users = test.numbers.values, test.users
    values = found.values.astype(np.float64)
    mean = float(values.mean())
    by_user = _damped(found.users, values - mean, train.n_users, 0.0)
    by_item = _damped(found.items, values - mean, train.n_items, 0.0)
    return {
        "global-mean": np.full(len(test), mean),
        "user-mean": mean + _read(by_user, users),
        "item-mean": mean + _read(by_item, items),
        "user-item-bias": Biases.of(train, goal).predict(users, items),
    }


def _damped(which: Int32Array, values: Doubles, size: int, damp: float) -> Doubles:
    """The mean of `values` by number, pulled to zero as by `damp` events; 0 where none are."""
    counts: Int64Array = np.bincount(which, minlength=size)
    total = np.bincount(which, values, size)
    found: Doubles = np.divide(total, counts + damp, out=np.zeros(size), where=counts > 0)
    return found


def _read(by_number: Doubles, numbers: Int32Array) -> Doubles:
    found: Doubles = np.append(by_number, 0.0)[numbers]
    return found
