"""Items that responses showed, and which of them an event followed.

They join a data set as interactions of an event type of their own, for the clicks protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from plait.data.array_types import BoolArray, Int32Array, Int64Array
from plait.data.dataset import Dataset, Interactions, target_mask

__all__ = [
    "ANSWERS",
    "ATTRIBUTION_WINDOW",
    "UNKNOWN_RESPONSE",
    "ImpressionItems",
    "clicked_by",
    "clicked_impressions",
    "with_impressions",
]

ANSWERS = "answers"
"""The event type of an item in a response. Its value is the time until the click in seconds, NaN
without a click.
"""

ATTRIBUTION_WINDOW = 86_400_000_000
"""How long after a response an event without a request id is attributed to it, in microseconds: a
day."""

UNKNOWN_RESPONSE = -1
"""In place of a response: the request that an event names is not among those known."""

_UNNAMED = -2
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class ImpressionItems:
    """M items that responses showed to users, each item at most once in a response.

    Attributes:
        answers: int64 [M], the number of the response, from 0 on.
        users: int32 [M].
        items: int32 [M].
        times: int64 [M], microseconds, when the item was shown.
        versions: int64 [M], the offset of the last event that the response knew of.
        naming: int64 [R], ascending offsets of events that name a request.
        named: int64 [R], the number of the response that each of them names, or `UNKNOWN_RESPONSE`.
    """

    answers: Int64Array
    users: Int32Array
    items: Int32Array
    times: Int64Array
    versions: Int64Array
    naming: Int64Array
    named: Int64Array

    def __len__(self) -> int:
        return len(self.items)


def with_impressions(
    dataset: Dataset, impressions: ImpressionItems, target_events: tuple[str, ...]
) -> Dataset:
    """Add an interaction of the type `ANSWERS` for every item shown.

    A target event with any value but 0 is a click: on the item of the response that it names, for
    any user, or else on the last time that the item was shown to its user within
    `ATTRIBUTION_WINDOW`. A response counts as no later than any event that names it, because clocks
    of events may run behind; otherwise its history would include its own clicks. Items shown after
    the last event are left out: they could not have been clicked.

    Args:
        dataset: the data set.
        impressions: the items shown, with the item and user numbers of the data set.
        target_events: target event types; none: all.

    Returns:
        The data set with more interactions.
    """
    interactions = dataset.interactions
    is_click = target_mask(dataset, target_events) & (interactions.values != 0)
    click_times, times = _match_clicks(interactions, is_click, impressions, dataset.n_items)
    seconds = np.where(click_times < _NEVER, (click_times - times) / 1e6, np.nan)
    shown = Interactions(
        impressions.users,
        impressions.items,
        np.full(len(impressions), len(dataset.event_types), np.int16),
        times,
        # Rounded up, an item would not count as clicked at the time of the click.
        np.nextafter(seconds.astype(np.float32), np.float32(0)),
        np.ones(len(impressions), np.float32),
        impressions.versions,
    )
    shown = shown.take(times <= interactions.times.max(initial=-_NEVER))
    return replace(
        dataset,
        interactions=_merge(interactions, shown),
        event_types=(*dataset.event_types, ANSWERS),
    )


def clicked_by(interactions: Interactions, moment: int) -> BoolArray:
    """Mark the impressions that were clicked by a moment.

    Args:
        interactions: N interactions of the type `ANSWERS`.
        moment: microseconds.

    Returns:
        bool [N].
    """
    seconds = np.nan_to_num(interactions.values.astype(np.float64), nan=np.inf)
    clicked: BoolArray = seconds * 1e6 <= (moment - interactions.times)
    return clicked


def clicked_impressions(
    interactions: Interactions, impressions: ImpressionItems, n_items: int
) -> BoolArray:
    """Mark the impressions that any of some interactions followed, as `with_impressions` says.

    Args:
        interactions: The interactions.
        impressions: M items shown, with the item and user numbers of the interactions.
        n_items: How many items there are.

    Returns:
        bool [M].
    """
    is_click = np.ones(len(interactions), np.bool_)
    clicked: BoolArray = _match_clicks(interactions, is_click, impressions, n_items)[0] < _NEVER
    return clicked


def _match_clicks(
    interactions: Interactions, is_click: BoolArray, impressions: ImpressionItems, n_items: int
) -> tuple[Int64Array, Int64Array]:
    """When each impression was first clicked (or `_NEVER`) and was shown, int64 [M] each."""
    positions = np.searchsorted(impressions.naming, interactions.offsets)
    has_name = np.append(impressions.naming, -1)[positions] == interactions.offsets
    # The response that each event names, `UNKNOWN_RESPONSE` or `_UNNAMED`.
    answers = np.where(has_name, np.append(impressions.named, _UNNAMED)[positions], _UNNAMED)
    n_answers = int(max(impressions.answers.max(initial=-1), answers.max(initial=-1))) + 1
    answer_times = np.full(n_answers, _NEVER, np.int64)
    np.minimum.at(answer_times, impressions.answers, impressions.times)
    has_answer = answers >= 0
    np.minimum.at(answer_times, answers[has_answer], interactions.times[has_answer])
    events, answers = interactions.take(np.flatnonzero(is_click)), answers[is_click]
    click_times = np.full(len(impressions), _NEVER, np.int64)
    for clicks, clicked in (
        _clicks_by_request(events, answers, impressions, n_items),
        _clicks_by_time(events, answers == _UNNAMED, impressions, n_items),
    ):
        np.minimum.at(click_times, clicked, events.times[clicks])
    return click_times, answer_times[impressions.answers]


def _clicks_by_request(
    events: Interactions, answers: Int64Array, impressions: ImpressionItems, n_items: int
) -> tuple[Int64Array, Int64Array]:
    """Events that name a response which shows their item, and the impression of each."""
    keys = impressions.answers * n_items + impressions.items
    order = np.argsort(keys)
    event_keys = answers * n_items + events.items
    positions = np.searchsorted(keys[order], event_keys)
    is_match = np.append(keys[order], -1)[positions] == event_keys
    clicks = np.flatnonzero(is_match & (answers >= 0))
    return clicks, order[positions[clicks]]


def _clicks_by_time(
    events: Interactions, is_unnamed: BoolArray, impressions: ImpressionItems, n_items: int
) -> tuple[Int64Array, Int64Array]:
    """Unnamed events that follow an impression of their item for their user within
    `ATTRIBUTION_WINDOW`, and the last such impression of each.
    """
    count = len(impressions)
    users = np.concatenate([impressions.users, events.users]).astype(np.int64)
    keys = users * n_items + np.concatenate([impressions.items, events.items])
    times = np.concatenate([impressions.times, events.times])
    order = np.lexsort((np.arange(len(keys)) >= count, times, keys))
    positions = np.where(order < count, np.arange(len(order)), -1)
    latest = np.empty(len(order), np.int64)
    latest[order] = np.maximum.accumulate(positions)  # the last impression in this order
    latest = latest[count:]
    clicks = np.flatnonzero(is_unnamed & (latest >= 0))
    clicked = order[latest[clicks]]
    is_near = keys[clicked] == keys[count:][clicks]
    is_near &= times[count:][clicks] - times[clicked] <= ATTRIBUTION_WINDOW
    return clicks[is_near], clicked[is_near]


def _merge(first: Interactions, second: Interactions) -> Interactions:
    """Both, in the order of a data set."""
    merged = Interactions(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])
            for name in Interactions.__slots__
        )
    )
    return merged.take(np.lexsort((merged.offsets, merged.times, merged.users)))
