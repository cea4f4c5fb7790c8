"""What tuning may look at: the data as they were before the test, and a protocol to split them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from plait.data.types import Dataset
from plait.evaluation.protocol import Protocol
from plait.splitting.held_out_users import held_out_users
from plait.splitting.labelled_examples import rating_examples
from plait.splitting.splits import leave_one_out, time_split

__all__ = ["some_users", "without_test"]

RESAMPLES = 2
"""Tuning compares means, so hardly any interval is drawn."""


def without_test(
    dataset: Dataset,
    protocol: Protocol,
    kinds: Mapping[str, float],
    test: Dataset | None = None,
) -> tuple[Dataset, Protocol]:
    """A data set that holds no test target of a resolved `protocol`, and the protocol for it.

    What the inner protocol calls its test is the validation part of the outer one: the last event
    but one, the window before the test, as many other users, ratings that are left.
    """
    name, goal = protocol.name, protocol.goal
    inner = replace(protocol, windows=1, test_file="", refit=False, resamples=RESAMPLES)
    if name == "leave-one-out":
        found = leave_one_out(
            dataset, "test", protocol.seen, goal=goal, kinds=kinds, refit=True
        ).train
    elif name == "held-out-users":
        found = held_out_users(
            dataset,
            "test",
            protocol.seen or "remove",
            share=protocol.test_users,
            fold_in=protocol.fold_in,
            goal=goal,
            kinds=kinds,
            seed=protocol.seed,
            refit=True,
        ).train
    elif name == "ratings":
        found = rating_examples(
            dataset,
            test=test,
            share=protocol.test_share,
            draw=protocol.draw,
            goal=goal,
            kinds=kinds,
            seed=protocol.seed,
        ).train
    else:
        cut = protocol.cut(dataset, protocol.windows)
        found = time_split(dataset, cut, None, "keep", goal=goal, kinds=kinds).train
    return found, inner


def some_users(dataset: Dataset, share: float, seed: int) -> Dataset:
    """The events of a `share` of the users, drawn by `seed`."""
    drawn = np.random.default_rng(seed).random(dataset.n_users) < share
    return dataset.keep(drawn[dataset.interactions.users])
