"""Who is asked what they do next, and what may be known when they are asked.

A user's history is a run of the data set's interactions, so an ask is a user, two places and the
items that came true. Nothing behind the second place reaches a query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import (
    ABSENT,
    BoolArray,
    Dataset,
    History,
    Int32Array,
    Int64Array,
    Interactions,
    QueryBatch,
    event_type_weights,
)

__all__ = ["EvalQueries", "first_seen", "queries_of", "target_mask", "user_item_keys"]


@dataclass(frozen=True, slots=True, eq=False)
class EvalQueries:
    """B asks: `users` int32; the run `starts`..`stops` of interactions is the history, int64;
    `times` int64, when each is asked; `targets`, the items that came true.
    """

    users: Int32Array
    starts: Int64Array
    stops: Int64Array
    times: Int64Array
    targets: Ragged

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Int64Array) -> EvalQueries:
        """The asks at `rows`."""
        counts = self.targets.lengths[rows]
        low = self.targets.offsets[rows]
        return EvalQueries(
            self.users[rows],
            self.starts[rows],
            self.stops[rows],
            self.times[rows],
            Ragged.from_lengths(self.targets.values[_runs(low, low + counts)], counts),
        )

    def sampled(self, most: int, seed: int) -> EvalQueries:
        """At most `most` of them (0: all), drawn by `seed`, in their order."""
        if not most or len(self) <= most:
            return self
        drawn = np.random.default_rng(seed).permutation(len(self))[:most]
        return self.take(np.sort(drawn))


def queries_of(
    dataset: Dataset, asks: EvalQueries, kinds: Mapping[str, float], keep_seen: bool | None
) -> QueryBatch:
    """The asks as questions: histories of kinds that are worth something, all that was seen."""
    found = dataset.interactions.take(_runs(asks.starts, asks.stops))
    counts = asks.stops - asks.starts
    weights = event_type_weights(dataset.event_types, kinds)[found.event_types]
    whole = History(
        Ragged.from_lengths(found.items, counts).offsets, found.items, found.times, weights
    )
    batch = len(asks)
    nothing = Ragged.empty(batch)
    return QueryBatch(
        users=np.where(counts > 0, asks.users, ABSENT).astype(np.int32),
        history=whole.filter(weights > 0),
        seen=whole.ragged,
        rejected=whole.filter(weights < 0).ragged,
        items=nothing,
        texts=(None,) * batch,
        contexts=_contexts(dataset, asks.users),
        filters=(None,) * batch,
        exclude=nothing,
        times=asks.times,
        keep_seen=None if keep_seen is None else np.full(batch, keep_seen),
    )


def target_mask(dataset: Dataset, goal: tuple[str, ...]) -> BoolArray:
    """Which interactions are of a goal kind, bool [N]; no goal: all of them."""
    if not goal or not len(dataset.event_types):
        return np.ones(len(dataset.interactions), np.bool_)
    wanted = np.array([kind in goal for kind in dataset.event_types], np.bool_)
    return wanted[dataset.interactions.event_types]


def user_item_keys(found: Interactions, n_items: int) -> Int64Array:
    """One int64 for each (user, item)."""
    return found.users.astype(np.int64) * max(n_items, 1) + found.items


def first_seen(found: Interactions, n_items: int) -> Int64Array:
    """For every interaction the place of the first one of the same user and item, int64 [N]."""
    _, first, which = np.unique(
        user_item_keys(found, n_items), return_index=True, return_inverse=True
    )
    places: Int64Array = first[which].astype(np.int64)
    return places


def _contexts(dataset: Dataset, users: Int32Array) -> tuple[Mapping[str, Any], ...]:
    """What is known about each user, where the log says anything about users."""
    if not dataset.users.columns:
        return ({},) * len(users)
    return tuple({"user": dataset.users.fields(int(user))} for user in users)


def _runs(starts: Int64Array, stops: Int64Array) -> Int64Array:
    """The places `starts[0]`, ..., `stops[0]` - 1, `starts[1]`, ..., int64."""
    counts = stops - starts
    total = np.cumsum(counts)
    shift = np.repeat(starts - (total - counts), counts)
    places: Int64Array = np.arange(int(total[-1]) if len(total) else 0) + shift
    return places
