"""Rows of unequal length in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.data.arrays import BoolArray, Int32Array, Int64Array

__all__ = ["Ragged", "offsets_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """B rows: row i is `values[offsets[i]:offsets[i + 1]]`; int32 [N] and int64 [B + 1]."""

    values: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @staticmethod
    def empty(batch: int) -> Ragged:
        """B rows with nothing in them."""
        return Ragged(np.zeros(0, np.int32), np.zeros(batch + 1, np.int64))

    @staticmethod
    def from_rows(rows: Iterable[Sequence[int]]) -> Ragged:
        """From any sequence of sequences."""
        listed = [np.asarray(row, np.int32) for row in rows]
        values = np.concatenate(listed) if listed else np.zeros(0, np.int32)
        return Ragged.from_lengths(values, np.array([len(row) for row in listed], np.int64))

    @staticmethod
    def from_lengths(values: npt.NDArray[np.int32], counts: npt.NDArray[np.int64]) -> Ragged:
        """From flat values and the length of every row."""
        return Ragged(np.asarray(values, np.int32), offsets_of(counts))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> npt.NDArray[np.int32]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The length of every row, int64 [B]."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of every value, int64 [N]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def slice(self, start: int, stop: int) -> Ragged:
        """The rows `start`..`stop`."""
        low, high = self.offsets[start], self.offsets[stop]
        return Ragged(self.values[low:high], self.offsets[start : stop + 1] - low)

    def hstack(self, other: Ragged) -> Ragged:
        """Row by row, these values and then those of `other`."""
        rows = np.concatenate([self.rows, other.rows])
        order = np.argsort(rows, kind="stable")
        values = np.concatenate([self.values, other.values])[order]
        return Ragged.from_lengths(values, self.lengths + other.lengths)

    def to_padded(self) -> npt.NDArray[np.int32]:
        """A matrix int32 [B, longest], -1 behind the end of a row."""
        lengths = self.lengths
        width = int(lengths.max()) if len(lengths) else 0
        matrix = np.full((len(self), width), -1, np.int32)
        matrix[np.arange(width) < lengths[:, None]] = self.values
        return matrix

    def isin(self, candidates: Int32Array) -> BoolArray:
        """Which candidates of each row are among the row's values.

        Args:
            candidates: int32 [B, K]; -1 pads and is never a member.

        Returns:
            bool [B, K]. Rows sorted by number (as the union of candidates leaves them) cost one
            binary search for each value; unsorted ones a sort.
        """
        members = np.zeros(candidates.shape, np.bool_)
        if not members.size or not len(self.values):
            return members
        stride = np.int64(max(int(candidates.max()), int(self.values.max())) + 2)
        rows = np.arange(len(candidates), dtype=np.int64)[:, None]
        keys = (rows * stride + np.where(candidates < 0, stride - 1, candidates)).ravel()
        value_keys = (self.rows * stride + self.values)[self.values >= 0]
        ascending = (keys[1:] > keys[:-1]) | (candidates.ravel()[1:] < 0)
        if not ascending.all():
            return np.isin(keys, value_keys).reshape(candidates.shape)
        places = np.minimum(np.searchsorted(keys, value_keys), len(keys) - 1)
        members.ravel()[places[keys[places] == value_keys]] = True
        return members


def offsets_of(lengths: Int64Array | BoolArray) -> Int64Array:
    """Compute where rows begin in a flat array.

    Args:
        lengths: [B], the length of every row.

    Returns:
        int64 [B + 1], from 0 to the sum of the lengths.
    """
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
