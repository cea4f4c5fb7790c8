"""The product of every item: variants of a product share a group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import Int32Array, Int64Array
from plait.data.ragged import Ragged

__all__ = ["ProductGroups"]


@dataclass(frozen=True, slots=True, eq=False)
class ProductGroups:
    """Groups of N items.

    Attributes:
        numbers: int32 [N], dense from 0, equal for the variants of one product.
        order: int64 [N], item numbers sorted by product.
        starts: int64 [number of products + 1], where each product begins in `order`.
        are_products: Whether the field names products, so that what holds for one variant (it was
            seen, it is excluded) holds for all; false for other fields, such as a brand.
    """

    numbers: Int32Array
    order: Int64Array
    starts: Int64Array
    are_products: bool = True

    @staticmethod
    def of(numbers: Int32Array, *, are_products: bool = True) -> ProductGroups:
        """Index groups.

        Args:
            numbers: int32 [N], the group of every item, dense from 0.
            are_products: Whether the groups are products.

        Returns:
            The groups.
        """
        starts = np.concatenate([[0], np.cumsum(np.bincount(numbers))]).astype(np.int64)
        order = np.argsort(numbers, kind="stable")
        return ProductGroups(numbers, order, starts, are_products)

    @property
    def largest(self) -> int:
        """How many items the largest group has; 1 without any."""
        return int(np.diff(self.starts).max(initial=1))

    def of_items(self, item_numbers: Int32Array) -> Int32Array:
        """Look up the groups of items.

        Args:
            item_numbers: int32, of any shape; -1 pads.

        Returns:
            int32 of the same shape; -1 for padding, and a group of its own for an item that is
            newer than the groups.
        """
        is_known = (item_numbers >= 0) & (item_numbers < len(self.numbers))
        groups = item_numbers.copy()
        groups[is_known] = self.numbers[item_numbers[is_known]]
        return groups

    def with_variants(self, items: Ragged) -> Ragged:
        """Replace items by all items of their groups.

        Args:
            items: B rows of item numbers.

        Returns:
            B rows, each item once.
        """
        is_known = (items.values >= 0) & (items.values < len(self.numbers))
        n_groups = max(len(self.starts) - 1, 1)
        keys = np.unique(items.rows[is_known] * n_groups + self.numbers[items.values[is_known]])
        rows, groups = np.divmod(keys, n_groups)
        counts = self.starts[groups + 1] - self.starts[groups]
        members = Ragged.from_lengths(np.zeros(0, np.int32), counts)
        positions = np.arange(int(counts.sum())) + np.repeat(
            self.starts[groups] - members.offsets[:-1], counts
        )
        lengths = np.bincount(rows, counts, len(items)).astype(np.int64)
        return Ragged.from_lengths(self.order[positions].astype(np.int32), lengths)
