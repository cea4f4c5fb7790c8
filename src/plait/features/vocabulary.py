"""The items that somebody took, as rows of a network's table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.types import Dataset, Int32Array, Int64Array
from plait.features.sparse_rows import SparseRows

__all__ = ["Vocabulary", "stable_order"]


def stable_order(numbers: Int32Array, catalogue: Catalogue) -> Int64Array:
    """Each number once, in an order that renumbering does not change, int64.

    Chance is dealt out by row, so rows must not depend on who came first into the log.
    """
    found = np.flatnonzero(np.bincount(numbers))
    ordered: Int64Array = found[np.argsort(catalogue.tiebreak[found], kind="stable")]
    return ordered


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Items with an event, in an order that does not depend on their numbers.

    `numbers` int32 [m] by row; `rows` int32 [n_items]: the row of each from 1, 0 for others;
    `counts` int64 [m]: how often each was taken.
    """

    numbers: Int32Array
    rows: Int32Array
    counts: Int64Array

    @staticmethod
    def of(dataset: Dataset) -> Vocabulary:
        """The items of the interactions of a data set."""
        items = dataset.interactions.items
        numbers = stable_order(items, dataset.catalogue)
        rows = np.zeros(dataset.n_items, np.int32)
        rows[numbers] = np.arange(1, len(numbers) + 1)
        counts = np.bincount(items, minlength=dataset.n_items)[numbers]
        return Vocabulary(numbers.astype(np.int32), rows, counts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.numbers)

    def placed(self, taken: SparseRows) -> SparseRows:
        """The entries for these items, over columns from 0 on in their order."""
        inside = taken.columns < len(self.rows)
        rows = np.where(inside, self.rows[np.where(inside, taken.columns, 0)], 0)
        return SparseRows(taken.offsets, rows - 1, taken.weights, len(self)).where(rows > 0)
