"""The state: a fold of the log, immutable version by version.

A version shares with the one before it whatever did not change; whoever publishes one does so by
assigning one reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from plait.data.catalogue import NO_TIME, Catalogue
from plait.data.types import Dataset, History, Int32Array, Int64Array, event_type_weights
from plait.eventlog import TYPE_CODES, EventChunk
from plait.schema.schema import Schema
from plait.state.catalogue_updates import Names, apply_changes, with_new_entries
from plait.state.interaction_index import Rows, Segment, Segments

__all__ = ["DatasetState", "LiveState", "Source"]


class Source(Names, Protocol):
    """The log, as far as the fold reads it."""

    def read(self, after: int = 0, until: int | None = None) -> Iterator[EventChunk]:
        """The events behind offset `after`, in chunks."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveState:
    """Everything the log says up to offset `version`, ready to be asked.

    `catalogue` and `users` are fields and ids by number, `kinds` the names of the log's kinds,
    `events` who did what, `erased` (offset, user number) of every erasure. It is a function of the
    log alone: any chunking gives the same.
    """

    version: int = 0
    catalogue: Catalogue = field(default_factory=Catalogue)
    users: Catalogue = field(default_factory=Catalogue)
    kinds: tuple[str, ...] = ()
    events: Segments = field(default_factory=Segments)
    erased: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def replay(log: Source, until: int | None = None) -> LiveState:
        """The state of a whole log, or of its events up to offset `until`."""
        state, rows = LiveState(), [Rows.empty()]
        names = _CachedNames(log)
        for chunk in _until(log, until):
            state = state._described(chunk, names)
            rows.append(_interactions(chunk))
        gone = {number for _, number in state.erased}
        events = Segments().with_rows(Rows.joined(rows))
        return replace(state, events=events.without(gone) if gone else events)

    def fold(self, chunk: EventChunk, names: Names) -> LiveState:
        """The version after the events of `chunk`, the next ones of the log; `names` is the log."""
        if not len(chunk):
            return self
        after = self._described(chunk, names)
        events = self.events.with_rows(_interactions(chunk))
        gone = {number for _, number in _erased(chunk)}
        return replace(after, events=events.without(gone) if gone else events)

    def user_numbers(self, ids: Sequence[str | None]) -> Int32Array:
        """The numbers of outside ids, int32 [B], -1 where unknown."""
        return self.users.numbers(ids)

    def history(self, users: Int32Array, kinds: Mapping[str, float]) -> History:
        """Everything that B users did, oldest first, with the weight of each event's kind.

        Ordered by (time, offset); an event without time stands at its position, one without
        either at its offset.
        """
        weights = event_type_weights(self.kinds, kinds)
        if len(users) == 1:
            mine = self.events.user_rows(int(users[0]))
            offsets = np.array([0, len(mine.items)], np.int64)
            return History(offsets, mine.items, mine.times, weights[mine.kinds])
        offsets, rows = self.events.batch_rows(users)
        return History(offsets, rows.items, rows.times, weights[rows.kinds])

    def _described(self, chunk: EventChunk, names: Names) -> LiveState:
        """The version after `chunk`, without its interactions."""
        if not len(chunk):
            return self
        n_items, n_users, n_kinds = (
            max(size, int(column.max()) + 1)
            for size, column in (
                (len(self.catalogue), chunk.items),
                (len(self.users), chunk.users),
                (len(self.kinds), chunk.kinds),
            )
        )
        kinds, catalogue, users = self.kinds, self.catalogue, self.users
        if n_kinds > len(kinds):
            kinds = (*kinds, *names.kinds(len(kinds))[: n_kinds - len(kinds)])
        if n_items > len(catalogue):
            catalogue = with_new_entries(catalogue, names.item_ids(len(catalogue)), n_items)
        if n_users > len(users):
            users = with_new_entries(users, names.user_ids(len(users)), n_users)
        users = apply_changes(users, chunk, "user", kinds, names)
        return LiveState(
            int(chunk.offsets[-1]),
            apply_changes(catalogue, chunk, "item", kinds, names),
            _without_erased(users, chunk),
            kinds,
            self.events,
            (*self.erased, *_erased(chunk)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class DatasetState:
    """A data set seen as a state: what evaluation hands to stages that ask for one."""

    dataset: Dataset
    events: Segments

    @staticmethod
    def of(dataset: Dataset) -> DatasetState:
        """The state of a snapshot, every kind of interaction included."""
        found = dataset.interactions
        rows = Rows(found.users, found.items, found.event_types, found.times)
        return DatasetState(dataset, Segments((Segment.of(rows),) if len(found) else ()))

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
    def kinds(self) -> tuple[str, ...]:
        """The names of its kinds."""
        return self.dataset.event_types

    def user_numbers(self, ids: Sequence[str | None]) -> Int32Array:
        """The numbers of outside ids, int32 [B], -1 where unknown."""
        return self.users.numbers(ids)

    def history(self, users: Int32Array, kinds: Mapping[str, float]) -> History:
        """Everything that B users did, oldest first, with the weight of each event's kind."""
        offsets, rows = self.events.batch_rows(users)
        return History(
            offsets, rows.items, rows.times, event_type_weights(self.kinds, kinds)[rows.kinds]
        )


class _CachedNames:
    """The log's names, asked once for all: a replay needs them chunk by chunk."""

    def __init__(self, log: Names) -> None:
        self._log = log
        self._lists: dict[str, list[str]] = {}

    def item_ids(self, first: int = 0) -> Sequence[str]:
        return self._rest("items", first)

    def user_ids(self, first: int = 0) -> Sequence[str]:
        return self._rest("users", first)

    def kinds(self, first: int = 0) -> Sequence[str]:
        return self._rest("kinds", first)

    def schema(self) -> Schema:
        return self._log.schema()

    def _rest(self, what: str, first: int) -> Sequence[str]:
        """Everything from `first` on; what other processes add meanwhile is asked for again."""
        ask = {"items": self._log.item_ids, "users": self._log.user_ids, "kinds": self._log.kinds}
        known = self._lists.setdefault(what, [])
        if first >= len(known):
            known.extend(ask[what](len(known)))
        return known[first:]


def _until(log: Source, until: int | None) -> Iterable[EventChunk]:
    return log.read(0, until)


def _interactions(chunk: EventChunk) -> Rows:
    """The interactions of known users, with the clock that orders them."""
    found = np.flatnonzero((chunk.types == TYPE_CODES["interaction"]) & (chunk.users >= 0))
    return Rows(chunk.users[found], chunk.items[found], chunk.kinds[found], _clock(chunk, found))


def _clock(chunk: EventChunk, found: Int64Array) -> Int64Array:
    times, positions = chunk.times[found], chunk.positions[found]
    placed = np.where(positions == NO_TIME, chunk.offsets[found], positions)
    return np.where(times == NO_TIME, placed, times)


def _erased(chunk: EventChunk) -> list[tuple[int, int]]:
    """Offset and number of every user that was erased."""
    found = np.flatnonzero((chunk.types == TYPE_CODES["erase"]) & (chunk.users >= 0))
    return list(zip(chunk.offsets[found].tolist(), chunk.users[found].tolist(), strict=True))


def _without_erased(users: Catalogue, chunk: EventChunk) -> Catalogue:
    for _, number in _erased(chunk):
        if users.ids[number]:
            users = users.without_id(number)
    return users
