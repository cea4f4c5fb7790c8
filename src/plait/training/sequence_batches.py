"""Histories as batches: a row holds events of one user, rows of similar length are together.

A row holds events of a user, oldest first, and every position in it is a training example: what
came next? So a history of n events is n - 1 examples, in one row or more. Events of equal time
keep the order of the log, which does not say what came first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.types import History, Int32Array, Int64Array
from plait.errors import StorageError
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.training.batches import Batch
from plait.training.process_group import ProcessGroup

__all__ = ["PADDING", "SequenceBatches", "Sequences", "length_buckets", "padded"]

PADDING = 0
"""The row that stands for no item."""

_CELLS = 1 << 13
"""Positions of histories that go through the network together."""

_POSITIONS = 1 << 12
"""Positions of a training batch: with more of them an epoch has too few steps."""

_WINDOW = 32
"""Rows of this many batches are sorted by length together: enough to waste little padding, few
enough that batches differ between epochs."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Histories as table rows; sequence i is `offsets[i]:offsets[i + 1]`.

    Attributes:
        items: int32 [N], the table row of each event's item.
        seconds: int64 [N], the time of each event.
        offsets: int64 [B + 1].
        sources: int64 [B], the history that each sequence is made of.
    """

    items: Int32Array
    seconds: Int64Array
    offsets: Int64Array
    sources: Int64Array

    @staticmethod
    def of(
        history: History, rows: Int32Array, max_length: int | None = None, min_length: int = 2
    ) -> Sequences:
        """Take the newest events of every history.

        Args:
            history: Histories of item numbers.
            rows: int32 [n_items], the table row of each item; `PADDING` leaves an item out.
            max_length: Events taken from a history at most; None: all.
            min_length: Histories with fewer events are left out.
        """
        is_fitted = history.items < len(rows)
        is_known = is_fitted & (rows[np.where(is_fitted, history.items, 0)] != PADDING)
        known = history.filter(is_known)
        recent = known if max_length is None else known.filter(known.event_age < max_length)
        is_long = recent.lengths >= min_length
        events = is_long[recent.rows]
        lengths = recent.lengths[is_long]
        return Sequences(
            rows[recent.items[events]],
            recent.times[events] // 1_000_000,
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.flatnonzero(is_long),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64Array:
        """The length of every sequence, int64 [B]."""
        return np.diff(self.offsets)

    def mapped(self, path: Path) -> Sequences:
        """Write the arrays to a file and map it, so that they may be larger than memory.

        Collective: rank 0 writes the file, the other processes wait.

        Args:
            path: The file; its folder is created.

        Raises:
            StorageError: The file cannot be written.
        """
        group = ProcessGroup.current()
        if group.is_main:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_arrays(
                    path, {field.name: getattr(self, field.name) for field in fields(self)}
                )
            except OSError as problem:
                raise StorageError(
                    f"the training rows cannot be written to {path.parent}: {problem}",
                    hint="free some space and run it again",
                ) from problem
        group.broadcast(None)
        return Sequences(**read_arrays(path))

    def take(self, chosen: npt.NDArray[Any]) -> tuple[Int32Array, Int64Array]:
        """Return sequences as matrices, padded at the end.

        Args:
            chosen: int [b], the sequences.

        Returns:
            Items int32 and seconds int64, both [b, longest of them].
        """
        starts = self.offsets[chosen]
        lengths = self.offsets[np.asarray(chosen) + 1] - starts
        return padded(self.items, starts, lengths), padded(self.seconds, starts, lengths)


def padded(values: npt.NDArray[Any], starts: Int64Array, lengths: Int64Array) -> npt.NDArray[Any]:
    """Return slices of an array as a matrix, `PADDING` after the end of each.

    Args:
        values: [N].
        starts: int64 [B], where each slice begins.
        lengths: int64 [B], the length of each slice.

    Returns:
        [B, longest slice].
    """
    positions = np.arange(int(lengths.max(initial=0)))
    is_filled = positions < lengths[:, None]
    matrix = np.full(is_filled.shape, PADDING, values.dtype)
    matrix[is_filled] = values[(starts[:, None] + positions)[is_filled]]
    return matrix


class SequenceBatches:
    """Batches of rows of similar length, different ones in each epoch.

    A batch has `items` int64 [B, L] and, if `timed`, `seconds` int64 [B, L]. A row predicts all its
    events but the first. A history with more events than a row holds is cut into several rows that
    share one event, so that each event but the oldest is predicted once an epoch; where it is cut
    is drawn for each epoch.

    Args:
        sequences: The histories.
        size: Rows in a batch; fewer where rows are long, so that a batch has about `_POSITIONS`
            positions at most.
        timed: Whether batches have seconds.
        seed: Seed of the order and of the cuts.
        max_length: Events in a row at most, 2 or more; None: rows hold whole histories.
        max_rows: Rows of a history in an epoch at most: the newest, and others that are drawn.
    """

    def __init__(
        self,
        sequences: Sequences,
        size: int,
        *,
        timed: bool,
        seed: int = 0,
        max_length: int | None = None,
        max_rows: int = 32,
    ) -> None:
        self._sequences, self._timed, self._seed = sequences, timed, seed
        self._max_rows = max_rows
        lengths = sequences.lengths
        self._targets = max_length - 1 if max_length else int(lengths.max(initial=2)) - 1
        self._cuts = np.maximum(-(-(lengths - 1) // self._targets), 1)
        self._n_rows = int(np.minimum(self._cuts, max_rows).sum())
        mean_length = lengths.sum() / max(int(self._cuts.sum()), 1)
        self._size = min(size, max(int(_POSITIONS // max(mean_length, 1)), 1))

    def __len__(self) -> int:
        return (self._n_rows + self._size - 1) // self._size

    @property
    def largest(self) -> tuple[int, int]:
        """Rows and columns that the largest batch may have."""
        longest = int(self._sequences.lengths.max(initial=0))
        return min(self._size, self._n_rows), min(self._targets + 1, longest)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield all rows once: shuffled, sorted by length in windows, batches shuffled again.

        Args:
            number: The epoch, from 0.
            start: The first batch to yield.
        """
        random = np.random.default_rng([self._seed, number])
        starts, lengths = self._rows(random)
        order = random.permutation(len(starts))
        for low in range(0, len(order), _WINDOW * self._size):
            window = order[low : low + _WINDOW * self._size]
            by_length = np.argsort(lengths[window], kind="stable")
            order[low : low + len(window)] = window[by_length]
        for batch_number in random.permutation(len(self))[start:]:
            low = batch_number * self._size
            rows = order[low : low + self._size]
            items = padded(self._sequences.items, starts[rows], lengths[rows])
            batch: dict[str, npt.NDArray[Any]] = {"items": items.astype(np.int64)}
            if self._timed:
                batch["seconds"] = padded(self._sequences.seconds, starts[rows], lengths[rows])
            yield batch

    def _rows(self, random: np.random.Generator) -> tuple[Int64Array, Int64Array]:
        """Where the rows of an epoch begin in the events, and how many events each has."""
        events = self._sequences.lengths
        if len(events) == self._n_rows:
            return self._sequences.offsets[:-1], events
        targets = self._targets
        rest = events - 1 - (self._cuts - 1) * targets
        # The oldest row has `rest` targets or more; where it has more, the newest has fewer.
        oldest = random.integers(rest, np.where(self._cuts > 1, targets, rest) + 1)
        history = np.repeat(np.arange(len(events)), self._cuts)
        row = np.arange(len(history)) - np.repeat(np.cumsum(self._cuts) - self._cuts, self._cuts)
        starts = np.maximum(oldest[history] + (row - 1) * targets, 0)
        stops = np.minimum(oldest[history] + row * targets, events[history] - 1) + 1
        if self._cuts.max() > self._max_rows:
            draws = np.where(row == self._cuts[history] - 1, -1.0, random.random(len(row)))
            order = np.lexsort((draws, history))
            retained = np.sort(order[row < self._max_rows])
            history, starts, stops = history[retained], starts[retained], stops[retained]
        return self._sequences.offsets[history] + starts, stops - starts


def length_buckets(lengths: Int64Array) -> Iterator[Int64Array]:
    """Yield groups of rows of similar length, about 8,000 positions in each.

    Args:
        lengths: int64 [B], the length of every row, 1 or more.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        shortest = int(lengths[order[start]])
        rows = max(_CELLS // shortest, 1)
        # Stop before the first row that is twice as long: half of the positions would be padding.
        longer = int(np.searchsorted(lengths[order], 2 * shortest + 8, side="right"))
        stop = min(start + rows, max(longer, start + 1), len(order))
        yield order[start:stop]
        start = stop
