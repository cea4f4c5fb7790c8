"""Strong generalisation: users that no fit has seen are asked by their history alone.

Liang et al., "Variational autoencoders for collaborative filtering" (2018), section 4: the history
of a held-out user is folded in, its rest is the target. Here the rest is the last part, not any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import ABSENT, Dataset, Int32Array, Int64Array
from plait.errors import ProtocolError
from plait.splitting.eval_queries import EvalQueries, first_seen, queries_of, target_mask
from plait.splitting.splits import Seen, Split, alive_items

__all__ = ["held_out_users"]

LEAST_EVENTS = 3
"""Users with fewer goal events are never held out."""


def held_out_users(
    dataset: Dataset,
    fold: Literal["test", "validation"] = "test",
    seen: Seen = "remove",
    *,
    share: float = 0.1,
    fold_in: float = 0.8,
    goal: tuple[str, ...] = (),
    kinds: Mapping[str, float] | None = None,
    most: int = 0,
    seed: int = 0,
    refit: bool = False,
) -> Split:
    """One query for each held-out user: the first `fold_in` of the goal events are history, the
    distinct items of the rest are targets.

    `share` of the users with three goal events or more are the test fold, as many others the
    validation fold, drawn by `seed` from the users in the order of their first event in the log.
    `train` is every event of all users in neither fold; with `refit`, those of validation too. A
    query carries no user number: nothing may be known but the history.
    """
    found = dataset.interactions
    places = np.flatnonzero(target_mask(dataset, goal))
    counts = np.bincount(found.users[places], minlength=dataset.n_users)
    drawn = _drawn(dataset, counts, share, seed)
    asked = np.sort(drawn[fold])
    gone = np.zeros(dataset.n_users, np.bool_)
    gone[drawn["test"]] = True
    gone[drawn["validation"]] |= not refit
    train = dataset.keep(~gone[found.users])
    asks, excluded = _asks(dataset, places, counts, asked, fold_in, seen)
    asks = asks.sampled(most, seed)
    queries = queries_of(dataset, asks, kinds or {}, seen == "keep")
    queries = replace(queries, users=np.full(len(asks), ABSENT, np.int32))
    known = np.bincount(train.interactions.items, minlength=dataset.n_items)
    train = alive_items(train)
    return Split(train, train, queries, asks.targets, asks.users, excluded, known == 0)


def _drawn(dataset: Dataset, counts: Int64Array, share: float, seed: int) -> dict[str, Int32Array]:
    """The users of both folds."""
    open_to = np.flatnonzero(counts >= LEAST_EVENTS)
    most = round(share * len(open_to))
    if not most or 2 * most >= len(open_to):
        raise ProtocolError(
            f"{share:g} of {len(open_to)} users with {LEAST_EVENTS} events or more leave "
            f"{most} to test, as many to learn from and {max(len(open_to) - 2 * most, 0)} to fit",
            hint="give another --test-users, or bring more events",
            field="test_users",
        )
    found = dataset.interactions
    first = np.full(dataset.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, found.users, found.offsets)
    listed = open_to[np.argsort(first[open_to])]
    order = listed[np.random.default_rng(seed).permutation(len(listed))].astype(np.int32)
    return {"test": order[:most], "validation": order[most : 2 * most]}


def _asks(
    dataset: Dataset,
    places: Int64Array,
    counts: Int64Array,
    users: Int32Array,
    fold_in: float,
    seen: Seen,
) -> tuple[EvalQueries, int]:
    """The asks of `users`, and how many targets had been seen in the history."""
    found = dataset.interactions
    ends = np.cumsum(counts)
    held = np.clip(np.round((1 - fold_in) * counts[users]), 1, counts[users] - 1).astype(np.int64)
    begins = np.searchsorted(found.users, users).astype(np.int64)
    borders = places[ends[users] - held]
    pick = np.repeat(ends[users] - held, held) + _steps(held)
    targets, whose = places[pick], np.repeat(np.arange(len(users)), held)
    first = first_seen(found, dataset.n_items)[targets]
    again = first < borders[whose]  # taken before, in the part that is folded in
    known = again if seen == "remove" else np.zeros(len(again), np.bool_)
    width = max(dataset.n_items, 1)
    pairs = np.unique(whose[~known] * width + found.items[targets[~known]])
    rows, items = np.divmod(pairs, width)
    lengths = np.bincount(rows, minlength=len(users))
    asks = EvalQueries(
        users,
        begins,
        borders,
        found.times[borders] if dataset.clock == "time" else np.zeros(len(users), np.int64),
        Ragged.from_lengths(items.astype(np.int32), lengths),
    )
    excluded = len(np.unique(whose[known] * width + found.items[targets[known]]))
    return asks.take(np.flatnonzero(lengths)), excluded


def _steps(counts: Int64Array) -> Int64Array:
    """0, 1, ... counts[0] - 1, 0, 1, ..., int64."""
    starts = np.cumsum(counts) - counts
    steps: Int64Array = np.arange(int(counts.sum())) - np.repeat(starts, counts)
    return steps
