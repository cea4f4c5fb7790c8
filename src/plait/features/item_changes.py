"""Which items say something new since the fit, told by prints of the fields that are read.

A change of any other field (a price, a stock) encodes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.data.catalogue import Catalogue
from plait.data.types import Int32Array

__all__ = ["Changes", "Prints", "prints"]

Prints = npt.NDArray[np.uint64]


def prints(catalogue: Catalogue, fields: Sequence[str], numbers: Iterable[int]) -> Prints:
    """uint64 [N]: a hash of what the named fields of each item say, 0 if they say nothing."""
    columns = [(name, catalogue.columns[name]) for name in sorted(fields)]
    return np.array([_print(columns, one) for one in numbers], np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a delta holds: `numbers` int32 [N] of items, and the offset it has looked `until`."""

    numbers: Int32Array
    until: int

    @staticmethod
    def none(version: int) -> Changes:
        """Nothing yet, behind a bundle fitted at offset `version`."""
        return Changes(np.zeros(0, np.int32), version)

    def looked(self, catalogue: Catalogue) -> Int32Array:
        """The items that changed since."""
        found: Int32Array = np.nonzero(catalogue.changed > self.until)[0].astype(np.int32)
        return found

    def altered(self, catalogue: Catalogue, fields: Sequence[str], fitted: Prints) -> Int32Array:
        """Those of `looked` that must be encoded: held already, or not as at the fit.

        `fitted`: the prints of all items at the fit.
        """
        numbers = self.looked(catalogue)
        before = np.zeros(len(numbers), np.uint64)
        inside = numbers < len(fitted)
        before[inside] = fitted[numbers[inside]]
        now = prints(catalogue, fields, numbers.tolist())
        wanted: Int32Array = numbers[(now != before) | np.isin(numbers, self.numbers)]
        return wanted

    def kept(self, numbers: Int32Array) -> npt.NDArray[np.bool_]:
        """bool [N]: which entries stay when `numbers` are encoded anew."""
        return ~np.isin(self.numbers, numbers)

    def extended(self, catalogue: Catalogue, numbers: Int32Array) -> Changes:
        """With `numbers` put behind the entries that are kept."""
        joined = np.concatenate([self.numbers[self.kept(numbers)], numbers])
        return Changes(joined, max(self.until, int(catalogue.changed.max(initial=-1))))


def _print(columns: Sequence[tuple[str, Any]], number: int) -> int:
    told = [(name, column.get(number)) for name, column in columns]
    told = [(name, value) for name, value in told if value]
    if not told:
        return 0
    return int.from_bytes(hashlib.blake2b(repr(told).encode(), digest_size=8).digest(), "little")
