"""New users under control: one query for each number of events that is known of a held-out user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from plait.data.array_types import ABSENT, Int32Array
from plait.data.dataset import Dataset, first_seen, ranking_target_mask
from plait.data.ragged import Ragged
from plait.splitting.eval_queries import EvalQueries, queries_of
from plait.splitting.held_out_users import draw_users
from plait.splitting.known_items import alive_items
from plait.splitting.splits import Seen, Split

__all__ = ["cold_users"]


def cold_users(
    dataset: Dataset,
    fold: Literal["test", "validation"] = "test",
    seen: Seen = "remove",
    *,
    events: tuple[int, ...] = (0, 1, 2, 3, 5),
    test_user_ratio: float = 0.1,
    target_events: tuple[str, ...] = (),
    event_weights: Mapping[str, float] | None = None,
    max_queries: int = 0,
    seed: int = 0,
) -> Split:
    """Split off users: for each number n of events, a query with the first n events as history.

    The target is the first target event after them. A query has no user number: only the history
    and the fields of the user are known.

    Args:
        dataset: the data set.
        fold: the test users or as many validation users.
        seen: "remove" drops targets that are in the history.
        events: the numbers of events.
        test_user_ratio: the share of the users with a target event in each fold, drawn from the
            users in the order of their first event.
        target_events: target event types; none: all.
        event_weights: weights of the histories by event type.
        max_queries: how many queries are drawn; 0: all.
        seed: seeds the draws of users and queries.

    Returns:
        The split. The test fold trains on all users but its own, the validation fold on those of
        neither fold. Users with fewer than n + 1 events have no query with n.

    Raises:
        ProtocolError: if no users are left to test, to learn from or to fit.
    """
    interactions = dataset.interactions
    is_target = ranking_target_mask(dataset, target_events)
    counts = np.bincount(interactions.users[is_target], minlength=dataset.n_users)
    folds = draw_users(dataset, counts, test_user_ratio, seed, least=1)
    is_held_out = np.zeros(dataset.n_users, np.bool_)
    is_held_out[folds["test"]] = True
    is_held_out[folds["validation"]] |= fold == "validation"
    train = dataset.keep(~is_held_out[interactions.users])
    eval_queries, excluded = _next_targets(dataset, np.sort(folds[fold]), is_target, events, seen)
    eval_queries = eval_queries.sampled(max_queries, seed)
    queries = queries_of(dataset, eval_queries, event_weights or {}, seen == "keep")
    queries = replace(queries, users=np.full(len(eval_queries), ABSENT, np.int32))
    item_counts = np.bincount(train.interactions.items, minlength=dataset.n_items)
    train = alive_items(train)
    return Split(
        train, train, queries, eval_queries.targets, eval_queries.users, excluded, item_counts == 0
    )


def _next_targets(
    dataset: Dataset,
    users: Int32Array,
    is_target: np.typing.NDArray[np.bool_],
    events: tuple[int, ...],
    seen: Seen,
) -> tuple[EvalQueries, int]:
    """The queries of `users`, fewest events first, and how many targets were dropped as seen."""
    interactions = dataset.interactions
    bounds = np.searchsorted(interactions.users, [users, users + 1])
    positions = np.append(np.flatnonzero(is_target), len(interactions))
    numbers = np.array(sorted(set(events)), np.int64)
    starts = np.tile(bounds[0], len(numbers)).astype(np.int64)
    stops = starts + np.repeat(numbers, len(users))
    targets = positions[np.searchsorted(positions[:-1], stops)]
    exists = targets < np.tile(bounds[1], len(numbers))
    starts, stops, targets = starts[exists], stops[exists], targets[exists]
    query_users = np.tile(users, len(numbers))[exists]
    unseen = np.ones(len(targets), np.bool_)
    if seen == "remove":
        unseen = first_seen(interactions, dataset.n_items)[targets] >= stops
    targets = targets[unseen]
    times = interactions.times[targets] if dataset.clock == "time" else np.zeros(len(targets))
    one_each = np.ones(len(targets), np.int64)
    items = Ragged.from_lengths(interactions.items[targets], one_each)
    queries = EvalQueries(
        query_users[unseen], starts[unseen], stops[unseen], times.astype(np.int64), items
    )
    return queries, int((~unseen).sum())
