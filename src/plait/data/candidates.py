"""Candidate lists: rows that stay, and columns that stages add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.arrays import BoolArray, Int32Array

__all__ = ["CandidateLists"]


@dataclass(frozen=True, slots=True, eq=False)
class CandidateLists:
    """B candidate lists: `numbers` int32 [B, K], -1 pads, and named columns [B, K].

    Stages add columns and never drop rows: `<strand>.score` float32 (NaN: cannot know this item),
    `<strand>.rank` int32 (-1: did not bring it), `score`, `removed_by` (int8 index into `reasons`,
    -1: still in), `order` (int32 place in the answer, -1: not in it), `propensity` float32.
    """

    item_numbers: Int32Array
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    removal_reasons: tuple[str, ...] = ()
    """The names that `removed_by` points to."""

    @property
    def shape(self) -> tuple[int, int]:
        """B and K."""
        return self.item_numbers.shape[0], self.item_numbers.shape[1]

    @property
    def present(self) -> BoolArray:
        """Where a candidate stands: neither padding nor removed."""
        there = self.item_numbers >= 0
        if "removed_by" in self.columns:
            there = there & (self.columns["removed_by"] < 0)
        return there

    def column(self, name: str) -> npt.NDArray[Any]:
        """The column `name`; KeyError names those there are."""
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {sorted(self.columns)}")
        return self.columns[name]

    def with_columns(self, **columns: npt.NDArray[Any]) -> CandidateLists:
        """The same candidates and more columns; `**{"popular.score": ...}` for names with a dot."""
        return replace(self, columns={**self.columns, **columns})

    def mark_removed(self, where: BoolArray, why: str) -> CandidateLists:
        """Mark candidates as removed by `why`; the first reason that removed one stays."""
        names = (
            self.removal_reasons if why in self.removal_reasons else (*self.removal_reasons, why)
        )
        old = self.columns.get("removed_by", np.full(self.item_numbers.shape, -1, np.int8))
        new = np.where(where & (old < 0), np.int8(names.index(why)), old).astype(np.int8)
        return replace(self, columns={**self.columns, "removed_by": new}, removal_reasons=names)
