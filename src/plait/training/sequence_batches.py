"""Histories as batches: one row a user, rows of similar length together.

A row holds the newest events of a user, oldest first, and every place in it is a question: what
came next? So a history of n events is n - 1 examples in one row, not n - 1 rows. Events of one time
keep the order of the log, which says nothing about what came first.
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
from plait.training.config import Batch
from plait.training.process_group import ProcessGroup

__all__ = ["PADDING", "SequenceBatches", "Sequences", "length_buckets", "padded"]

PADDING = 0
"""The row that stands for no item."""

_CELLS = 1 << 13
"""Places of histories that go through the network together."""

_WINDOW = 32
"""So many batches' worth of rows are sorted by length together: enough to waste little, few enough
that a batch is another one in each epoch."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """B rows, row i from `offsets[i]` to `offsets[i + 1]`: `items` int32 [N], `seconds` int64.

    `sources` int64 [B]: which of the histories each row is made of.
    """

    items: Int32Array
    seconds: Int64Array
    offsets: Int64Array
    sources: Int64Array

    @staticmethod
    def of(history: History, rows: Int32Array, longest: int, least: int = 2) -> Sequences:
        """The newest `longest` events of each history with `least` of them or more.

        `rows` int32 [n_items] gives the row of each item, `PADDING` for those that are left out.
        """
        inside = history.items < len(rows)
        known = history.filter(inside & (rows[np.where(inside, history.items, 0)] != PADDING))
        recent = known.filter(known.event_age < longest)
        kept = recent.lengths >= least
        mine = kept[recent.rows]
        counts = recent.lengths[kept]
        return Sequences(
            rows[recent.items[mine]],
            recent.times[mine] // 1_000_000,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.flatnonzero(kept),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64Array:
        """The length of every row, int64 [B]."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        """What the arrays take."""
        return self.items.nbytes + self.seconds.nbytes + 2 * self.offsets.nbytes

    def mapped(self, path: Path) -> Sequences:
        """The same rows in a file at `path`, mapped instead of held.

        Of several processes the first writes it, the others wait. StorageError if it cannot.
        """
        crew = ProcessGroup.here()
        if crew.first:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_arrays(path, {one.name: getattr(self, one.name) for one in fields(self)})
            except OSError as problem:
                raise StorageError(
                    f"the rows to train on cannot be written to {path.parent}: {problem}",
                    hint="free some space and run it again",
                ) from problem
        crew.told(None)
        return Sequences(**read_arrays(path))

    def take(self, chosen: npt.NDArray[Any]) -> tuple[Int32Array, Int64Array]:
        """Rows as matrices [len(chosen), longest of them], padded behind: items and seconds."""
        starts = self.offsets[chosen]
        lengths = self.offsets[np.asarray(chosen) + 1] - starts
        return padded(self.items, starts, lengths), padded(self.seconds, starts, lengths)


def padded(values: npt.NDArray[Any], starts: Int64Array, lengths: Int64Array) -> npt.NDArray[Any]:
    """Pieces of `values` as a matrix [B, longest], `PADDING` behind each."""
    width = int(lengths.max(initial=0))
    place = np.arange(width)
    there = place < lengths[:, None]
    found = np.full(there.shape, PADDING, values.dtype)
    found[there] = values[(starts[:, None] + place)[there]]
    return found


class SequenceBatches:
    """Batches of `size` rows of similar length, other ones each epoch: `items`, `seconds` [B, L].

    `items` is int64; `seconds` only where `timed`.
    """

    def __init__(self, rows: Sequences, size: int, *, timed: bool, seed: int = 0) -> None:
        self._rows, self._size, self._timed, self._seed = rows, size, timed, seed
        self._lengths = rows.lengths

    def __len__(self) -> int:
        return (len(self._rows) + self._size - 1) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Each row once: shuffled, sorted by length within windows, batches shuffled again."""
        random = np.random.default_rng([self._seed, number])
        order = random.permutation(len(self._rows))
        for low in range(0, len(order), _WINDOW * self._size):
            piece = order[low : low + _WINDOW * self._size]
            order[low : low + len(piece)] = piece[np.argsort(self._lengths[piece], kind="stable")]
        for place in random.permutation(len(self))[start:]:
            items, seconds = self._rows.take(order[place * self._size : (place + 1) * self._size])
            batch: dict[str, npt.NDArray[Any]] = {"items": items.astype(np.int64)}
            if self._timed:
                batch["seconds"] = seconds
            yield batch


def length_buckets(lengths: Int64Array) -> Iterator[Int64Array]:
    """Rows of similar length together, as many as fill about 8,000 places."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        shortest = int(lengths[order[start]])
        rows = max(_CELLS // shortest, 1)
        # Not behind the first row that is twice as long: half of the places would be padding.
        longer = int(np.searchsorted(lengths[order], 2 * shortest + 8, side="right"))
        stop = min(start + rows, max(longer, start + 1), len(order))
        yield order[start:stop]
        start = stop
