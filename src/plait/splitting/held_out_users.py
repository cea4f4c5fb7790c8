"""Strong generalisation: users that no fit has seen are represented by their history alone.

Liang et al., "Variational autoencoders for collaborative filtering" (2018), section 4: a part of
the history of a held-out user is the input, the rest is the target. Here the rest is the last part
instead of a random one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from plait.data.array_types import ABSENT, Int32Array, Int64Array
from plait.data.dataset import Dataset, first_seen, ranking_target_mask
from plait.data.ragged import Ragged, index_ranges
from plait.errors import ProtocolError
from plait.splitting.eval_queries import EvalQueries, queries_of
from plait.splitting.known_items import alive_items
from plait.splitting.splits import Seen, Split

__all__ = ["draw_users", "held_out_users"]

_MIN_EVENTS = 3
"""Users with fewer target events are never held out."""


def held_out_users(
    dataset: Dataset,
    fold: Literal["test", "validation"] = "test",
    seen: Seen = "remove",
    *,
    test_user_ratio: float = 0.1,
    fold_in_ratio: float = 0.8,
    target_events: tuple[str, ...] = (),
    event_weights: Mapping[str, float] | None = None,
    max_queries: int = 0,
    seed: int = 0,
    refit: bool = False,
) -> Split:
    """Split off users: one query for each of them.

    The first part of the target events of a held-out user is the history, the distinct items of the
    rest are the targets. A query has no user number: only the history is known.

    Args:
        dataset: the data set.
        fold: the test users or as many validation users.
        seen: "remove" drops targets that are in the history.
        test_user_ratio: the share of the users with three target events or more in each fold, drawn
        from the
            users in the order of their first event.
        fold_in_ratio: the share of the target events that are history.
        target_events: target event types; none: all.
        event_weights: weights of the histories by event type.
        max_queries: how many queries are drawn; 0: all.
        seed: seeds the draws of users and queries.
        refit: also train on the validation users.

    Returns:
        The split; `train` holds all events of the users in neither fold.

    Raises:
        ProtocolError: if no users are left to test, to learn from or to fit.
    """
    interactions = dataset.interactions
    positions = np.flatnonzero(ranking_target_mask(dataset, target_events))
    counts = np.bincount(interactions.users[positions], minlength=dataset.n_users)
    folds = draw_users(dataset, counts, test_user_ratio, seed)
    is_held_out = np.zeros(dataset.n_users, np.bool_)
    is_held_out[folds["test"]] = True
    is_held_out[folds["validation"]] |= not refit
    train = dataset.keep(~is_held_out[interactions.users])
    users = np.sort(folds[fold])
    eval_queries, excluded = _fold_in(dataset, positions, counts, users, fold_in_ratio, seen)
    eval_queries = eval_queries.sampled(max_queries, seed)
    queries = queries_of(dataset, eval_queries, event_weights or {}, seen == "keep")
    queries = replace(queries, users=np.full(len(eval_queries), ABSENT, np.int32))
    item_counts = np.bincount(train.interactions.items, minlength=dataset.n_items)
    train = alive_items(train)
    return Split(
        train, train, queries, eval_queries.targets, eval_queries.users, excluded, item_counts == 0
    )


def draw_users(
    dataset: Dataset, counts: Int64Array, share: float, seed: int, least: int = _MIN_EVENTS
) -> dict[str, Int32Array]:
    """Draw the users of two folds.

    Args:
        dataset: the data set.
        counts: int64 [n_users], the target events of each user.
        share: the share of the eligible users in each fold.
        seed: seeds the draw.
        least: users with fewer target events are never drawn.

    Returns:
        User numbers, int32, by "test" and "validation".

    Raises:
        ProtocolError: if no users are left to test, to learn from or to fit.
    """
    eligible = np.flatnonzero(counts >= least)
    size = round(share * len(eligible))
    if not size or 2 * size >= len(eligible):
        events = "an event" if least == 1 else f"{least} events"
        raise ProtocolError(
            f"{share:g} of the {len(eligible)} users with {events} or more are {size} "
            f"for each of test and validation, which leaves {max(len(eligible) - 2 * size, 0)} to "
            "fit on: all three need users",
            hint="give another --test-users, or ingest more events",
            field="test_users",
        )
    interactions = dataset.interactions
    first = np.full(dataset.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, interactions.users, interactions.offsets)
    in_log_order = eligible[np.argsort(first[eligible])]
    permutation = np.random.default_rng(seed).permutation(len(in_log_order))
    drawn = in_log_order[permutation].astype(np.int32)
    return {"test": drawn[:size], "validation": drawn[size : 2 * size]}


def _fold_in(
    dataset: Dataset,
    positions: Int64Array,
    counts: Int64Array,
    users: Int32Array,
    fold_in_ratio: float,
    seen: Seen,
) -> tuple[EvalQueries, int]:
    """The queries of `users`, and how many targets were dropped as seen.

    `positions` are the target events, of which each user has `counts`.
    """
    interactions = dataset.interactions
    ends = np.cumsum(counts)[users]
    n_held = np.clip(np.round((1 - fold_in_ratio) * counts[users]), 1, counts[users] - 1)
    n_held = n_held.astype(np.int64)
    starts = np.searchsorted(interactions.users, users).astype(np.int64)
    cuts = positions[ends - n_held]
    targets = positions[index_ranges(ends - n_held, n_held)]
    rows = np.repeat(np.arange(len(users)), n_held)
    is_seen = first_seen(interactions, dataset.n_items)[targets] < cuts[rows]
    if seen != "remove":
        is_seen = np.zeros(len(is_seen), np.bool_)
    width = max(dataset.n_items, 1)
    keys = rows * width + interactions.items[targets]
    target_rows, items = np.divmod(np.unique(keys[~is_seen]), width)
    lengths = np.bincount(target_rows, minlength=len(users))
    eval_queries = EvalQueries(
        users,
        starts,
        cuts,
        interactions.times[cuts] if dataset.clock == "time" else np.zeros(len(users), np.int64),
        Ragged.from_lengths(items.astype(np.int32), lengths),
    )
    return eval_queries.take(np.flatnonzero(lengths)), len(np.unique(keys[is_seen]))
