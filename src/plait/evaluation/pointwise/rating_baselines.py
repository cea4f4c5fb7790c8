"""Baselines of rating prediction: means, and the biases of users and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import Float64Array, Int32Array
from plait.data.types import Dataset
from plait.splitting.labelled_examples import Examples, rated_events

__all__ = ["Biases", "rating_baselines"]

DAMP_ITEMS, DAMP_USERS, ROUNDS = 10.0, 15.0, 10


@dataclass(frozen=True, slots=True, eq=False)
class Biases:
    """The mean rating and the deviations of users and items from it.

    Attributes:
        mean: The mean rating.
        users: float64 [n_users].
        items: float64 [n_items].
    """

    mean: float
    users: Float64Array
    items: Float64Array

    @staticmethod
    def of(train: Dataset, goal: tuple[str, ...]) -> Biases:
        """Fit damped means of users and items in turn, ten rounds (Koren, "Factor in the
        neighbors", 2010, section 2.1).

        Args:
            train: The training data.
            goal: Target event types.

        Returns:
            The fitted biases.
        """
        events = train.interactions.take(rated_events(train, goal))
        ratings = events.values.astype(np.float64)
        mean = float(ratings.mean())
        users, items = np.zeros(train.n_users), np.zeros(train.n_items)
        for _ in range(ROUNDS):
            residuals = ratings - mean - users[events.users]
            items = _damped_means(events.items, residuals, train.n_items, DAMP_ITEMS)
            residuals = ratings - mean - items[events.items]
            users = _damped_means(events.users, residuals, train.n_users, DAMP_USERS)
        return Biases(mean, users, items)

    def predict(self, users: Int32Array, items: Int32Array) -> Float64Array:
        """Predict ratings.

        Args:
            users: int32 [N], user numbers, -1 for an unknown user.
            items: int32 [N], item numbers, -1 for an unknown item.

        Returns:
            float64 [N].
        """
        return self.mean + _take_or_zero(self.users, users) + _take_or_zero(self.items, items)


def rating_baselines(test: Examples, goal: tuple[str, ...]) -> dict[str, Float64Array]:
    """Predict the ratings of the test by means and biases.

    Args:
        test: N examples with their training data.
        goal: Target event types.

    Returns:
        float64 [N] by name of the baseline.
    """
    train = test.train
    events = train.interactions.take(rated_events(train, goal))
    items, users = test.item_numbers.values, test.users
    ratings = events.values.astype(np.float64)
    mean = float(ratings.mean())
    by_user = _damped_means(events.users, ratings - mean, train.n_users, 0.0)
    by_item = _damped_means(events.items, ratings - mean, train.n_items, 0.0)
    return {
        "global-mean": np.full(len(test), mean),
        "user-mean": mean + _take_or_zero(by_user, users),
        "item-mean": mean + _take_or_zero(by_item, items),
        "user-item-bias": Biases.of(train, goal).predict(users, items),
    }


def _damped_means(
    numbers: Int32Array, values: Float64Array, size: int, damping: float
) -> Float64Array:
    """Means by number, shrunk to 0 as by `damping` events; 0 for numbers without events."""
    counts = np.bincount(numbers, minlength=size)
    total = np.bincount(numbers, values, size)
    means: Float64Array = np.divide(total, counts + damping, out=np.zeros(size), where=counts > 0)
    return means


def _take_or_zero(values: Float64Array, numbers: Int32Array) -> Float64Array:
    """Values by number, 0 for -1."""
    result: Float64Array = np.append(values, 0.0)[numbers]
    return result
