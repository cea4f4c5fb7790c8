"""Candidate lists: rows that stay, and columns that stages add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.array_types import BoolArray, Int32Array

__all__ = ["CandidateLists"]


@dataclass(frozen=True, slots=True, eq=False)
class CandidateLists:
    """B candidate lists with up to K items each. Stages add columns and never drop rows.

    Attributes:
        item_numbers: int32 [B, K], -1 pads.
        columns: Named columns [B, K]: `<model>.score` float32 (NaN: the model cannot score the
            item), `<model>.rank` int32 (-1: the model did not retrieve it), `score` float32,
            `removed_by` int8 (index into `removal_reasons`, -1: not removed), `order` int32 (place
            in the response, -1: not in it), `propensity` float32.
        removal_reasons: The names that `removed_by` refers to.
    """

    item_numbers: Int32Array
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    removal_reasons: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """B and K."""
        return self.item_numbers.shape[0], self.item_numbers.shape[1]

    @property
    def present(self) -> BoolArray:
        """bool [B, K]: where an item is neither padding nor removed."""
        present = self.item_numbers >= 0
        if "removed_by" in self.columns:
            present = present & (self.columns["removed_by"] < 0)
        return present

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column.

        Args:
            name: Its name.

        Returns:
            [B, K].

        Raises:
            KeyError: If there is no such column; the message lists those there are.
        """
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {sorted(self.columns)}")
        return self.columns[name]

    def with_columns(self, **columns: npt.NDArray[Any]) -> CandidateLists:
        """Return the same candidates with more columns.

        Args:
            columns: Arrays [B, K] by name; write `**{"popular.score": scores}` for dotted names.

        Returns:
            The candidates with all columns; new ones replace those of the same name.
        """
        return replace(self, columns={**self.columns, **columns})

    def with_more(self, numbers: Int32Array) -> CandidateLists:
        """Return the same candidates and more behind them, which no stage has seen.

        Args:
            numbers: int32 [B, M], -1 pads.

        Returns:
            [B, K + M]; in the columns of the new ones stand NaN, -1, False or None.
        """
        blanks = {"f": np.nan, "i": -1, "u": 0, "b": False}
        columns = {}
        for name, column in self.columns.items():
            blank: Any = blanks.get(column.dtype.kind)
            unseen = np.full(numbers.shape, blank, column.dtype)
            columns[name] = np.concatenate([column, unseen], axis=1)
        item_numbers = np.concatenate([self.item_numbers, numbers], axis=1)
        return replace(self, item_numbers=item_numbers, columns=columns)

    def mark_removed(self, where: BoolArray, why: str) -> CandidateLists:
        """Mark candidates as removed; a candidate that was removed before keeps its reason.

        Args:
            where: bool [B, K], the candidates to remove.
            why: The reason.

        Returns:
            The candidates with the column `removed_by`.
        """
        known = why in self.removal_reasons
        names = self.removal_reasons if known else (*self.removal_reasons, why)
        old = self.columns.get("removed_by", np.full(self.item_numbers.shape, -1, np.int8))
        new = np.where(where & (old < 0), np.int8(names.index(why)), old).astype(np.int8)
        return replace(self, columns={**self.columns, "removed_by": new}, removal_reasons=names)
