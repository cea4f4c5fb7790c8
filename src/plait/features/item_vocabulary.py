"""The items with interactions, as rows of the embedding table of a neural network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.features.sparse_rows import SparseRows

__all__ = ["Vocabulary", "stable_order"]


def stable_order(numbers: Int32Array, catalogue: Catalogue) -> Int64Array:
    """Order numbers in a way that does not depend on the numbering.

    Random initial values are drawn row by row, so rows must not depend on which item or user came
    first into the log.

    Args:
        numbers: int32 [N], item or user numbers.
        catalogue: the items or users.

    Returns:
        int64, each number once, by the hash of its external id.
    """
    distinct = np.flatnonzero(np.bincount(numbers))
    ordered: Int64Array = distinct[np.argsort(catalogue.tiebreak[distinct], kind="stable")]
    return ordered


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Items with an interaction, in an order that does not depend on their numbers.

    Attributes:
        numbers: int32 [m], the item number by row.
        rows: int32 [n_items], the row of each item from 1 on; 0 for items without a row.
        counts: int64 [m], the interactions of each item.
    """

    numbers: Int32Array
    rows: Int32Array
    counts: Int64Array

    @staticmethod
    def of(dataset: Dataset) -> Vocabulary:
        """Collect the items of the interactions of a data set.

        Args:
            dataset: the data set.

        Returns:
            The items with at least one interaction.
        """
        items = dataset.interactions.items
        numbers = stable_order(items, dataset.catalogue)
        rows = np.zeros(dataset.n_items, np.int32)
        rows[numbers] = np.arange(1, len(numbers) + 1)
        counts = np.bincount(items, minlength=dataset.n_items)[numbers]
        return Vocabulary(numbers.astype(np.int32), rows, counts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.numbers)

    def encode(self, interactions: SparseRows) -> SparseRows:
        """Translate item numbers to positions in the vocabulary.

        Args:
            interactions: B rows over item numbers.

        Returns:
            B rows over m columns, `rows` - 1; entries for other items are left out.
        """
        items = interactions.columns
        inside = items < len(self.rows)
        rows = np.where(inside, self.rows[np.where(inside, items, 0)], 0)
        positions = SparseRows(interactions.offsets, rows - 1, interactions.weights, len(self))
        return positions.where(rows > 0)
