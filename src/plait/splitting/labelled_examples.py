"""Examples with a known outcome: rated items, and items that were shown and clicked or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import (
    ABSENT,
    BoolArray,
    Dataset,
    Int32Array,
    Int64Array,
    Interactions,
    QueryBatch,
)
from plait.errors import ProtocolError
from plait.metrics.ties import Doubles
from plait.splitting.eval_queries import EvalQueries, queries_of, target_mask, user_item_keys
from plait.splitting.impressions import ANSWERS, taken_by
from plait.splitting.splits import alive_items, new_items_at

__all__ = ["Examples", "click_examples", "evidence", "rated_events", "rating_examples"]

_HINTS = {
    False: "misses are events of a kind such as impression or skip (or --negative KIND), events of "
    f"a goal kind with the value 0, or what was shown and not taken (--negative {ANSWERS})",
    True: "post what is taken from an answer with its request_id, or give another --test-days",
}
"""What can be done where clicks or misses are missing, by whether they are those of answers."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """N outcomes that are asked for by B queries, one for each user and moment.

    `train`: what may be fitted on. `asked`: what is known when the queries come. `numbers`: the
    items of each query; `outcomes` float64 [N] in their order, a rating, or 1 for a click and 0 for
    none; `users` int32 [N], whose they are. -1 stands for whom, or what, nobody knows; `owners` and
    `things`, int64 [N], are the same numbers with the unknown told apart, as far as they were, by
    numbers from n_users and n_items on. `taken`: events that were taken out of train because their
    user and item are those of an example.
    """

    train: Dataset
    asked: Dataset
    queries: QueryBatch
    numbers: Ragged
    outcomes: Doubles
    users: Int32Array
    owners: Int64Array
    things: Int64Array
    taken: int = 0

    def __len__(self) -> int:
        return len(self.outcomes)


def rated_events(dataset: Dataset, goal: tuple[str, ...]) -> BoolArray:
    """Which interactions are of a goal kind and have a value, bool [N]."""
    return target_mask(dataset, goal) & np.isfinite(dataset.interactions.values)


def rating_examples(
    dataset: Dataset,
    *,
    test: Dataset | None = None,
    share: float = 0.1,
    draw: Literal["random", "last"] = "random",
    goal: tuple[str, ...] = (),
    kinds: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Examples:
    """Ratings to predict: those of `test`, else the newest ones of a `share` of the rated (user,
    item) pairs of the data set, any pairs or those that were rated last.

    `test` is numbered as `dataset`; users and items that it does not know are -1, or are told apart
    by numbers from n_users and n_items on. Nothing of a pair of the test stays in train, whatever
    its kind and value: a second rating would give the answer away, and a view that it was rated.
    The history of a query is all that its user has in train. Raises ProtocolError where nothing is
    rated, or nothing is left to fit on.
    """
    rated = rated_events(dataset, goal)
    if not rated.any():
        raise ProtocolError(
            f"no event of {list(goal)} has a value, so there is no rating to predict",
            hint='say in a mapping which column holds the rating: [events] value = "..."',
            field="protocol",
        )
    found = dataset.interactions
    if test is None:
        events = found.take(_held(dataset, rated, share, draw, seed))
    else:
        events = test.interactions.take(rated_events(test, ()))
    train = dataset.keep(~_among(dataset, events))
    if not len(events) or not rated_events(train, goal).any():
        raise ProtocolError(
            f"{len(events)} ratings to test leave {int(rated_events(train, goal).sum())} to fit on",
            hint="give another --test-share, or other --test-events",
            field="test_share",
        )
    train = alive_items(train)
    made = _made(train, train, events, events.values.astype(np.float64), kinds, whole=True)
    return replace(made, taken=len(found) - len(train.interactions))


def click_examples(
    dataset: Dataset,
    cut: int,
    until: int | None = None,
    *,
    goal: tuple[str, ...],
    negative: tuple[str, ...],
    kinds: Mapping[str, float] | None = None,
) -> Examples:
    """What was shown after `cut` (microseconds), at the latest at `until`, and whether it was
    clicked.

    A click is an event of a `goal` kind with any value but 0; a miss one of a `negative` kind, or
    of a goal kind with the value 0. With `ANSWERS` as the only negative kind it is what answers
    showed that was taken by then, or was not, and nothing else. Train is what happened at the cut
    or before, misses left out; the history of a query is what its user had done before it. Items
    that first appear behind the cut are unknown to `train` and new in `asked`.
    """
    found = dataset.interactions
    last = found.times.max() if until is None else until
    yes, no = _outcomes(dataset, int(last), goal, negative)
    later = (found.times > cut) & (found.times <= last)
    if not (yes & later).any() or not (no & later).any():
        raise ProtocolError(
            f"{int((yes & later).sum())} clicks and {int((no & later).sum())} misses behind the "
            "cut: both are needed",
            hint=_HINTS[negative == (ANSWERS,)],
            field="negative",
        )
    shown = later & (yes | no)
    clear = evidence(dataset, goal, negative)
    before = clear.keep(clear.interactions.times <= cut)
    # An item came when it was first shown, so arrivals are told by all events, misses among them.
    train, asked = new_items_at(dataset, before, cut, int(last))
    events = found.take(shown)
    made = _made(train, clear, events, yes[shown].astype(np.float64), kinds, whole=False)
    return replace(made, asked=asked)


def evidence(dataset: Dataset, goal: tuple[str, ...], negative: tuple[str, ...]) -> Dataset:
    """The data set without misses, and without what answers showed: neither tells of taste."""
    found = dataset.interactions
    zero = target_mask(dataset, goal) & (found.values == 0)
    return dataset.keep(~(_of_kinds(dataset, negative) | zero))


def _outcomes(
    dataset: Dataset, last: int, goal: tuple[str, ...], negative: tuple[str, ...]
) -> tuple[BoolArray, BoolArray]:
    """Which interactions are clicks, and which misses, as far as is known at `last`; bool [N]."""
    found = dataset.interactions
    if negative == (ANSWERS,):
        mine = _of_kinds(dataset, negative)
        taken = taken_by(found, last)
        return mine & taken, mine & ~taken
    yes = target_mask(dataset, goal)
    zero = yes & (found.values == 0)
    return yes & ~zero, _of_kinds(dataset, negative) | zero


def _held(dataset: Dataset, rated: BoolArray, share: float, draw: str, seed: int) -> BoolArray:
    """The ratings that are held out, bool [N], of each pair the newest; drawn in the order of the
    log, or the last ones.
    """
    found = dataset.interactions
    places = np.flatnonzero(rated)[::-1]
    keys = user_item_keys(found, dataset.n_items)[places]
    places = np.sort(places[np.unique(keys, return_index=True)[1]])
    if draw == "last":
        order = places[np.lexsort((found.offsets[places], found.times[places]))][::-1]
    else:
        listed = places[np.argsort(found.offsets[places])]
        order = listed[np.random.default_rng(seed).permutation(len(listed))]
    held = np.zeros(len(found), np.bool_)
    held[order[: round(share * len(order))]] = True
    return held


def _among(dataset: Dataset, events: Interactions) -> BoolArray:
    """The interactions whose user and item are those of one of `events`, bool [N]."""
    size = dataset.n_items
    known = (_known(events.users, dataset.n_users) >= 0) & (_known(events.items, size) >= 0)
    found, asked = dataset.interactions, events.take(known)
    return np.isin(user_item_keys(found, size), user_item_keys(asked, size))


def _known(numbers: Int32Array, size: int) -> Int32Array:
    """The same numbers, -1 for those from `size` on."""
    return np.where(numbers < size, numbers, ABSENT).astype(np.int32)


def _made(
    train: Dataset,
    known: Dataset,
    events: Interactions,
    outcomes: Doubles,
    kinds: Mapping[str, float] | None,
    *,
    whole: bool,
) -> Examples:
    """One query for each user and moment; histories from `known`, `whole` or up to the moment."""
    order = np.lexsort((events.offsets, events.times, events.users))
    events, outcomes = events.take(order), outcomes[order]
    opens = np.ones(len(events), np.bool_)
    opens[1:] = (events.users[1:] != events.users[:-1]) | (events.times[1:] != events.times[:-1])
    mine, items = _known(events.users, known.n_users), _known(events.items, known.n_items)
    users, times = mine[opens], events.times[opens]
    counts = np.diff(np.append(np.flatnonzero(opens), len(events)))
    past = known.interactions
    starts = np.searchsorted(past.users, users).astype(np.int64)
    stops = np.searchsorted(past.users, users, side="right").astype(np.int64)
    if not whole:
        stops = _before(past, users, times)
    numbers = Ragged.from_lengths(items, counts)
    asks = EvalQueries(users, starts, stops, times, numbers)
    queries = queries_of(known, asks, kinds or {}, keep_seen=True)
    contexts = tuple(
        one if user >= 0 else {} for one, user in zip(queries.contexts, users, strict=True)
    )
    queries = replace(queries, contexts=contexts)
    owners, things = events.users.astype(np.int64), events.items.astype(np.int64)
    return Examples(train, train, queries, numbers, outcomes, mine, owners, things)


def _before(past: Interactions, users: Int32Array, times: Int64Array) -> Int64Array:
    """Where in `past` the events of each user from each moment on begin, int64."""
    moments, rank = np.unique(np.concatenate([past.times, times]), return_inverse=True)
    width = len(moments) + 1
    keys = past.users.astype(np.int64) * width + rank[: len(past)]
    wanted = users.astype(np.int64) * width + rank[len(past) :]
    return np.searchsorted(keys, wanted).astype(np.int64)


def _of_kinds(dataset: Dataset, kinds: tuple[str, ...]) -> BoolArray:
    """Which interactions are of one of `kinds`, bool [N]; none of no kinds."""
    if not kinds:
        return np.zeros(len(dataset.interactions), np.bool_)
    return target_mask(dataset, kinds)
