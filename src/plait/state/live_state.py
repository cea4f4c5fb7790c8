"""The state: the result of applying the log event by event, immutable version by version.

A version shares with the one before it what did not change; a version is published by assigning
one reference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from plait.data.array_types import Int32Array, Int64Array
from plait.data.catalogue import NO_TIME, Catalogue, Change
from plait.data.ragged import offsets_of
from plait.data.recent_interactions import RecentInteractions
from plait.data.types import History, event_type_weights
from plait.data.user_merges import UserMerges
from plait.eventlog import TYPE_CODES, EventChunk, EventLog
from plait.eventlog.retraction import NamedNumbers
from plait.eventlog.user_merges import apply_merges, targets_of
from plait.schema.schema import Schema
from plait.state.catalogue_updates import EntityNames, apply_changes, with_new_entries
from plait.state.companions import Companions, companions
from plait.state.interaction_index import InteractionIndex, InteractionRows, newest_rows

__all__ = ["LiveState"]


def _nobody() -> Int64Array:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class LiveState:
    """Everything the log says up to an offset, ready for queries.

    It is a function of the log alone: any chunking of the same events gives the same state.

    Attributes:
        version: The offset of the last event applied; 0 before the first.
        catalogue: The items.
        users: The users.
        event_types: The names of the log's event type numbers.
        events: What users did.
        erased: Offset and user number of every erasure.
        merges: Which users are the same person.
        recent: The newest of these interactions, in the order of the log.
        arrivals: int64 [n_items], the time of the event that first described an item, `NO_TIME`
            where it has none or an interaction named the item first.
        absent_items: Numbers of items that only retracted rows name, int64 [M]: not alive until
            an event names them.
        absent_users: Likewise of users.
    """

    version: int = 0
    catalogue: Catalogue = field(default_factory=Catalogue)
    users: Catalogue = field(default_factory=Catalogue)
    event_types: tuple[str, ...] = ()
    events: InteractionIndex = field(default_factory=InteractionIndex)
    erased: tuple[tuple[int, int], ...] = ()
    merges: UserMerges = field(default_factory=UserMerges)
    recent: RecentInteractions = field(default_factory=RecentInteractions)
    arrivals: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64))
    absent_items: Int64Array = field(default_factory=_nobody)
    absent_users: Int64Array = field(default_factory=_nobody)

    @staticmethod
    def replay(log: EventLog, until: int | None = None) -> LiveState:
        """Compute the state of a log.

        Args:
            log: The log.
            until: The offset of the last event to apply; None for all there are.

        Returns:
            The state.

        Raises:
            StorageError: If the log cannot be read.
        """
        state, interactions = LiveState(), [InteractionRows.empty()]
        recent = state.recent
        names = _CachedNames(log)
        retractions = _Retractions()
        for chunk in log.read(0, until):
            state = state._with_entities(chunk, names)
            offsets, rows = _interactions(chunk)
            interactions.append(rows)
            recent = recent.with_rows(offsets, *rows)
            retractions.add(chunk)
        state = retractions.applied(state)
        erased_users = {number for _, number in state.erased}
        events = InteractionIndex().with_rows(InteractionRows.concat(interactions))
        state = replace(state, events=events, recent=recent)
        return state._without(erased_users) if erased_users else state

    def apply(self, chunk: EventChunk, names: EntityNames) -> LiveState:
        """Apply the next events of the log.

        Args:
            chunk: The events that directly follow this version.
            names: The log, which knows the ids of new numbers.

        Returns:
            The state after the events.
        """
        if not len(chunk.offsets):
            return self
        after = self._with_entities(chunk, names)
        offsets, rows = _interactions(chunk)
        events, recent = self.events.with_rows(rows), self.recent.with_rows(offsets, *rows)
        after = replace(after, events=events, recent=recent)
        erased_users = {number for _, number in after.erased[len(self.erased) :]}
        return after._without(erased_users) if erased_users else after

    def history(
        self,
        users: Int32Array,
        kinds: Mapping[str, float],
        sessions: Int32Array | None = None,
        most: int = sys.maxsize,
    ) -> History:
        """Return the newest of what users did, oldest first, under whichever of their ids.

        Ordered by (time, offset); an event without time stands at its position, one without
        either at its offset. Events of one time under several ids stand id by id.

        Args:
            users: int32 [B] user numbers, -1 for an unknown user.
            kinds: The weight of each event type; "*" stands for any other.
            sessions: int32 [B], the numbers of users whose events are joined to each; -1 for none.
            most: The most events of each user.

        Returns:
            The histories, with the weight of every event.
        """
        weights = event_type_weights(self.event_types, kinds)
        if sessions is not None or self.merges.targets:
            offsets, rows = self._joined_rows(users, sessions, most)
        elif len(users) == 1:
            rows = self.events.user_rows(int(users[0]), most)
            offsets = np.array([0, len(rows.items)], np.int64)
        else:
            offsets, rows = self.events.batch_rows(users, most)
        return History(offsets, rows.items, rows.times, weights[rows.event_types], rows.event_types)

    def distinct_history(
        self, users: Int32Array, kinds: Mapping[str, float], sessions: Int32Array | None = None
    ) -> History:
        """Return all items that users know, however long ago, without most repetitions.

        Args:
            users: int32 [B] user numbers, -1 for an unknown user.
            kinds: The weight of each event type; "*" stands for any other.
            sessions: int32 [B], the numbers of users whose events are joined to each; -1 for none.

        Returns:
            At least the newest event of each user with each item of each event type, in no stated
            order.
        """
        weights = event_type_weights(self.event_types, kinds)
        blocks = [
            self.events.distinct_rows(self._numbers(user, row, sessions))
            for row, user in enumerate(users.tolist())
        ]
        lengths = np.array([len(block.items) for block in blocks], np.int64)
        rows = InteractionRows.concat(blocks)
        return History(
            offsets_of(lengths), rows.items, rows.times, weights[rows.event_types], rows.event_types
        )

    def companions(self, items: Int32Array, event_types: Sequence[str]) -> Companions:
        """Find items that share users with some items.

        Args:
            items: Item numbers.
            event_types: The names of the event types that count; unknown ones match nothing.

        Returns:
            The items, best first.
        """
        numbers = [n for n, name in enumerate(self.event_types) if name in event_types]
        return companions(
            self.events,
            self.merges,
            items,
            np.array(numbers, np.int32),
            self.catalogue.tiebreak,
        )

    def _numbers(self, user: int, row: int, sessions: Int32Array | None) -> list[int]:
        """The numbers of a user under all ids, with those of the session."""
        session = () if sessions is None else self.merges.person(int(sessions[row]))
        return list(dict.fromkeys([*self.merges.person(user), *session]))

    def _joined_rows(
        self, users: Int32Array, sessions: Int32Array | None, most: int
    ) -> tuple[Int64Array, InteractionRows]:
        """The newest rows of each user under all ids, with those of the session, oldest first."""
        pairs = [
            (row, number)
            for row, user in enumerate(users.tolist())
            for number in self._numbers(user, row, sessions)
        ]
        owners, numbers = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
        _, rows = self.events.batch_rows(numbers, most)
        owned = rows._replace(users=owners[rows.users])
        order = np.lexsort((owned.times, owned.users))
        return newest_rows(owned.take(order), len(users), most)

    def _without(self, users: set[int]) -> LiveState:
        """The state without what users did."""
        return replace(
            self, events=self.events.without(users), recent=self.recent.without_users(users)
        )

    def _with_entities(self, chunk: EventChunk, names: EntityNames) -> LiveState:
        """The state after `chunk`, without its interactions."""
        catalogue, users, event_types = self.catalogue, self.users, self.event_types
        erased, arrivals, merges = self.erased, self.arrivals, self.merges
        n_items, n_users, n_event_types = (
            int(column.max()) + 1 for column in (chunk.items, chunk.users, chunk.kinds)
        )
        n_known = len(event_types)
        if n_event_types > n_known:
            event_types = (*event_types, *names.kinds(n_known)[: n_event_types - n_known])
        if n_items > len(catalogue.alive):
            catalogue = with_new_entries(catalogue, names.item_ids(len(catalogue)), n_items)
            arrivals = _with_arrivals(arrivals, chunk, len(catalogue))
        if n_users > len(users.alive):
            users = with_new_entries(users, names.user_ids(len(users)), n_users)
        if (chunk.types != TYPE_CODES["interaction"]).any():
            merges = apply_merges(merges, chunk)
            targets, _ = targets_of(chunk)
            n_users = max(n_users, int(targets.max(initial=-1)) + 1)
            if n_users > len(users.alive):
                users = with_new_entries(users, names.user_ids(len(users)), n_users)
            users = apply_changes(users, chunk, "user", event_types, names)
            catalogue = apply_changes(catalogue, chunk, "item", event_types, names)
            rows = np.flatnonzero((chunk.types == TYPE_CODES["erase"]) & (chunk.users >= 0))
            erasures = zip(chunk.offsets[rows].tolist(), chunk.users[rows].tolist(), strict=True)
            for offset, number in erasures:
                erased = (*erased, (offset, number))
                if users.ids[number]:
                    users = users.without_id(number)
        absent_items, absent_users = self.absent_items, self.absent_users
        if len(absent_items) or len(absent_users):
            catalogue, absent_items = _revived(catalogue, absent_items, chunk.items, chunk.types)
            users, absent_users = _revived(users, absent_users, chunk.users, chunk.types)
        version = int(chunk.offsets[-1])
        return replace(
            self,
            version=version,
            catalogue=catalogue,
            users=users,
            event_types=event_types,
            erased=erased,
            merges=merges,
            arrivals=arrivals,
            absent_items=absent_items,
            absent_users=absent_users,
        )


class _Retractions:
    """What the rows whose imports were taken back leave to be undone at the end of a replay."""

    def __init__(self) -> None:
        self._items, self._users = NamedNumbers(), NamedNumbers()
        self._described: list[Int32Array] = []
        self._record = -1

    def add(self, chunk: EventChunk) -> None:
        self._items.add(chunk.items, chunk.types)
        self._users.add(chunk.users, chunk.types)
        self._users.add(*targets_of(chunk))
        self._described.append(chunk.items[chunk.types == -1 - TYPE_CODES["item"]])
        records = chunk.offsets[chunk.types == TYPE_CODES["retract"]]
        self._record = max(self._record, int(records.max(initial=-1)))

    def applied(self, state: LiveState) -> LiveState:
        """The state in which entries of retracted rows alone are not alive, and the items that
        such rows described count as changed by the record.
        """
        items, users = self._items.absent(), self._users.absent()
        described = np.concatenate([*self._described, np.zeros(0, np.int32)])
        catalogue = _not_alive(state.catalogue, items)
        if len(described):
            changed = catalogue.changed.copy()
            described = described[changed[described] >= 0]
            changed[described] = np.maximum(changed[described], self._record)
            catalogue = replace(catalogue, changed=changed)
        return replace(
            state,
            catalogue=catalogue,
            users=_not_alive(state.users, users),
            absent_items=items,
            absent_users=users,
        )


def _not_alive(catalogue: Catalogue, numbers: Int64Array) -> Catalogue:
    if not len(numbers):
        return catalogue
    alive = catalogue.alive.copy()
    alive[numbers] = False
    return replace(catalogue, alive=alive)


def _revived(
    catalogue: Catalogue, absent: Int64Array, numbers: Int32Array, types: npt.NDArray[np.int8]
) -> tuple[Catalogue, Int64Array]:
    """The entries that events name again; what a deletion names stays dead."""
    named = np.intersect1d(absent, numbers[types >= 0])
    if not len(named):
        return catalogue, absent
    is_new = catalogue.changed[named] < 0  # else an event about the entry itself has decided
    touches = [Change(number, "touch", {}, -1) for number in named[is_new].tolist()]
    return catalogue.updated(touches), np.setdiff1d(absent, named)


class _CachedNames:
    """The ids of a log, read once: a replay needs them chunk by chunk."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._ids: dict[str, list[str]] = {"items": [], "users": [], "kinds": []}

    def item_ids(self, first: int) -> Sequence[str]:
        return self._from(first, "items", self._log.item_ids)

    def user_ids(self, first: int) -> Sequence[str]:
        return self._from(first, "users", self._log.user_ids)

    def kinds(self, first: int) -> Sequence[str]:
        return self._from(first, "kinds", self._log.kinds)

    def schema(self) -> Schema:
        return self._log.schema()

    def _from(self, first: int, table: str, read: Callable[[int], list[str]]) -> Sequence[str]:
        """Everything from `first` on; what other processes add meanwhile is read again."""
        ids = self._ids[table]
        if first >= len(ids):
            ids.extend(read(len(ids)))
        return ids[first:]


def _interactions(chunk: EventChunk) -> tuple[Int64Array, InteractionRows]:
    """The interactions of known users: their offsets, and rows with the clock that orders them."""
    rows = np.flatnonzero((chunk.types == TYPE_CODES["interaction"]) & (chunk.users >= 0))
    offsets, times, positions = chunk.offsets[rows], chunk.times[rows], chunk.positions[rows]
    ranks = np.where(positions == NO_TIME, offsets, positions)
    clock = np.where(times == NO_TIME, ranks, times)
    return offsets, InteractionRows(chunk.users[rows], chunk.items[rows], chunk.kinds[rows], clock)


def _with_arrivals(arrivals: Int64Array, chunk: EventChunk, n_items: int) -> Int64Array:
    """The arrivals of `n_items` items, of which those behind `arrivals` are first in `chunk`."""
    grown = np.concatenate([arrivals, np.full(n_items - len(arrivals), NO_TIME)])
    named = np.flatnonzero(chunk.items >= len(arrivals))
    firsts = named[np.unique(chunk.items[named], return_index=True)[1]]
    described = firsts[chunk.types[firsts] == TYPE_CODES["item"]]
    grown[chunk.items[described]] = chunk.times[described]
    return grown
