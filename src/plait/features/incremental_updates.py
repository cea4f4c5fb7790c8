"""Features of items that changed after a fit.

Fields are compared by hash, so that a change of a field that a stage does not read (a price, a
stock) encodes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from plait.data.array_types import BoolArray, Int32Array, UInt64Array
from plait.data.catalogue import Catalogue
from plait.data.query_batch import QueryBatch
from plait.features.shared_work import shared

__all__ = ["ItemUpdates", "OutdatedItems", "field_hashes", "overlay_items", "updates_in"]

ValuesT = TypeVar("ValuesT")
"""What a stage derives for items: an array with a row an item, or an object that holds some."""


def field_hashes(
    catalogue: Catalogue, fields: Sequence[str], item_numbers: Iterable[int]
) -> UInt64Array:
    """Hash the named fields of items.

    Args:
        catalogue: the items.
        fields: names of fields of the catalogue, in any order.
        item_numbers: the N items to hash.

    Returns:
        uint64 [N], the first 8 bytes of BLAKE2b over the fields with a value; 0 for an item
        without any.
    """
    names = tuple(sorted(fields))
    columns = [(name, catalogue.columns[name]) for name in names]
    purpose = "field hashes", id(catalogue), names
    hashes = shared(purpose, list(item_numbers), lambda number: _field_hash(columns, number))
    return np.array(hashes, np.uint64)


def _field_hash(columns: Sequence[tuple[str, Any]], number: int) -> int:
    """The hash of one item."""
    values = [(name, column.get(number)) for name, column in columns]
    values = [(name, value) for name, value in values if value]
    if not values:
        return 0
    return int.from_bytes(hashlib.blake2b(repr(values).encode(), digest_size=8).digest(), "little")


class OutdatedItems(NamedTuple):
    """Items that a stage has to derive again.

    Attributes:
        item_numbers: int32 [M], ascending.
        hashes: uint64 [M], the `field_hashes` that they have now.
    """

    item_numbers: Int32Array
    hashes: UInt64Array


@dataclass(frozen=True, slots=True, eq=False)
class ItemUpdates(Generic[ValuesT]):
    """What a stage derived for the items that changed after its fit.

    Attributes:
        item_numbers: int32 [N], the items, in the order of the entries of `values`.
        version: the log offset up to which changes are covered.
        values: what the stage derived for them.
        hashes: uint64 [N], the `field_hashes` that the items had then; [0] if the stage compares
            none.
    """

    item_numbers: Int32Array
    version: int
    values: ValuesT
    hashes: UInt64Array = field(default_factory=lambda: np.zeros(0, np.uint64))

    @staticmethod
    def empty(version: int, values: ValuesT) -> ItemUpdates[ValuesT]:
        """Make the updates of a stage before any change.

        Args:
            version: the log offset of the fit.
            values: the values of no item.

        Returns:
            Updates of no item.
        """
        return ItemUpdates(np.zeros(0, np.int32), version, values)

    def changed_items(self, catalogue: Catalogue) -> Int32Array:
        """List the items that changed after `version`.

        Args:
            catalogue: the items as they are now.

        Returns:
            int32 [M], ascending item numbers.
        """
        return np.flatnonzero(catalogue.changed > self.version).astype(np.int32)

    def changed_outside(self, catalogue: Catalogue, fitted: BoolArray) -> Int32Array:
        """List the items that changed after `version` and that the fit did not cover.

        Args:
            catalogue: the items as they are now.
            fitted: bool [n], by item number: the items that need no update.

        Returns:
            int32 [M], ascending item numbers.
        """
        changed = self.changed_items(catalogue)
        outside: Int32Array = changed[~np.append(fitted, False)[np.minimum(changed, len(fitted))]]
        return outside

    def outdated_items(
        self, catalogue: Catalogue, fields: Sequence[str], fitted_hashes: UInt64Array
    ) -> OutdatedItems:
        """List the changed items whose fields are not those that the stage last derived them from.

        Args:
            catalogue: the items as they are now.
            fields: the fields that the stage reads.
            fitted_hashes: uint64 [n], `field_hashes` of all items at the fit.

        Returns:
            The items.
        """
        changed = self.changed_items(catalogue)
        before = np.append(fitted_hashes, np.uint64(0))[np.minimum(changed, len(fitted_hashes))]
        is_derived, derived_hashes = self._derived(changed)
        before = np.where(is_derived, derived_hashes, before)
        now = field_hashes(catalogue, fields, changed.tolist())
        return OutdatedItems(changed[now != before], now[now != before])

    def outdated_outside(
        self, catalogue: Catalogue, fields: Sequence[str], fitted: BoolArray
    ) -> OutdatedItems:
        """List the changed items that the fit did not cover, without those already derived as is.

        Args:
            catalogue: the items as they are now.
            fields: the fields that the stage reads.
            fitted: bool [n], by item number: the items that need no update.

        Returns:
            The items.
        """
        changed = self.changed_outside(catalogue, fitted)
        is_derived, derived_hashes = self._derived(changed)
        now = field_hashes(catalogue, fields, changed.tolist())
        is_outdated = ~is_derived | (now != derived_hashes)
        return OutdatedItems(changed[is_outdated], now[is_outdated])

    def _derived(self, numbers: Int32Array) -> tuple[BoolArray, UInt64Array]:
        """Which items have an entry with a hash, bool [M], and the hashes, uint64 [M]."""
        if not len(self.hashes):
            return np.zeros(len(numbers), np.bool_), np.zeros(len(numbers), np.uint64)
        order = np.argsort(self.item_numbers)
        positions = np.searchsorted(self.item_numbers, numbers, sorter=order)
        positions = order[np.minimum(positions, len(order) - 1)]
        return self.item_numbers[positions] == numbers, self.hashes[positions]

    def retained(self, item_numbers: Int32Array) -> BoolArray:
        """Mark the entries that stay when some items are derived again.

        Args:
            item_numbers: int32 [M], the items that are derived again.

        Returns:
            bool [N].
        """
        return ~np.isin(self.item_numbers, item_numbers)

    def extended(
        self,
        catalogue: Catalogue,
        item_numbers: Int32Array,
        values: ValuesT,
        hashes: UInt64Array | None = None,
    ) -> ItemUpdates[ValuesT]:
        """Replace the entries of some items, or add them.

        Args:
            catalogue: the items as they are now.
            item_numbers: int32 [M], the items that were derived again.
            values: the retained values (see `retained`), followed by those of `item_numbers`.
            hashes: uint64 [M], those of `OutdatedItems`, of a stage that compares them.

        Returns:
            The updates up to the last change in the catalogue.
        """
        retained = self.retained(item_numbers)
        numbers = np.concatenate([self.item_numbers[retained], item_numbers])
        version = max(self.version, int(catalogue.changed.max(initial=-1)))
        if hashes is None:
            return ItemUpdates(numbers, version, values)
        return ItemUpdates(numbers, version, values, np.append(self.hashes[retained], hashes))


def updates_in(queries: QueryBatch, stage_name: str) -> ItemUpdates[Any] | None:
    """Look up the item updates of a stage in the state that a batch of queries holds.

    Args:
        queries: the queries.
        stage_name: the name of the stage in its recipe.

    Returns:
        The updates, or None if no item was updated.
    """
    updates = None if queries.live is None else queries.live.deltas.get(stage_name)
    return updates if isinstance(updates, ItemUpdates) and len(updates.item_numbers) else None


def overlay_items(
    fitted: npt.NDArray[Any], item_numbers: Int32Array, values: npt.NDArray[Any], axis: int = 0
) -> npt.NDArray[Any]:
    """Write the values of updated items over those of the fit.

    Args:
        fitted: an array of floats with n items along `axis`.
        item_numbers: int32 [N], the updated items, at least one; they may lie beyond n.
        values: the same kind of array with N items along `axis`.
        axis: the axis of the items.

    Returns:
        A copy of `fitted`, with NaN for items that neither array holds.
    """
    shape = list(fitted.shape)
    shape[axis] = max(shape[axis], int(item_numbers.max()) + 1)
    combined = np.moveaxis(np.full(shape, np.nan, fitted.dtype), axis, 0)
    combined[: fitted.shape[axis]] = np.moveaxis(fitted, axis, 0)
    combined[item_numbers] = np.moveaxis(values, axis, 0)
    return np.moveaxis(combined, 0, axis)
