"""Data for tuning: the data set without its test targets, and a protocol to split it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from plait.data.array_types import BoolArray
from plait.data.types import Dataset
from plait.evaluation.protocol import Protocol
from plait.splitting.cold_items import cold_items
from plait.splitting.cold_users import cold_users
from plait.splitting.held_out_users import held_out_users
from plait.splitting.labelled_examples import rating_examples
from plait.splitting.splits import leave_one_out, time_split

__all__ = ["RESAMPLES", "sample_users", "validation_data"]

RESAMPLES = 2
"""Tuning compares means, so that intervals are not needed."""


def validation_data(
    dataset: Dataset,
    protocol: Protocol,
    event_weights: Mapping[str, float],
    test: Dataset | None = None,
) -> tuple[Dataset, Protocol]:
    """Remove the test targets of a protocol from a data set.

    Args:
        dataset: The whole data set.
        protocol: A resolved protocol.
        event_weights: Weights of event types in histories, as in a recipe.
        test: Separate test ratings, whose pairs are removed as well.

    Returns:
        The remaining data, and the protocol to evaluate on them. Its test is the validation part
        of the given protocol: the last event but one, the window before the test, as many other
        users, or the remaining ratings.
    """
    name, goal = protocol.name, protocol.goal
    if name == "leave-one-out":
        train = leave_one_out(
            dataset,
            "test",
            protocol.seen,
            target_events=goal,
            event_weights=event_weights,
            refit=True,
        ).train
    elif name == "held-out-users":
        train = held_out_users(
            dataset,
            "test",
            protocol.seen or "remove",
            test_user_ratio=protocol.test_users,
            fold_in_ratio=protocol.fold_in,
            target_events=goal,
            event_weights=event_weights,
            seed=protocol.seed,
            refit=True,
        ).train
    elif name in ("cold-items", "cold-users"):
        train = _cold_start_train(dataset, protocol)
    elif name == "ratings":
        train = rating_examples(
            dataset,
            test=test,
            test_size=protocol.test_share,
            draw=protocol.draw,
            target_events=goal,
            event_weights=event_weights,
            seed=protocol.seed,
        ).train
    else:
        cut = protocol.cut(dataset, protocol.windows)
        train = time_split(
            dataset, cut, None, "keep", target_events=goal, event_weights=event_weights
        ).train
    return train, replace(protocol, windows=1, test_file="", refit=False, resamples=RESAMPLES)


def _cold_start_train(dataset: Dataset, protocol: Protocol) -> Dataset:
    """What the models of the test may know under cold-items or cold-users."""
    if protocol.name == "cold-items":
        split = cold_items(
            dataset, cold_ratio=protocol.cold, target_events=protocol.goal, seed=protocol.seed
        )
    else:
        split = cold_users(
            dataset,
            test_user_ratio=protocol.test_users,
            target_events=protocol.goal,
            seed=protocol.seed,
        )
    return split.train


def sample_users(dataset: Dataset, share: float, seed: int) -> BoolArray:
    """Draw a random sample of users.

    Args:
        dataset: The data set.
        share: Share of the users.
        seed: Seed of the sample.

    Returns:
        bool [n_users], the drawn ones.
    """
    sampled: BoolArray = np.random.default_rng(seed).random(dataset.n_users) < share
    return sampled
