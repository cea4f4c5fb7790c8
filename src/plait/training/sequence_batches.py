"""Histories as batches: one row for each user, rows of similar length together.

A row holds the newest events of a user, oldest first, and every position in it is a training
example: what came next? So a history of n events is n - 1 examples in one row. Events of equal time
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
    def of(history: History, rows: Int32Array, max_length: int, min_length: int = 2) -> Sequences:
        """Take the newest events of every history.

        Args:
            history: Histories of item numbers.
            rows: int32 [n_items], the table row of each item; `PADDING` leaves an item out.
            max_length: Events taken from a history at most.
            min_length: Histories with fewer events are left out.
        """
        is_fitted = history.items < len(rows)
        is_known = is_fitted & (rows[np.where(is_fitted, history.items, 0)] != PADDING)
        known = history.filter(is_known)
        recent = known.filter(known.event_age < max_length)
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
    """Batches of sequences of similar length, different ones in each epoch.

    A batch has `items` int64 [B, L] and, if `timed`, `seconds` int64 [B, L].

    Args:
        sequences: The sequences.
        size: Sequences in a batch.
        timed: Whether batches have seconds.
        seed: Seed of the order.
    """

    def __init__(self, sequences: Sequences, size: int, *, timed: bool, seed: int = 0) -> None:
        self._sequences, self._size, self._timed, self._seed = sequences, size, timed, seed
        self._lengths = sequences.lengths

    def __len__(self) -> int:
        return (len(self._sequences) + self._size - 1) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield every sequence once: shuffled, sorted by length in windows, batches shuffled again.

        Args:
            number: The epoch, from 0.
            start: The first batch to yield.
        """
        random = np.random.default_rng([self._seed, number])
        order = random.permutation(len(self._sequences))
        for low in range(0, len(order), _WINDOW * self._size):
            window = order[low : low + _WINDOW * self._size]
            by_length = np.argsort(self._lengths[window], kind="stable")
            order[low : low + len(window)] = window[by_length]
        for batch_number in random.permutation(len(self))[start:]:
            low = batch_number * self._size
            items, seconds = self._sequences.take(order[low : low + self._size])
            batch: dict[str, npt.NDArray[Any]] = {"items": items.astype(np.int64)}
            if self._timed:
                batch["seconds"] = seconds
            yield batch


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
