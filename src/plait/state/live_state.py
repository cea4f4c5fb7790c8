"""The state: the result of applying the log event by event, immutable version by version.

A version shares with the one before it what did not change; a version is published by assigning
one reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from plait.data.array_types import Int32Array, Int64Array
from plait.data.catalogue import NO_TIME, Catalogue
from plait.data.types import Dataset, History, event_type_weights
from plait.data.user_merges import UserMerges
from plait.eventlog import TYPE_CODES, EventChunk, EventLog
from plait.eventlog.user_merges import apply_merges, last_target
from plait.schema.schema import Schema
from plait.state.catalogue_updates import EntityNames, apply_changes, with_new_entries
from plait.state.companions import Companions, companions
from plait.state.interaction_index import InteractionIndex, InteractionRows, SortedRun

__all__ = ["DatasetState", "LiveState"]


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
    """

    version: int = 0
    catalogue: Catalogue = field(default_factory=Catalogue)
    users: Catalogue = field(default_factory=Catalogue)
    event_types: tuple[str, ...] = ()
    events: InteractionIndex = field(default_factory=InteractionIndex)
    erased: tuple[tuple[int, int], ...] = ()
    merges: UserMerges = field(default_factory=UserMerges)

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
        names = _CachedNames(log)
        for chunk in log.read(0, until):
            state = state._with_entities(chunk, names)
            interactions.append(_interactions(chunk))
        erased_users = {number for _, number in state.erased}
        events = InteractionIndex().with_rows(InteractionRows.concat(interactions))
        return replace(state, events=events.without(erased_users) if erased_users else events)

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
        events = self.events.with_rows(_interactions(chunk))
        erased_users = {number for _, number in after.erased[len(self.erased) :]}
        return replace(after, events=events.without(erased_users) if erased_users else events)

    def history(
        self, users: Int32Array, kinds: Mapping[str, float], sessions: Int32Array | None = None
    ) -> History:
        """Return everything that users did, oldest first, under whichever of their ids.

        Ordered by (time, offset); an event without time stands at its position, one without
        either at its offset. Events of one time under several ids stand id by id.

        Args:
            users: int32 [B] user numbers, -1 for an unknown user.
            kinds: The weight of each event type; "*" stands for any other.
            sessions: int32 [B], the numbers of users whose events are joined to each; -1 for none.

        Returns:
            The histories, with the weight of every event.
        """
        weights = event_type_weights(self.event_types, kinds)
        if sessions is not None or self.merges.targets:
            offsets, rows = self._joined_rows(users, sessions)
        elif len(users) == 1:
            rows = self.events.user_rows(int(users[0]))
            offsets = np.array([0, len(rows.items)], np.int64)
        else:
            offsets, rows = self.events.batch_rows(users)
        return History(offsets, rows.items, rows.times, weights[rows.event_types], rows.event_types)

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

    def _joined_rows(
        self, users: Int32Array, sessions: Int32Array | None
    ) -> tuple[Int64Array, InteractionRows]:
        """The rows of each user under all ids, with those of the session, oldest first."""
        pairs = [
            (row, number)
            for row, user in enumerate(users.tolist())
            for number in dict.fromkeys(
                [
                    *self.merges.person(user),
                    *(() if sessions is None else self.merges.person(int(sessions[row]))),
                ]
            )
        ]
        owners, numbers = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
        _, rows = self.events.batch_rows(numbers)
        owned = rows._replace(users=owners[rows.users])
        order = np.lexsort((owned.times, owned.users))
        counts = np.bincount(owned.users, minlength=len(users))
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), owned.take(order)

    def _with_entities(self, chunk: EventChunk, names: EntityNames) -> LiveState:
        """The state after `chunk`, without its interactions."""
        catalogue, users, event_types = self.catalogue, self.users, self.event_types
        erased, merges = self.erased, self.merges
        n_items, n_users, n_event_types = (
            int(column.max()) + 1 for column in (chunk.items, chunk.users, chunk.kinds)
        )
        n_known = len(event_types)
        if n_event_types > n_known:
            event_types = (*event_types, *names.kinds(n_known)[: n_event_types - n_known])
        if n_items > len(catalogue.alive):
            catalogue = with_new_entries(catalogue, names.item_ids(len(catalogue)), n_items)
        if n_users > len(users.alive):
            users = with_new_entries(users, names.user_ids(len(users)), n_users)
        if (chunk.types != TYPE_CODES["interaction"]).any():
            merges = apply_merges(merges, chunk)
            n_users = max(n_users, last_target(chunk) + 1)
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
        version = int(chunk.offsets[-1])
        return LiveState(version, catalogue, users, event_types, self.events, erased, merges)


@dataclass(frozen=True, slots=True, eq=False)
class DatasetState:
    """A data set seen as a state: what evaluation hands to stages that ask for one.

    Attributes:
        dataset: The snapshot.
        events: Its interactions, all event types included.
    """

    dataset: Dataset
    events: InteractionIndex

    @staticmethod
    def of(dataset: Dataset) -> DatasetState:
        """Make the state of a snapshot.

        Args:
            dataset: The snapshot.

        Returns:
            The state.
        """
        columns = dataset.interactions
        rows = InteractionRows(columns.users, columns.items, columns.event_types, columns.times)
        runs = (SortedRun.from_rows(rows),) if len(columns) else ()
        return DatasetState(dataset, InteractionIndex(runs))

    @property
    def version(self) -> int:
        """The offset that the snapshot goes up to."""
        return self.dataset.version

    @property
    def catalogue(self) -> Catalogue:
        """The items of the snapshot."""
        return self.dataset.catalogue

    @property
    def users(self) -> Catalogue:
        """The users of the snapshot."""
        return self.dataset.users

    @property
    def event_types(self) -> tuple[str, ...]:
        """The names of its event types."""
        return self.dataset.event_types

    def history(self, users: Int32Array, kinds: Mapping[str, float]) -> History:
        """Return everything that users did, oldest first.

        Args:
            users: int32 [B] user numbers, -1 for an unknown user.
            kinds: The weight of each event type; "*" stands for any other.

        Returns:
            The histories, with the weight of every event.
        """
        offsets, rows = self.events.batch_rows(users)
        weights = event_type_weights(self.event_types, kinds)
        return History(offsets, rows.items, rows.times, weights[rows.event_types], rows.event_types)


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


def _interactions(chunk: EventChunk) -> InteractionRows:
    """The interactions of known users, with the clock that orders them."""
    rows = np.flatnonzero((chunk.types == TYPE_CODES["interaction"]) & (chunk.users >= 0))
    times, positions = chunk.times[rows], chunk.positions[rows]
    ranks = np.where(positions == NO_TIME, chunk.offsets[rows], positions)
    clock = np.where(times == NO_TIME, ranks, times)
    return InteractionRows(chunk.users[rows], chunk.items[rows], chunk.kinds[rows], clock)
