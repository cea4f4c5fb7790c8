"""Counts of the log as evidence for reasons: purchases, views, ratings, pairs, popularity.

Sentences are checked against these counts, whatever the models that chose the items computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np
from scipy import sparse

from plait.data.array_types import BoolArray, Int32Array
from plait.data.dataset import Dataset
from plait.data.history import History
from plait.utils.timestamps import DAY

__all__ = ["Action", "EventEvidence", "PastActions", "PopularityLimits", "past_actions"]

_CHUNK = 4096
"""How many users of an item are looked up at once among those of another."""

_TOP_SHARE = 0.05
"""The share of the items with an event that can be near the top."""


class Action(IntFlag):
    """What a user did with an item, as sentences tell it apart."""

    BOUGHT = 1
    VIEWED = 2
    RATED = 4
    OTHER = 8


ANY = Action.BOUGHT | Action.VIEWED | Action.RATED | Action.OTHER

PastActions = dict[int, dict[Action, tuple[int, int]]]
"""By item and action the number of different times and of different days."""


@dataclass(frozen=True, slots=True)
class PopularityLimits:
    """What counts as popular.

    Attributes:
        days: How far before the last event "now" begins.
        items: How many items are near the top at most.
        users: How many users an item needs at least.
    """

    days: float
    items: int
    users: int


@dataclass(frozen=True, slots=True, eq=False)
class EventEvidence:
    """Who did what with each item, and which items are near the top.

    Attributes:
        users_by_item: int8 CSR [n_items, n_users], the `Action`s of each user as bits; the columns
            of a row are sorted.
        popular_now: Item numbers near the top of the last days, by the value of the context field;
            "": of all users. Empty if the log has no times.
        popular_ever: The same over all time.
    """

    users_by_item: sparse.csr_matrix = field(
        default_factory=lambda: sparse.csr_matrix((0, 0), dtype=np.int8)
    )
    popular_now: Mapping[str, Int32Array] = field(default_factory=dict)
    popular_ever: Mapping[str, Int32Array] = field(default_factory=dict)

    @staticmethod
    def of(
        dataset: Dataset,
        actions: Mapping[str, Action],
        limits: PopularityLimits,
        context_field: str = "",
    ) -> EventEvidence:
        """Collect the evidence of a log.

        Args:
            dataset: The log; only events of positive weight.
            actions: The action of each event type; any other is `Action.OTHER`.
            limits: What counts as popular.
            context_field: The field of users that popularity is counted by; "" for none.

        Returns:
            The evidence.
        """
        events = dataset.interactions
        codes = [actions.get(name, Action.OTHER) for name in dataset.event_types]
        bits = np.array([int(code) for code in codes] or [0], np.int8)[events.event_types]
        keys = events.items.astype(np.int64) * dataset.n_users + events.users
        order = np.argsort(keys, kind="stable")
        keys, bits = keys[order], bits[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1)) if len(keys) else np.zeros(0, np.int64)
        merged = np.bitwise_or.reduceat(bits, starts) if len(starts) else bits
        items, users = np.divmod(keys[starts], max(dataset.n_users, 1))
        offsets = np.searchsorted(items, np.arange(dataset.n_items + 1))
        shape = (dataset.n_items, dataset.n_users)
        matrix = sparse.csr_matrix((merged, users.astype(np.int32), offsets), shape=shape)
        since = np.int64(limits.days * DAY)
        recent = dataset.keep(events.times > events.times.max(initial=0) - since)
        return EventEvidence(
            matrix,
            _popular(recent, limits, context_field) if dataset.clock == "time" else {},
            _popular(dataset, limits, context_field),
        )

    def are_together(
        self, first: int, second: int, action: Action, least: int, alive: BoolArray
    ) -> bool:
        """Whether enough users did the same with two items.

        Args:
            first: The number of an item.
            second: The number of another.
            action: What they did with both; several bits: any of them.
            least: The number of users.
            alive: bool [users], those who have not been erased.

        Returns:
            True if at least `least` living users did.
        """
        few, many = sorted((self.users(first, action), self.users(second, action)), key=len)
        n_shared = 0
        for start in range(0, len(few), _CHUNK):
            chunk = few[start : start + _CHUNK]
            places = np.minimum(np.searchsorted(many, chunk), len(many) - 1)
            shared = chunk[many[places] == chunk]
            n_shared += int(np.count_nonzero(alive[shared[shared < len(alive)]]))
            if n_shared >= least:
                return True
        return False

    def others_chose(self, number: int, user: int, alive: BoolArray) -> bool:
        """Whether more than one user interacted with an item.

        Args:
            number: The item.
            user: The user that does not count; -1 for none.
            alive: bool [users], those who have not been erased.
        """
        users = self.users(number, ANY)[:_CHUNK]
        users = users[(users != user) & (users < len(alive))]
        return bool(alive[users].any())

    def users(self, number: int, action: Action) -> Int32Array:
        """The users who did something with an item, sorted.

        Args:
            number: The item.
            action: What they did; several bits: any of them.

        Returns:
            User numbers; none for an item that the log did not have at the fit.
        """
        matrix = self.users_by_item
        if not 0 <= number < matrix.shape[0]:
            return np.zeros(0, np.int32)
        row = slice(matrix.indptr[number], matrix.indptr[number + 1])
        users: Int32Array = matrix.indices[row]
        return users if action == ANY else users[matrix.data[row] & np.int8(action) > 0]


def past_actions(history: History, row: int, numbers: Sequence[int]) -> PastActions:
    """Count what a user did with some items.

    Args:
        history: Histories whose weights are `Action` codes.
        row: The history of the user.
        numbers: The items.

    Returns:
        The counts; items that the user had nothing to do with are left out.
    """
    events = slice(int(history.offsets[row]), int(history.offsets[row + 1]))
    mask = np.isin(history.items[events], numbers)
    items = history.items[events][mask].tolist()
    times = history.times[events][mask].tolist()
    codes = history.weights[events][mask].tolist()
    moments: dict[int, dict[Action, set[int]]] = {}
    for item, time, code in zip(items, times, codes, strict=True):
        moments.setdefault(item, {}).setdefault(Action(int(code)), set()).add(time)
    return {
        item: {
            action: (len(stamps), len({stamp // DAY for stamp in stamps}))
            for action, stamps in by_action.items()
        }
        for item, by_action in moments.items()
    }


def _popular(
    dataset: Dataset, limits: PopularityLimits, context_field: str
) -> dict[str, Int32Array]:
    """The items near the top, sorted, of all users and by value of a field of users."""
    events = dataset.interactions
    if not len(events):
        return {}
    masks: dict[str, BoolArray] = {"": np.ones(len(events), np.bool_)}
    column = dataset.users.columns.get(context_field)
    if column is not None:
        values = np.array([str(column.get(user) or "") for user in range(dataset.n_users)], object)
        by_event = values[events.users]
        masks |= {value: by_event == value for value in sorted(set(by_event.tolist()) - {""})}
    days = events.times // DAY if dataset.clock == "time" else np.zeros(len(events), np.int64)
    days -= days.min()
    n_days = int(days.max()) + 1
    pairs = events.items.astype(np.int64) * dataset.n_users + events.users
    tops = {}
    for value, mask in masks.items():
        # A user counts once for an item and a day, however often the page was loaded.
        user_days = np.unique(pairs[mask] * n_days + days[mask])
        user_pairs = np.unique(pairs[mask])
        counts, n_users = (
            np.bincount(keys // factor, minlength=dataset.n_items)
            for keys, factor in (
                (user_days, n_days * dataset.n_users),
                (user_pairs, dataset.n_users),
            )
        )
        size = min(limits.items, max(3, int(np.ceil(_TOP_SHARE * np.count_nonzero(counts)))))
        order = np.lexsort((dataset.catalogue.tiebreak, -counts))[:size]
        tops[value] = np.sort(order[n_users[order] >= limits.users]).astype(np.int32)
    return tops
