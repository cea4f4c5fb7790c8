"""Counts, in the live state, the items that share users with an item, by event type.

The fitted models learn from all types of events together; here only the types that a query names
count, up to the last event. Two items share a user who had an event of such a type with both.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from plait.data.array_types import ABSENT, Int32Array, Int64Array
from plait.data.user_merges import UserMerges
from plait.state.interaction_index import InteractionIndex, SortedRun

__all__ = ["Companions", "companions"]

MAX_USERS = 2000
"""How many users of the anchors are looked at: an even sample of more."""

MAX_COMPANIONS = 1000
"""How many companions a query gets."""

_SMOOTHING = 5.0
"""Added to the events of an item, so that a pair of one user does not outrank a solid one."""

_counts: WeakKeyDictionary[SortedRun, dict[tuple[int, ...], Int64Array]] = WeakKeyDictionary()
"""By run and event types, how many events each item has."""


class Companions(NamedTuple):
    """M items that share users with the anchors of a query, best first.

    Attributes:
        items: int32 [M], item numbers.
        anchors: int32 [M], the anchor with which each shares the most users.
        users: int64 [M], how many it shares with that one.
    """

    items: Int32Array
    anchors: Int32Array
    users: Int64Array


def companions(
    events: InteractionIndex,
    merges: UserMerges,
    anchors: Int32Array,
    event_types: Int32Array,
    tiebreak: npt.NDArray[np.uint64],
) -> Companions:
    """Find the items that share users with some items.

    Ordered by the users in common, over all anchors, divided by the square root of the item's
    events: the cosine of two items, less the anchor's part, which is the same for all.

    Args:
        events: What users did.
        merges: Which users are the same person.
        anchors: Item numbers.
        event_types: The numbers of the event types that count.
        tiebreak: By item number, what orders items of equal score.

    Returns:
        The companions, without the anchors.
    """
    users = _users_of(events, anchors, event_types)
    persons = np.unique(merges.root_numbers(users))
    if len(persons) > MAX_USERS:
        persons = persons[np.linspace(0, len(persons) - 1, MAX_USERS).astype(np.int64)]
    numbers = [number for person in persons.tolist() for number in merges.person(person)]
    if not numbers:
        nothing = np.zeros(0, np.int32)
        return Companions(nothing, nothing, nothing.astype(np.int64))
    numbers_array = np.array(numbers, np.int32)
    _, rows = events.batch_rows(numbers_array)
    rows = rows.take(np.isin(rows.event_types, event_types))
    persons_of_rows = merges.root_numbers(numbers_array)[rows.users]
    pairs = np.unique(
        np.stack([persons_of_rows.astype(np.int64), rows.items.astype(np.int64)]), axis=1
    )
    n_items = len(tiebreak)
    total, most = np.zeros((2, n_items), np.int64)
    strongest = np.full(n_items, ABSENT, np.int32)
    for anchor in anchors.tolist():
        with_anchor = pairs[0][pairs[1] == anchor]
        items = pairs[1][np.isin(pairs[0], with_anchor)]
        shared = np.bincount(items, minlength=n_items)[:n_items]
        strongest[shared > most] = anchor
        np.maximum(most, shared, out=most)
        total += shared
    total[anchors] = 0
    items = np.flatnonzero(total)
    score = total[items] / np.sqrt(_event_counts(events, event_types, n_items)[items] + _SMOOTHING)
    items = items[np.lexsort((tiebreak[items], -score))[:MAX_COMPANIONS]]
    return Companions(items.astype(np.int32), strongest[items], most[items])


def _users_of(events: InteractionIndex, anchors: Int32Array, event_types: Int32Array) -> Int32Array:
    """The users who had an event of one of the types with an anchor, with repeats."""
    blocks = []
    for run in events.runs:
        rows = np.flatnonzero(np.isin(run.items, anchors))
        rows = rows[np.isin(run.event_types[rows], event_types)]
        blocks.append(run.users[run.offsets.searchsorted(rows, "right") - 1])
    loose = events.loose_rows()
    matches = np.isin(loose.items, anchors) & np.isin(loose.event_types, event_types)
    return np.concatenate([*blocks, loose.users[matches]])


def _event_counts(events: InteractionIndex, event_types: Int32Array, n_items: int) -> Int64Array:
    """How many events of the types each item has, int64 [n_items]; a run is counted once."""
    key = tuple(event_types.tolist())
    total = np.zeros(n_items, np.int64)
    for run in events.runs:
        by_types = _counts.setdefault(run, {})
        counts = by_types.get(key)
        if counts is None:
            counts = by_types[key] = np.bincount(run.items[np.isin(run.event_types, event_types)])
        total[: len(counts)] += counts[:n_items]
    loose = events.loose_rows()
    counts = np.bincount(loose.items[np.isin(loose.event_types, event_types)])
    total[: len(counts)] += counts[:n_items]
    return total
