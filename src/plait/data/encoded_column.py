"""A column of strings as codes of its distinct values: a filter tests each value once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from plait.data.array_types import BoolArray, Int32Array

__all__ = ["EncodedColumn", "Vocabulary"]

_MAX_STALE = 4
"""How many times more values than entries a vocabulary may hold before it is built anew."""


@dataclass(slots=True, eq=False)
class Vocabulary:
    """Distinct strings by code. It only grows, so that versions of a column can share it.

    Attributes:
        codes: The code of each string.
        strings: The strings by code; may lag behind `codes` until `series` is read.
        folded: The same, folded for comparisons regardless of case.
    """

    codes: dict[str, int] = field(default_factory=dict)
    strings: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.String))
    folded: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.String))

    def encode(self, values: Iterable[str]) -> Int32Array:
        """The codes of strings; new strings get the next codes.

        Args:
            values: P strings.

        Returns:
            int32 [P].
        """
        codes = self.codes
        return np.array([codes.setdefault(value, len(codes)) for value in values], np.int32)

    def series(self, *, folded: bool = False) -> pl.Series:
        """All strings in the order of their codes.

        Args:
            folded: Whether they are folded.

        Returns:
            A series of strings.
        """
        current = self.folded if folded else self.strings
        if len(current) < len(self.codes):
            new = list(self.codes)[len(current) :]
            added = pl.Series([text.casefold() for text in new] if folded else new, dtype=pl.String)
            current = pl.concat([current, added])
            if folded:
                self.folded = current
            else:
                self.strings = current
        return current


@dataclass(frozen=True, slots=True, eq=False)
class EncodedColumn:
    """A text, category, media or set column of N entries as P pairs of entry and value.

    Attributes:
        vocabulary: The distinct values.
        rows: int32 [P], the entry of each pair.
        codes: int32 [P], its value.
        present: bool [N], which entries have a value; an empty set is one.
    """

    vocabulary: Vocabulary
    rows: Int32Array
    codes: Int32Array
    present: BoolArray

    @staticmethod
    def of(values: npt.NDArray[Any]) -> EncodedColumn:
        """Encode a column.

        Args:
            values: object [N] of str, tuple[str, ...] or None.
        """
        vocabulary = Vocabulary()
        rows, codes = _pairs(vocabulary, range(len(values)), values)
        present = np.array([value is not None for value in values], np.bool_)
        return EncodedColumn(vocabulary, rows, codes, present)

    def with_values(self, numbers: Sequence[int], values: npt.NDArray[Any]) -> EncodedColumn:
        """The encoding of a later version of the column.

        Args:
            numbers: The entries that may have changed since.
            values: object [M], the values of the later version, M >= N.
        """
        if len(self.vocabulary.codes) > _MAX_STALE * (len(values) + len(self.codes)):
            return EncodedColumn.of(values)
        present = np.zeros(len(values), np.bool_)
        present[: len(self.present)] = self.present
        if not numbers:
            return EncodedColumn(self.vocabulary, self.rows, self.codes, present)
        is_changed = np.zeros(len(values), np.bool_)
        is_changed[numbers] = True
        changed = np.flatnonzero(is_changed).tolist()
        present[changed] = [values[number] is not None for number in changed]
        rows, codes = _pairs(self.vocabulary, changed, values[changed])
        unchanged = ~is_changed[self.rows]
        return EncodedColumn(
            self.vocabulary,
            np.concatenate([self.rows[unchanged], rows]),
            np.concatenate([self.codes[unchanged], codes]),
            present,
        )

    def entries_with(self, is_match: BoolArray) -> BoolArray:
        """The entries that have a value which matches.

        Args:
            is_match: bool [V], by code; later codes do not match.

        Returns:
            bool [N].
        """
        mask = np.zeros(len(self.present), np.bool_)
        table = np.zeros(max(len(self.vocabulary.codes), len(is_match)), np.bool_)
        table[: len(is_match)] = is_match
        mask[self.rows[table[self.codes]]] = True
        return mask

    def entries_in(self, values: Iterable[str]) -> BoolArray:
        """The entries that have one of some values.

        Args:
            values: The values.

        Returns:
            bool [N].
        """
        codes = [code for value in values if (code := self.vocabulary.codes.get(value, -1)) >= 0]
        if len(codes) == 1:
            mask = np.zeros(len(self.present), np.bool_)
            mask[self.rows[self.codes == codes[0]]] = True
            return mask
        is_match = np.zeros(len(self.vocabulary.codes), np.bool_)
        is_match[codes] = True
        return self.entries_with(is_match)


def _pairs(
    vocabulary: Vocabulary, numbers: Iterable[int], values: Iterable[Any]
) -> tuple[Int32Array, Int32Array]:
    """The entries and codes of some values, int32 [P] each."""
    rows: list[int] = []
    strings: list[str] = []
    for number, value in zip(numbers, values, strict=True):
        if isinstance(value, tuple):
            rows += [number] * len(value)
            strings += value
        elif value is not None:
            rows.append(number)
            strings.append(value)
    return np.array(rows, np.int32), vocabulary.encode(strings)
