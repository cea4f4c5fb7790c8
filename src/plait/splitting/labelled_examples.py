"""Examples with a known outcome: ratings, and impressions with or without a click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from plait.data.array_types import ABSENT, BoolArray, Float64Array, Int32Array, Int64Array
from plait.data.dataset import Dataset, Interactions, target_mask, user_item_keys
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.errors import ProtocolError
from plait.splitting.click_attribution import ANSWERS, clicked_by
from plait.splitting.eval_queries import EvalQueries, queries_of
from plait.splitting.known_items import alive_items, new_items_at

__all__ = ["Examples", "click_examples", "positive_interactions", "rated_events", "rating_examples"]

_HINTS = {
    False: "misses are events of a type such as impression or skip (or --negative TYPE), events of "
    f"a target type with the value 0, or items shown and not taken (--negative {ANSWERS})",
    True: "post what is taken from an answer with its request_id, or give another --test-days",
}
"""Hints where clicks or misses are missing, by whether they come from impressions."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """N outcomes, in B queries: one for each user and moment.

    Attributes:
        train: the data to fit on.
        query_time_data: the data that is known when the queries are made.
        queries: the queries.
        item_numbers: the items of each query; -1 for an unknown item.
        outcomes: float64 [N], in the order of `item_numbers`: a rating, or 1 for a click and 0 for
        none. users: int32 [N], the user of each outcome; -1 for an unknown user. user_keys: int64
        [N], the same, with unknown users distinguished as far as possible by numbers
            from n_users on.
        item_keys: int64 [N], the items, with unknown items distinguished in the same way.
        n_removed: how many events were removed from `train` because an example has their user and
        item.
    """

    train: Dataset
    query_time_data: Dataset
    queries: QueryBatch
    item_numbers: Ragged
    outcomes: Float64Array
    users: Int32Array
    user_keys: Int64Array
    item_keys: Int64Array
    n_removed: int = 0

    def __len__(self) -> int:
        return len(self.outcomes)


def rated_events(dataset: Dataset, target_events: tuple[str, ...]) -> BoolArray:
    """Mark the target events with a value.

    Args:
        dataset: the data set.
        target_events: target event types; none: all.

    Returns:
        bool [N].
    """
    return target_mask(dataset, target_events) & np.isfinite(dataset.interactions.values)


def rating_examples(
    dataset: Dataset,
    *,
    test: Dataset | None = None,
    test_size: float = 0.1,
    draw: Literal["random", "last"] = "random",
    target_events: tuple[str, ...] = (),
    event_weights: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Examples:
    """Split off ratings to predict.

    All events of a user and item of an example are removed from the training data, whatever their
    type: a second rating would give the answer away, and a view that there is a rating. The history
    of a query is everything that its user has in the training data.

    Args:
        dataset: the data set.
        test: a data set with the ratings to predict, numbered as `dataset`; unknown users and items
            are -1, or distinguished by numbers from n_users and n_items on.
        test_size: without `test`, the share of the rated pairs of user and item to hold out; of
        each
            pair the newest rating.
        draw: which pairs: any, or those that were rated last.
        target_events: target event types; none: all.
        event_weights: weights of the histories by event type.
        seed: seeds the draw.

    Returns:
        The examples.

    Raises:
        ProtocolError: if there are no ratings, or none are left to fit on.
    """
    rated = rated_events(dataset, target_events)
    if not rated.any():
        raise ProtocolError(
            f"no event of {list(target_events)} has a value: ratings to predict are missing",
            hint='name the column of ratings in a mapping: [events] value = "..."',
            field="protocol",
        )
    interactions = dataset.interactions
    if test is None:
        events = interactions.take(_held_out_ratings(dataset, rated, test_size, draw, seed))
    else:
        events = test.interactions.take(rated_events(test, ()))
    train = dataset.keep(~_same_pairs(dataset, events))
    n_left = int(rated_events(train, target_events).sum())
    if not len(events) or not n_left:
        raise ProtocolError(
            f"{len(events)} ratings to test leave {n_left} to fit on: both are needed",
            hint="give another --test-share, or other --test-events",
            field="test_share",
        )
    train = alive_items(train)
    ratings = events.values.astype(np.float64)
    examples = _examples(train, train, events, ratings, event_weights, whole_histories=True)
    return replace(examples, n_removed=len(interactions) - len(train.interactions))


def click_examples(
    dataset: Dataset,
    cut: int,
    until: int | None = None,
    *,
    target_events: tuple[str, ...],
    negative_events: tuple[str, ...],
    event_weights: Mapping[str, float] | None = None,
) -> Examples:
    """Split off impressions, and whether they were clicked.

    A click is a target event with any value but 0; a miss is an event of a negative type, or a
    target event with the value 0. The training data is what happened at the cut or before, without
    misses; the history of a query is what its user had done before it. Items that first appear
    after the cut are unknown to `train` and new in `query_time_data`.

    Args:
        dataset: a data set with times.
        cut: microseconds; examples are later.
        until: microseconds, the end of the examples; None: the end of the data.
        target_events: target event types.
        negative_events: negative event types; `ANSWERS` alone: the items that responses showed,
        clicked
            by the end or not.
        event_weights: weights of the histories by event type.

    Returns:
        The examples.

    Raises:
        ProtocolError: if there are no clicks or no misses.
    """
    interactions = dataset.interactions
    end = int(interactions.times.max()) if until is None else until
    is_click, is_miss = _clicks_and_misses(dataset, end, target_events, negative_events)
    in_period = (interactions.times > cut) & (interactions.times <= end)
    n_clicks, n_misses = int((is_click & in_period).sum()), int((is_miss & in_period).sum())
    if not n_clicks or not n_misses:
        raise ProtocolError(
            f"{n_clicks} clicks and {n_misses} misses after the cut: both are needed",
            hint=_HINTS[negative_events == (ANSWERS,)],
            field="negative",
        )
    is_example = in_period & (is_click | is_miss)
    positives = positive_interactions(dataset, target_events, negative_events)
    before = positives.keep(positives.interactions.times <= cut)
    # An item appears when it is first shown, so all events count for that, misses included.
    train, asked = new_items_at(dataset, before, cut, end)
    outcomes = is_click[is_example].astype(np.float64)
    events = interactions.take(is_example)
    examples = _examples(train, positives, events, outcomes, event_weights, whole_histories=False)
    return replace(examples, query_time_data=asked)


def positive_interactions(
    dataset: Dataset, target_events: tuple[str, ...], negative_events: tuple[str, ...]
) -> Dataset:
    """Drop the interactions that are no evidence of taste: misses and impressions.

    Args:
        dataset: the data set.
        target_events: target event types; those with the value 0 are misses.
        negative_events: negative event types.

    Returns:
        The data set with the other interactions.
    """
    is_zero = target_mask(dataset, target_events) & (dataset.interactions.values == 0)
    return dataset.keep(~(_of_types(dataset, negative_events) | is_zero))


def _clicks_and_misses(
    dataset: Dataset, end: int, goal: tuple[str, ...], negative: tuple[str, ...]
) -> tuple[BoolArray, BoolArray]:
    """Which interactions are clicks, and which misses, as far as is known at the end; bool [N]."""
    if negative == (ANSWERS,):
        is_impression = _of_types(dataset, negative)
        is_clicked = clicked_by(dataset.interactions, end)
        return is_impression & is_clicked, is_impression & ~is_clicked
    is_target = target_mask(dataset, goal)
    is_zero = is_target & (dataset.interactions.values == 0)
    return is_target & ~is_zero, _of_types(dataset, negative) | is_zero


def _held_out_ratings(
    dataset: Dataset, rated: BoolArray, share: float, draw: str, seed: int
) -> BoolArray:
    """The ratings to hold out, bool [N], of each pair the newest: random ones, or the last."""
    interactions = dataset.interactions
    positions = np.flatnonzero(rated)[::-1]
    keys = user_item_keys(interactions, dataset.n_items)[positions]
    newest = np.sort(positions[np.unique(keys, return_index=True)[1]])
    offsets = interactions.offsets[newest]
    if draw == "last":
        order = newest[np.lexsort((offsets, interactions.times[newest]))][::-1]
    else:
        in_log_order = newest[np.argsort(offsets)]
        order = in_log_order[np.random.default_rng(seed).permutation(len(in_log_order))]
    is_held_out = np.zeros(len(interactions), np.bool_)
    is_held_out[order[: round(share * len(order))]] = True
    return is_held_out


def _same_pairs(dataset: Dataset, events: Interactions) -> BoolArray:
    """The interactions with the user and item of one of `events`, bool [N]."""
    n_items = dataset.n_items
    is_known = _known(events.users, dataset.n_users) >= 0
    is_known &= _known(events.items, n_items) >= 0
    keys = user_item_keys(events.take(is_known), n_items)
    return np.isin(user_item_keys(dataset.interactions, n_items), keys)


def _known(numbers: Int32Array, size: int) -> Int32Array:
    """The same numbers, -1 for those from `size` on."""
    return np.where(numbers < size, numbers, ABSENT).astype(np.int32)


def _examples(
    train: Dataset,
    history_data: Dataset,
    events: Interactions,
    outcomes: Float64Array,
    event_weights: Mapping[str, float] | None,
    *,
    whole_histories: bool,
) -> Examples:
    """One query for each user and moment of the events, with the outcome of every event.

    Histories come from `history_data`: whole ones, or up to the moment.
    """
    order = np.lexsort((events.offsets, events.times, events.users))
    events, outcomes = events.take(order), outcomes[order]
    is_first = np.ones(len(events), np.bool_)
    is_first[1:] = (events.users[1:] != events.users[:-1]) | (events.times[1:] != events.times[:-1])
    event_users = _known(events.users, history_data.n_users)
    users, times = event_users[is_first], events.times[is_first]
    counts = np.diff(np.append(np.flatnonzero(is_first), len(events)))
    numbers = Ragged.from_lengths(_known(events.items, history_data.n_items), counts)
    past = history_data.interactions
    starts = np.searchsorted(past.users, users).astype(np.int64)
    if whole_histories:
        stops = np.searchsorted(past.users, users, side="right").astype(np.int64)
    else:
        stops = _positions_before(past, users, times)
    eval_queries = EvalQueries(users, starts, stops, times, numbers)
    queries = queries_of(history_data, eval_queries, event_weights or {}, keep_seen=True)
    contexts = tuple(
        context if user >= 0 else {}
        for context, user in zip(queries.contexts, users.tolist(), strict=True)
    )
    return Examples(
        train,
        train,
        replace(queries, contexts=contexts),
        numbers,
        outcomes,
        event_users,
        events.users.astype(np.int64),
        events.items.astype(np.int64),
    )


def _positions_before(past: Interactions, users: Int32Array, times: Int64Array) -> Int64Array:
    """Where in `past` the events of each user from a moment on begin, int64."""
    moments, ranks = np.unique(np.concatenate([past.times, times]), return_inverse=True)
    width = len(moments) + 1
    keys = past.users.astype(np.int64) * width + ranks[: len(past)]
    query_keys = users.astype(np.int64) * width + ranks[len(past) :]
    return np.searchsorted(keys, query_keys).astype(np.int64)


def _of_types(dataset: Dataset, event_types: tuple[str, ...]) -> BoolArray:
    """Which interactions have one of the event types, bool [N]; none if there are no types."""
    if not event_types:
        return np.zeros(len(dataset.interactions), np.bool_)
    return target_mask(dataset, event_types)
