"""Splits of a data set into training data, queries and targets.

`leave_one_out` has a query for the last event of each user, `time_split` a query for every user at
one moment. Both exclude the future by construction: training data and queries hold only what
happened before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from plait.data.array_types import BoolArray, Int32Array, Int64Array
from plait.data.dataset import (
    Dataset,
    event_type_weights,
    first_seen,
    ranking_target_mask,
    user_item_keys,
)
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.errors import ProtocolError
from plait.splitting.eval_queries import EvalQueries, queries_of
from plait.splitting.known_items import alive_items, new_items_at
from plait.utils.timestamps import DAY

__all__ = [
    "MIN_QUERIES",
    "Seen",
    "Split",
    "default_split",
    "last_window_split",
    "leave_one_out",
    "repeat_share",
    "time_split",
    "window",
]

MIN_QUERIES = 20
"""Fewer held-out queries are too few to learn a weight from."""

Seen = Literal["keep", "remove"]
"""Whether items that a user has seen may be recommended. None leaves it to the recipe's rules."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Training data, and B queries with their targets.

    Attributes:
        train: the data to fit on.
        query_time_data: the data that is known when the queries are made: `train`, and items added
        since. queries: the queries. targets: the relevant items of each query. users: int32 [B],
        the user of each query, even if `train` does not know it. excluded: how many targets were
        dropped because the user had seen them. new: bool [n_items], items without an event in
        `train`. cold: bool [n_items], the items that the protocol cold-items took out of `train`;
        None under other protocols.
    """

    train: Dataset
    query_time_data: Dataset
    queries: QueryBatch
    targets: Ragged
    users: Int32Array
    excluded: int
    new: BoolArray
    cold: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Int64Array) -> Split:
        """Select queries.

        Args:
            rows: int64 [R], their numbers in any order.

        Returns:
            The split with R queries.
        """
        return replace(
            self,
            queries=self.queries.take(rows),
            targets=self.targets.take(rows),
            users=self.users[rows],
        )

    @staticmethod
    def of(
        dataset: Dataset,
        train: Dataset,
        query_time_data: Dataset,
        eval_queries: EvalQueries,
        event_weights: Mapping[str, float] | None,
        *,
        seen: Seen | None,
        excluded: int,
    ) -> Split:
        """Make a split from evaluation queries.

        Args:
            dataset: the data set that the queries refer to.
            train: the data to fit on.
            query_time_data: the data that is known when the queries are made.
            eval_queries: B queries with their targets.
            event_weights: weights of the histories by event type.
            seen: whether seen items may be recommended.
            excluded: how many targets were dropped.

        Returns:
            The split.
        """
        keep_seen = None if seen is None else seen == "keep"
        queries = queries_of(dataset, eval_queries, event_weights or {}, keep_seen)
        counts = np.bincount(train.interactions.items, minlength=dataset.n_items)
        users, targets = eval_queries.users, eval_queries.targets
        return Split(train, query_time_data, queries, targets, users, excluded, counts == 0)


def leave_one_out(
    dataset: Dataset,
    fold: Literal["test", "validation"] = "test",
    seen: Seen | None = "remove",
    *,
    target_events: tuple[str, ...] = (),
    event_weights: Mapping[str, float] | None = None,
    max_queries: int = 0,
    seed: int = 0,
    refit: bool = False,
) -> Split:
    """Split off one target event of each user.

    Users with three target events or more have a query. `train` is everything before their last
    two target events and everything of the other users, in both folds. For the test fold, history
    and seen items include the validation event.

    Args:
        dataset: the data set.
        fold: "test" for the last target event, "validation" for the one before it.
        seen: "remove" drops targets that the user has interacted with before.
        target_events: target event types; none: all that `event_weights` gives a positive weight.
        event_weights: weights of the histories by event type.
        max_queries: how many queries are drawn; 0: all.
        seed: seeds the draw.
        refit: for the test fold, train on everything before the last target event; the validation
            fold, whose targets are earlier, never does.

    Returns:
        The split.
    """
    interactions = dataset.interactions
    target_events = target_events or _positive_event_types(dataset, event_weights)
    users, previous, last = _last_two_events(dataset, target_events)
    starts = np.searchsorted(interactions.users, np.arange(dataset.n_users + 1))
    train_stops = np.full(dataset.n_users, len(interactions), np.int64)
    train_stops[users] = last if refit and fold == "test" else previous
    train = dataset.keep(np.arange(len(interactions)) < train_stops[interactions.users])
    targets = last if fold == "test" else previous
    is_target = np.ones(len(targets), np.bool_)
    if seen == "remove":
        is_target = first_seen(interactions, dataset.n_items)[targets] == targets
    excluded = int((~is_target).sum())
    users, targets = users[is_target], targets[is_target]
    count = len(targets)
    eval_queries = EvalQueries(
        users,
        starts[users].astype(np.int64),
        targets,
        interactions.times[targets] if dataset.clock == "time" else np.zeros(count, np.int64),
        Ragged.from_lengths(interactions.items[targets], np.ones(count, np.int64)),
    ).sampled(max_queries, seed)
    train = alive_items(train)
    return Split.of(
        dataset, train, train, eval_queries, event_weights, seen=seen, excluded=excluded
    )


def time_split(
    dataset: Dataset,
    cut: int,
    until: int | None = None,
    seen: Seen | None = "keep",
    *,
    target_events: tuple[str, ...] = (),
    event_weights: Mapping[str, float] | None = None,
    max_queries: int = 0,
    seed: int = 0,
) -> Split:
    """Split at a moment: one query at the cut for each user with a target event after it.

    `train` is what happened at the cut or before. Items that first appear after the cut are unknown
    to `train` and new in `query_time_data`; those that first appear after `until` are unknown to
    both.

    Args:
        dataset: a data set with times.
        cut: microseconds.
        until: microseconds, the end of the targets; None: the end of the data.
        seen: "remove" drops targets that the user has interacted with before the cut.
        target_events: target event types; none: all that `event_weights` gives a positive weight.
        event_weights: weights of the histories by event type.
        max_queries: how many queries are drawn; 0: all.
        seed: seeds the draw.

    Returns:
        The split; targets are distinct items.

    Raises:
        ProtocolError: if the data set has positions instead of times.
    """
    if dataset.clock != "time":
        raise ProtocolError(
            "these interactions have positions instead of times, so they cannot be split by time",
            hint="use --protocol leave-one-out",
            field="protocol",
        )
    interactions = dataset.interactions
    is_before = interactions.times <= cut
    target_events = target_events or _positive_event_types(dataset, event_weights)
    is_target = ~is_before & ranking_target_mask(dataset, target_events)
    if until is not None:
        is_target &= interactions.times <= until
    train, asked = new_items_at(dataset, dataset.keep(is_before), cut, until)
    keys = np.unique(user_item_keys(interactions.take(is_target), dataset.n_items))
    is_seen = np.zeros(len(keys), np.bool_)
    if seen == "remove":
        is_seen = np.isin(keys, user_item_keys(train.interactions, dataset.n_items))
    eval_queries = _queries_at(dataset, cut, keys[~is_seen]).sampled(max_queries, seed)
    excluded = int(is_seen.sum())
    return Split.of(
        dataset, train, asked, eval_queries, event_weights, seen=seen, excluded=excluded
    )


def window(dataset: Dataset) -> int:
    """Choose the length of a held-out period.

    Args:
        dataset: a data set with times.

    Returns:
        Microseconds: 28 days, or a fifth of the time span if that is less.
    """
    times = dataset.interactions.times
    span = int(times.max() - times.min()) if len(times) else 0
    return min(28 * DAY, span // 5)


def last_window_split(
    dataset: Dataset,
    seen: Seen | None,
    *,
    target_events: tuple[str, ...] = (),
    event_weights: Mapping[str, float] | None = None,
    max_queries: int = 0,
    seed: int = 0,
) -> Split | None:
    """Split a log with times at its last `window`.

    Args:
        dataset: the data set.
        seen: as for `time_split`.
        target_events: target event types; none: all that `event_weights` gives a positive weight.
        event_weights: weights of the histories by event type.
        max_queries: how many queries are drawn; 0: all.
        seed: seeds the draw.

    Returns:
        The split; None if it has too few queries to learn from.
    """
    split = time_split(
        dataset,
        int(dataset.interactions.times.max()) - window(dataset),
        None,
        seen,
        target_events=target_events,
        event_weights=event_weights,
        max_queries=max_queries,
        seed=seed,
    )
    return split if len(split) >= MIN_QUERIES else None


def default_split(
    dataset: Dataset,
    *,
    target_events: tuple[str, ...] = (),
    event_weights: Mapping[str, float] | None = None,
    max_queries: int = 10_000,
    seed: int = 0,
) -> Split:
    """Split for a production fit, which learns its fusion weights on the queries.

    Args:
        dataset: the data set.
        target_events: target event types; none: all that `event_weights` gives a positive weight.
        event_weights: weights of the histories by event type.
        max_queries: how many queries are drawn; 0: all.
        seed: seeds the draw.

    Returns:
        A time split at the last `window` of a log with times over a week or more, if it has enough
        queries; else the last event but one of each user. Seen items are left to the recipe.
    """
    if dataset.clock == "time" and 5 * window(dataset) >= 7 * DAY:
        split = last_window_split(
            dataset,
            None,
            target_events=target_events,
            event_weights=event_weights,
            max_queries=max_queries,
            seed=seed,
        )
        if split is not None:
            return split
    return leave_one_out(
        dataset,
        "validation",
        None,
        target_events=target_events,
        event_weights=event_weights,
        max_queries=max_queries,
        seed=seed,
    )


def repeat_share(dataset: Dataset, target_events: tuple[str, ...] = ()) -> float:
    """Compute how much of the consumption is repeated.

    Args:
        dataset: the data set.
        target_events: target event types; none: all.

    Returns:
        The share of target events whose user had a target event with the same item before.
    """
    targets = dataset.interactions.take(ranking_target_mask(dataset, target_events))
    if not len(targets):
        return 0.0
    return 1 - len(np.unique(user_item_keys(targets, dataset.n_items))) / len(targets)


def _positive_event_types(
    dataset: Dataset, event_weights: Mapping[str, float] | None
) -> tuple[str, ...]:
    """The event types of positive weight; "" if there is none, which matches nothing."""
    weights = event_type_weights(dataset.event_types, event_weights or {})
    pairs = zip(dataset.event_types, weights, strict=True)
    return tuple(event_type for event_type, weight in pairs if weight > 0) or ("",)


def _last_two_events(
    dataset: Dataset, goal: tuple[str, ...]
) -> tuple[Int32Array, Int64Array, Int64Array]:
    """Users with three target events or more, and the positions of their last two."""
    positions = np.flatnonzero(ranking_target_mask(dataset, goal))
    counts = np.bincount(dataset.interactions.users[positions], minlength=dataset.n_users)
    ends = np.cumsum(counts)[counts >= 3]
    users = np.flatnonzero(counts >= 3).astype(np.int32)
    return users, positions[ends - 2], positions[ends - 1]


def _queries_at(dataset: Dataset, cut: int, keys: Int64Array) -> EvalQueries:
    """One query a user at the cut, from sorted keys of user and target item."""
    interactions = dataset.interactions
    target_users, items = np.divmod(keys, max(dataset.n_items, 1))
    users, counts = np.unique(target_users, return_counts=True)
    starts = np.searchsorted(interactions.users, users)
    past_users = interactions.users[interactions.times <= cut]
    past_counts = np.bincount(past_users, minlength=dataset.n_users)
    return EvalQueries(
        users.astype(np.int32),
        starts.astype(np.int64),
        starts + past_counts[users],
        np.full(len(users), cut, np.int64),
        Ragged.from_lengths(items.astype(np.int32), counts),
    )
