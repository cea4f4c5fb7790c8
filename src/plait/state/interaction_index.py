"""Who did what, as a few sorted runs: a large old one, smaller newer ones, a handful of loose rows.

The shape of a log-structured merge tree: appending is cheap, no version copies the past, and a
history is read from at most a handful of places. Everything here is immutable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.data.types import Int32Array, Int64Array

__all__ = ["Rows", "Segment", "Segments"]

RATIO = 8
"""A run is merged into its elder once it holds more than an eighth of its rows."""

LOOSE = 2048
"""So many single rows are kept by user before they become a run."""

Kinds = npt.NDArray[np.int16]
Loose = tuple[int, int, int]
"""(item, kind, time) of one interaction."""


class Rows(NamedTuple):
    """N interactions as parallel arrays, in the order of the log.

    `users`, `items` int32; `kinds` int16; `times` int64, what a history is ordered by.
    """

    users: Int32Array
    items: Int32Array
    kinds: Kinds
    times: Int64Array

    @staticmethod
    def empty() -> Rows:
        """No interactions."""
        return Rows(
            np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0, "i8")
        )

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """One after another."""
        if len(parts) == 1:
            return parts[0]
        return Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def take(self, where: npt.NDArray[Any]) -> Rows:
        """The rows at `where`, a mask or places."""
        return Rows(*(column[where] for column in self))


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Rows sorted by (user, time, place in the log); row block i belongs to `names[i]`.

    `names` int32 [M] user numbers, rising; `offsets` int64 [M + 1].
    """

    names: Int32Array
    offsets: Int64Array
    items: Int32Array
    kinds: Kinds
    times: Int64Array

    @staticmethod
    def of(rows: Rows) -> Segment:
        """Sort rows that stand in the order of the log."""
        users, items, kinds, times = rows
        if not _sorted(users, times):
            order = np.lexsort((times, users))
            users, items, kinds, times = rows.take(order)
        starts = np.flatnonzero(np.diff(users, prepend=-1)) if len(users) else np.zeros(0, "i8")
        offsets = np.append(starts, len(users)).astype(np.int64)
        return Segment(users[starts], offsets, items, kinds, times)

    def __len__(self) -> int:
        return len(self.items)

    def span(self, user: int) -> tuple[int, int]:
        """Where the rows of one user stand."""
        place = int(self.names.searchsorted(np.int32(user)))
        if place == len(self.names) or self.names[place] != user:
            return 0, 0
        return int(self.offsets[place]), int(self.offsets[place + 1])

    def rows(self) -> Rows:
        """All rows, in the order of the segment."""
        users = np.repeat(self.names, np.diff(self.offsets))
        return Rows(users, self.items, self.kinds, self.times)

    def gather(self, users: Int32Array) -> tuple[Int64Array, Int64Array]:
        """For B users: the place in `users` and the place here, of each of their rows."""
        if not len(self.names):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        places = np.minimum(self.names.searchsorted(users), len(self.names) - 1)
        known = self.names[places] == users
        starts = np.where(known, self.offsets[places], 0)
        counts = np.where(known, self.offsets[places + 1] - starts, 0)
        owners = np.repeat(np.arange(len(users)), counts)
        firsts = np.cumsum(counts) - counts
        return owners, np.arange(len(owners)) - np.repeat(firsts - starts, counts)


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Runs from old to new, and loose rows by user; a row of a later place is the later event."""

    runs: tuple[Segment, ...] = ()
    loose: dict[int, tuple[Loose, ...]] | None = None
    loose_count: int = 0

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs) + self.loose_count

    def with_rows(self, rows: Rows) -> Segments:
        """A version to which `rows`, in the order of the log, were appended."""
        count = len(rows.users)
        if not count:
            return self
        if self.loose_count + count > LOOSE:
            run = Segment.of(Rows.joined([self._loose_rows(), rows]))
            return Segments(_settled((*self.runs, run)))
        loose = dict(self.loose or {})
        listed = (column.tolist() for column in rows)
        for user, item, kind, time in zip(*listed, strict=True):
            loose[user] = (*loose.get(user, ()), (item, kind, time))
        return Segments(self.runs, loose, self.loose_count + count)

    def without(self, users: set[int]) -> Segments:
        """A version in which these users never did anything."""
        gone = np.fromiter(users, np.int32, len(users))
        runs = tuple(_dropped(run, gone) for run in self.runs)
        loose = {user: rows for user, rows in (self.loose or {}).items() if user not in users}
        return Segments(runs, loose, sum(len(rows) for rows in loose.values()))

    def user_rows(self, user: int) -> Rows:
        """What one user did, oldest first; `users` is left empty."""
        parts = [self._cut(run, *run.span(user)) for run in self.runs]
        parts = [part for part in parts if len(part.items)]
        mine = self.loose.get(user) if self.loose else None
        if mine:
            items, kinds, times = zip(*mine, strict=True)
            parts.append(
                Rows(
                    np.zeros(0, np.int32),
                    np.array(items, np.int32),
                    np.array(kinds, np.int16),
                    np.array(times, np.int64),
                )
            )
        if not parts:
            return Rows.empty()
        found = Rows.joined(parts)
        if len(parts) == 1 and not mine:
            return found
        return _by_time(found)

    def batch_rows(self, users: Int32Array) -> tuple[Int64Array, Rows]:
        """What B users did: `offsets` int64 [B + 1] and rows (users: places 0..B-1) by time."""
        found = [self._gathered(run, users) for run in self.runs]
        found.append(self._loose_of(users))
        rows = Rows.joined(found)
        if len(self.runs) != 1 or self.loose_count:
            rows = rows.take(np.lexsort((rows.times, rows.users)))
        counts = np.bincount(rows.users, minlength=len(users))
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), rows

    @staticmethod
    def _cut(run: Segment, start: int, stop: int) -> Rows:
        nobody = np.zeros(0, np.int32)
        cut = slice(start, stop)
        return Rows(nobody, run.items[cut], run.kinds[cut], run.times[cut])

    @staticmethod
    def _gathered(run: Segment, users: Int32Array) -> Rows:
        owners, places = run.gather(users)
        return Rows(
            owners.astype(np.int32), run.items[places], run.kinds[places], run.times[places]
        )

    def _loose_of(self, users: Int32Array) -> Rows:
        loose = self.loose
        if not loose:
            return Rows.empty()
        return _listed(
            (place, *row)
            for place, user in enumerate(users.tolist())
            for row in loose.get(user, ())
        )

    def _loose_rows(self) -> Rows:
        return _listed((user, *row) for user, rows in (self.loose or {}).items() for row in rows)


def _listed(rows: Any) -> Rows:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    kinds = (np.int32, np.int32, np.int16, np.int64)
    return Rows(*(np.array(one, kind) for one, kind in zip(columns, kinds, strict=True)))


def _sorted(users: Int32Array, times: Int64Array) -> bool:
    step = np.diff(users)
    return bool(np.all((step > 0) | ((step == 0) & (np.diff(times) >= 0))))


def _by_time(rows: Rows) -> Rows:
    times = rows.times
    if np.all(times[1:] >= times[:-1]):
        return rows
    order = np.argsort(times, kind="stable")
    return Rows(rows.users, rows.items[order], rows.kinds[order], times[order])


def _settled(runs: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Merge from the newest end until each run is much smaller than the one before it."""
    while len(runs) > 1 and len(runs[-1]) * RATIO > len(runs[-2]):
        runs = (*runs[:-2], _merged(runs[-2], runs[-1]))
    return tuple(run for run in runs if len(run))


def _merged(old: Segment, new: Segment) -> Segment:
    """Both in one run. Nearly always each user's new rows simply follow the old ones."""
    users = np.repeat(new.names, np.diff(new.offsets))
    places = np.minimum(old.names.searchsorted(users), len(old.names) - 1)
    known = old.names[places] == users
    behind = np.where(known, old.offsets[places + 1], old.offsets[old.names.searchsorted(users)])
    if np.any(known & (old.times[behind - 1] > new.times)):
        return Segment.of(Rows.joined([old.rows(), new.rows()]))
    columns: list[npt.NDArray[Any]] = [*old.rows()]
    more: list[npt.NDArray[Any]] = [*new.rows()]
    inserted = [np.insert(one, behind, two) for one, two in zip(columns, more, strict=True)]
    return Segment.of(Rows(*inserted))


def _dropped(run: Segment, gone: Int32Array) -> Segment:
    if not np.isin(gone, run.names).any():
        return run
    rows = run.rows()
    return Segment.of(rows.take(~np.isin(rows.users, gone)))
