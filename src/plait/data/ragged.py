"""Rows of unequal length in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plait.data.array_types import BoolArray, Int32Array, Int64Array

__all__ = ["Ragged", "index_ranges", "offsets_of"]


@dataclass(frozen=True, eq=False)
class Ragged:
    """B rows of unequal length, N values in all. What is derived from them is cached.

    Attributes:
        values: int32 [N], row after row.
        offsets: int64 [B + 1]; row i is `values[offsets[i]:offsets[i + 1]]`.
    """

    values: Int32Array
    offsets: Int64Array

    @staticmethod
    def empty(batch: int) -> Ragged:
        """Return empty rows.

        Args:
            batch: B, the number of rows.

        Returns:
            B empty rows.
        """
        return Ragged(np.zeros(0, np.int32), np.zeros(batch + 1, np.int64))

    @staticmethod
    def from_rows(rows: Iterable[Sequence[int]]) -> Ragged:
        """Build from sequences of integers.

        Args:
            rows: The rows.

        Returns:
            The same rows.
        """
        arrays = [np.asarray(row, np.int32) for row in rows]
        values = np.concatenate(arrays) if arrays else np.zeros(0, np.int32)
        return Ragged.from_lengths(values, np.array([len(row) for row in arrays], np.int64))

    @staticmethod
    def from_lengths(values: Int32Array, counts: Int64Array) -> Ragged:
        """Build from flat values.

        Args:
            values: int32 [N], row after row.
            counts: int64 [B], the length of every row.

        Returns:
            B rows.
        """
        return Ragged(np.asarray(values, np.int32), offsets_of(counts))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Int32Array:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @cached_property
    def lengths(self) -> Int64Array:
        """The length of every row, int64 [B]."""
        return np.diff(self.offsets)

    @cached_property
    def rows(self) -> Int64Array:
        """The row of every value, int64 [N]."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    def slice(self, start: int, stop: int) -> Ragged:
        """Select consecutive rows.

        Args:
            start: The first row.
            stop: The row after the last.

        Returns:
            `stop` - `start` rows.
        """
        low, high = self.offsets[start], self.offsets[stop]
        return Ragged(self.values[low:high], self.offsets[start : stop + 1] - low)

    def take(self, rows: Int64Array) -> Ragged:
        """Select rows.

        Args:
            rows: int64 [R], row numbers in any order.

        Returns:
            R rows.
        """
        counts = self.lengths[rows]
        values = self.values[index_ranges(self.offsets[rows], counts)]
        return Ragged.from_lengths(values, counts)

    def hstack(self, other: Ragged) -> Ragged:
        """Append the rows of another to these rows.

        Args:
            other: As many rows.

        Returns:
            B rows: the values of this row, then those of the other.
        """
        rows = np.concatenate([self.rows, other.rows])
        order = np.argsort(rows, kind="stable")
        values = np.concatenate([self.values, other.values])[order]
        return Ragged.from_lengths(values, self.lengths + other.lengths)

    def filter(self, where: BoolArray) -> Ragged:
        """Select values.

        Args:
            where: bool [N].

        Returns:
            B rows with the values where `where` holds.
        """
        counts = np.bincount(self.rows[where], minlength=len(self))
        return Ragged.from_lengths(self.values[where], counts)

    def to_padded(self) -> Int32Array:
        """Return a matrix int32 [B, longest row], -1 after the end of a row."""
        lengths = self.lengths
        width = int(lengths.max()) if len(lengths) else 0
        matrix = np.full((len(self), width), -1, np.int32)
        matrix[np.arange(width) < lengths[:, None]] = self.values
        return matrix

    def isin(self, candidates: Int32Array) -> BoolArray:
        """Test which candidates of each row are among the row's values.

        Args:
            candidates: int32 [B, K]; -1 pads and is never a member.

        Returns:
            bool [B, K]. Candidates sorted by number (as the candidate union leaves them) cost one
            binary search for each value; unsorted candidates cost a sort.
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
        indices = np.minimum(np.searchsorted(keys, value_keys), len(keys) - 1)
        members.ravel()[indices[keys[indices] == value_keys]] = True
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


def index_ranges(starts: Int64Array, counts: Int64Array) -> Int64Array:
    """List the positions of ranges one after another.

    Args:
        starts: int64 [B], the first position of each range.
        counts: int64 [B], the length of each.

    Returns:
        int64, as many as the sum of `counts`.
    """
    offsets = offsets_of(counts)
    positions: Int64Array = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
    return positions
