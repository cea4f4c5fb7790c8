"""Candidate lists: rows that stay, and columns that stages add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.arrays import Bools, Numbers

__all__ = ["Items"]


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """B candidate lists: `numbers` int32 [B, K], -1 pads, and named columns [B, K].

    Stages add columns and never drop rows: `<strand>.score` float32 (NaN: cannot know this item),
    `<strand>.rank` int32 (-1: did not bring it), `score`, `removed_by` (int8 index into `reasons`,
    -1: still in), `order` (int32 place in the answer, -1: not in it), `propensity` float32.
    """

    numbers: Numbers
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    removals: tuple[str, ...] = ()
    """The names that `removed_by` points to."""

    @property
    def shape(self) -> tuple[int, int]:
        """B and K."""
        return self.numbers.shape[0], self.numbers.shape[1]

    @property
    def present(self) -> Bools:
        """Where a candidate stands: neither padding nor removed."""
        there = self.numbers >= 0
        if "removed_by" in self.columns:
            there = there & (self.columns["removed_by"] < 0)
        return there

    def column(self, name: str) -> npt.NDArray[Any]:
        """The column `name`; KeyError names those there are."""
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {sorted(self.columns)}")
        return self.columns[name]

    def with_columns(self, **columns: npt.NDArray[Any]) -> Items:
        """The same candidates and more columns; `**{"popular.score": ...}` for names with a dot."""
        return replace(self, columns={**self.columns, **columns})

    def remove(self, where: Bools, why: str) -> Items:
        """Mark candidates as removed by `why`; the first reason that removed one stays."""
        names = self.removals if why in self.removals else (*self.removals, why)
        old = self.columns.get("removed_by", np.full(self.numbers.shape, -1, np.int8))
        new = np.where(where & (old < 0), np.int8(names.index(why)), old).astype(np.int8)
        return replace(self, columns={**self.columns, "removed_by": new}, removals=names)
