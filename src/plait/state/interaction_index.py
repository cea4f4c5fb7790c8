"""Interactions by user, as a few sorted runs: one large, smaller newer ones, loose rows.

The shape of a log-structured merge tree (O'Neil et al., 1996): appending is cheap, no version
copies the past, and a history is read from at most a handful of runs. Everything is immutable.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.data.array_types import Int16Array, Int32Array, Int64Array

__all__ = ["InteractionIndex", "InteractionRows", "SortedRun", "newest_rows"]

MERGE_RATIO = 8
"""A run is merged into the one before it once it holds more than an eighth of its rows."""

MAX_LOOSE = 2048
"""How many single rows are kept by user before they become a run."""

LONG_HISTORY = 4096
"""A run keeps the newest rows of each item and event type too, of a user with so many rows."""

LooseRow = tuple[int, int, int]
"""(item, event type, time) of one interaction."""


class InteractionRows(NamedTuple):
    """N interactions as parallel arrays, in the order of the log.

    Attributes:
        users: int32 [N] user numbers (or rows of a batch).
        items: int32 [N] item numbers.
        event_types: int16 [N] event type numbers.
        times: int64 [N], what a history is ordered by.
    """

    users: Int32Array
    items: Int32Array
    event_types: Int16Array
    times: Int64Array

    @staticmethod
    def empty() -> InteractionRows:
        """Return no interactions."""
        return _columns([])

    @staticmethod
    def concat(blocks: Sequence[InteractionRows]) -> InteractionRows:
        """Join blocks one after another.

        Args:
            blocks: At least one block.

        Returns:
            All their rows.
        """
        if len(blocks) == 1:
            return blocks[0]
        return InteractionRows(*(np.concatenate(column) for column in zip(*blocks, strict=True)))

    def take(self, rows: npt.NDArray[Any] | slice) -> InteractionRows:
        """Select rows.

        Args:
            rows: Indices, a mask or a slice.

        Returns:
            The selected rows.
        """
        columns: list[npt.NDArray[Any]] = [*self]
        return InteractionRows(*(column[rows] for column in columns))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class SortedRun:
    """InteractionRows sorted by (user, time, order of the log).

    Attributes:
        users: int32 [M] user numbers, ascending.
        offsets: int64 [M + 1]; the rows of `users[i]` are `offsets[i]:offsets[i + 1]`.
        items: int32 [N].
        event_types: int16 [N].
        times: int64 [N].
        distinct: By the number of a user with a long history the newest row of each item and
            event type, by item.
    """

    users: Int32Array
    offsets: Int64Array
    items: Int32Array
    event_types: Int16Array
    times: Int64Array
    distinct: Mapping[int, InteractionRows] = field(default_factory=dict)

    @staticmethod
    def from_rows(rows: InteractionRows) -> SortedRun:
        """Sort interactions that are in the order of the log.

        Args:
            rows: The interactions.

        Returns:
            The run.
        """
        step = np.diff(rows.users)
        is_sorted = (step > 0) | ((step == 0) & (np.diff(rows.times) >= 0))
        if not is_sorted.all():
            rows = rows.take(np.lexsort((rows.times, rows.users)))
        users, items, event_types, times = rows
        starts = np.flatnonzero(np.diff(users, prepend=-1)) if len(users) else np.zeros(0, "i8")
        offsets = np.append(starts, len(users)).astype(np.int64)
        distinct = {
            int(users[offsets[n]]): _distinct(rows.take(slice(offsets[n], offsets[n + 1])))
            for n in np.flatnonzero(np.diff(offsets) >= LONG_HISTORY).tolist()
        }
        return SortedRun(users[starts], offsets, items, event_types, times, distinct)

    def __len__(self) -> int:
        return len(self.items)

    def rows(self) -> InteractionRows:
        """Return all rows, in the order of the run."""
        users = np.repeat(self.users, np.diff(self.offsets))
        return InteractionRows(users, self.items, self.event_types, self.times)

    def user_slice(self, user: int) -> slice:
        """Find the rows of one user.

        Args:
            user: The user number.

        Returns:
            The slice of the row arrays, empty for a user without rows.
        """
        position = int(self.users.searchsorted(np.int32(user)))
        if position == len(self.users) or self.users[position] != user:
            return slice(0, 0)
        return slice(int(self.offsets[position]), int(self.offsets[position + 1]))

    def batch_rows(self, users: Int32Array, most: int) -> InteractionRows:
        """Collect the newest rows of several users.

        Args:
            users: int32 [B] user numbers.
            most: The most rows of each.

        Returns:
            Their rows; `users` holds the row of the batch, 0..B-1.
        """
        if not len(self.users):
            return InteractionRows.empty()
        positions = np.minimum(self.users.searchsorted(users), len(self.users) - 1)
        is_known = self.users[positions] == users
        ends = self.offsets[positions + 1]
        starts = np.where(is_known, np.maximum(self.offsets[positions], ends - most), 0)
        counts = np.where(is_known, ends - starts, 0)
        owners = np.repeat(np.arange(len(users)), counts)
        firsts = np.cumsum(counts) - counts
        rows = np.arange(len(owners)) - np.repeat(firsts - starts, counts)
        return InteractionRows(
            owners.astype(np.int32), self.items[rows], self.event_types[rows], self.times[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class InteractionIndex:
    """Sorted runs from old to new, and loose rows by user; later runs hold the later events.

    Attributes:
        runs: The sorted runs.
        loose: The newest rows by user number, not yet in a run.
        loose_count: How many rows `loose` holds.
    """

    runs: tuple[SortedRun, ...] = ()
    loose: dict[int, tuple[LooseRow, ...]] | None = None
    loose_count: int = 0

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs) + self.loose_count

    def with_rows(self, rows: InteractionRows) -> InteractionIndex:
        """Append interactions.

        Args:
            rows: The interactions, in the order of the log.

        Returns:
            The version that holds them too.
        """
        count = len(rows.users)
        if not count:
            return self
        if self.loose_count + count > MAX_LOOSE:
            return self.compacted(rows)
        loose = dict(self.loose or {})
        columns = (column.tolist() for column in rows)
        for user, item, event_type, time in zip(*columns, strict=True):
            loose[user] = (*loose.get(user, ()), (item, event_type, time))
        return InteractionIndex(self.runs, loose, self.loose_count + count)

    def compacted(self, rows: InteractionRows) -> InteractionIndex:
        """Append interactions as a sorted run, together with all loose rows.

        Args:
            rows: The interactions, in the order of the log.

        Returns:
            The version that holds them too and has no loose rows.
        """
        loose = self.loose_rows()
        runs = (*self.runs, SortedRun.from_rows(InteractionRows.concat([loose, rows])))
        while len(runs) > 1 and len(runs[-1]) * MERGE_RATIO > len(runs[-2]):
            runs = (*runs[:-2], _merged(runs[-2], runs[-1]))
        return InteractionIndex(tuple(run for run in runs if len(run)))

    def loose_rows(self) -> InteractionRows:
        """Return the rows that are in no run yet, by user."""
        return _columns((user, *row) for user, own in (self.loose or {}).items() for row in own)

    def without(self, users: set[int]) -> InteractionIndex:
        """Remove users.

        Args:
            users: User numbers.

        Returns:
            The version without any of their rows.
        """
        removed = np.fromiter(users, np.int32, len(users))
        runs = []
        for run in self.runs:
            if np.isin(removed, run.users).any():
                rows = run.rows()
                run = SortedRun.from_rows(rows.take(~np.isin(rows.users, removed)))  # noqa: PLW2901
            runs.append(run)
        loose = {user: rows for user, rows in (self.loose or {}).items() if user not in users}
        return InteractionIndex(tuple(runs), loose, sum(len(rows) for rows in loose.values()))

    def item_counts(self, n_items: int) -> Int64Array:
        """Count the interactions of each item.

        Args:
            n_items: The number of items.

        Returns:
            int64 [n_items].
        """
        counts = np.zeros(n_items, np.int64)
        for run in self.runs:
            counts += np.bincount(run.items, minlength=n_items)
        loose = [row[0] for rows in (self.loose or {}).values() for row in rows]
        return counts + np.bincount(np.array(loose, np.int64), minlength=n_items)

    def user_rows(self, user: int, most: int = sys.maxsize) -> InteractionRows:
        """Collect the newest rows of one user.

        Args:
            user: The user number.
            most: The most rows.

        Returns:
            What the user did, oldest first; `users` is all zero.
        """
        blocks = []
        for run in self.runs:
            own = run.user_slice(user)
            if own.start < own.stop:
                if own.stop - own.start > most:
                    own = slice(own.stop - most, own.stop)
                zeros = np.zeros(own.stop - own.start, np.int32)
                columns = run.items[own], run.event_types[own], run.times[own]
                blocks.append(InteractionRows(zeros, *columns))
        loose = self.loose.get(user) if self.loose else None
        if loose:
            blocks.append(_columns((0, *row) for row in loose))
        if not blocks:
            return _columns([])
        rows = blocks[0] if len(blocks) == 1 else InteractionRows.concat(blocks)
        if len(blocks) == 1 and not loose:
            return rows
        if not np.all(rows.times[1:] >= rows.times[:-1]):
            rows = rows.take(np.argsort(rows.times, kind="stable"))
        return rows.take(slice(-most, None)) if len(rows.items) > most else rows

    def distinct_rows(self, users: Sequence[int]) -> InteractionRows:
        """Collect the rows of one person, without most of the older repetitions.

        Args:
            users: The numbers of the person.

        Returns:
            At least the newest row of each item and event type, in no stated order; `users` is
            all zero.
        """
        blocks = [InteractionRows.empty()]
        for user in users:
            for run in self.runs:
                rows = run.distinct.get(user)
                if rows is None:
                    own = run.user_slice(user)
                    nobody = np.zeros(0, np.int32)
                    columns = run.items[own], run.event_types[own], run.times[own]
                    rows = InteractionRows(nobody, *columns)
                blocks.append(rows._replace(users=np.zeros(len(rows.items), np.int32)))
            blocks.append(_columns((0, *row) for row in (self.loose or {}).get(user, ())))
        return InteractionRows.concat(blocks)

    def batch_rows(
        self, users: Int32Array, most: int = sys.maxsize
    ) -> tuple[Int64Array, InteractionRows]:
        """Collect the newest rows of several users.

        Args:
            users: int32 [B] user numbers.
            most: The most rows of each.

        Returns:
            `offsets` int64 [B + 1] and the rows, each user's oldest first; `users` holds the row
            of the batch, 0..B-1.
        """
        blocks = [run.batch_rows(users, most) for run in self.runs]
        loose = self.loose or {}
        blocks.append(
            _columns(
                (position, *row)
                for position, user in enumerate(users.tolist())
                for row in loose.get(user, ())
            )
        )
        rows = InteractionRows.concat(blocks)
        if len(self.runs) != 1 or self.loose_count:
            rows = rows.take(np.lexsort((rows.times, rows.users)))
        return newest_rows(rows, len(users), most)


def newest_rows(
    rows: InteractionRows, n_users: int, most: int
) -> tuple[Int64Array, InteractionRows]:
    """Keep the newest rows of each user.

    Args:
        rows: Rows by user, each user's oldest first; `users` holds 0..B-1.
        n_users: B.
        most: The most rows of each.

    Returns:
        `offsets` int64 [B + 1] and the rows that are left.
    """
    counts = np.bincount(rows.users, minlength=n_users)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    if len(rows.users) <= most or counts.max(initial=0) <= most:
        return offsets, rows
    ages = np.repeat(offsets[1:], counts) - np.arange(len(rows.users))
    counts = np.minimum(counts, most)
    rows = rows.take(ages <= most)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), rows


def _distinct(rows: InteractionRows) -> InteractionRows:
    """Of rows of one user, oldest first, the newest of each item and event type, by item."""
    keys = rows.items.astype(np.int64) << 16 | rows.event_types.astype(np.int64)
    _, last = np.unique(keys[::-1], return_index=True)
    return rows.take(len(keys) - 1 - last)


def _columns(rows: Iterable[tuple[int, ...]]) -> InteractionRows:
    """Rows of (user, item, event type, time) as arrays."""
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    dtypes = (np.int32, np.int32, np.int16, np.int64)
    return InteractionRows(
        *(np.array(column, dtype) for column, dtype in zip(columns, dtypes, strict=True))
    )


def _merged(old: SortedRun, new: SortedRun) -> SortedRun:
    """Both in one run. Nearly always each user's new rows simply follow the old ones."""
    users = np.repeat(new.users, np.diff(new.offsets))
    positions = np.minimum(old.users.searchsorted(users), len(old.users) - 1)
    is_known = old.users[positions] == users
    ends = np.where(
        is_known, old.offsets[positions + 1], old.offsets[old.users.searchsorted(users)]
    )
    if np.any(is_known & (old.times[ends - 1] > new.times)):
        return SortedRun.from_rows(InteractionRows.concat([old.rows(), new.rows()]))
    old_columns: list[npt.NDArray[np.generic]] = [*old.rows()]
    new_columns: list[npt.NDArray[np.generic]] = [*new.rows()]
    pairs = zip(old_columns, new_columns, strict=True)
    return SortedRun.from_rows(InteractionRows(*(np.insert(a, ends, b) for a, b in pairs)))
