"""Describes which items of a catalogue recommendations may show: for receipts and `info`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from plait.data.catalogue import Catalogue
from plait.ranking.availability import (
    AUTO,
    AvailabilityRule,
    availability_of,
    is_availability_name,
)
from plait.ranking.item_variants import group_field_of, is_group_name, product_groups

__all__ = ["SellableItems", "describe_sellable", "describes_sale"]


@dataclass(frozen=True, slots=True)
class SellableItems:
    """Which items may be shown, under the usual rules.

    Attributes:
        n_items: How many living ids there are.
        has_catalogue: Whether any item has been described.
        n_uncatalogued: How many ids of events no catalogue names: they are not shown.
        n_unavailable: How many items of the catalogue are not available now.
        availability: The fields that say so.
        group_field: The field that names an item's product, "" if there is none.
        n_products: How many products the items of the catalogue are.
    """

    n_items: int
    has_catalogue: bool
    n_uncatalogued: int
    n_unavailable: int
    availability: tuple[AvailabilityRule, ...]
    group_field: str
    n_products: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it.

        Returns:
            The attributes by name.
        """
        return {**asdict(self), "availability": [asdict(rule) for rule in self.availability]}


def describes_sale(name: str) -> bool:
    """Return whether `describe_sellable` looks at a field, by default.

    Args:
        name: The name of the field.
    """
    return name == AUTO or is_availability_name(name) or is_group_name(name)


def describe_sellable(catalogue: Catalogue, fields: Sequence[str] = (AUTO,)) -> SellableItems:
    """Describe which items of a catalogue may be shown.

    Args:
        catalogue: The items, as they are now.
        fields: The fields that say whether an item is available; "auto": those with known names.

    Returns:
        The description.
    """
    alive = catalogue.alive
    is_described = alive & catalogue.described
    has_catalogue = bool(is_described.any())
    shown = is_described if has_catalogue else alive
    now = time.time_ns() // 1000
    availability = availability_of(catalogue, fields)
    mask = availability.mask(np.array([now], np.int64))
    group_field = group_field_of(catalogue, AUTO)
    groups = product_groups(catalogue, group_field)
    products = np.arange(len(catalogue)) if groups is None else groups.numbers
    return SellableItems(
        n_items=int(np.count_nonzero(alive)),
        has_catalogue=has_catalogue,
        n_uncatalogued=int(np.count_nonzero(alive & ~shown)),
        n_unavailable=0 if mask is None else int(np.count_nonzero(shown & ~mask[0])),
        availability=tuple(availability.rules(catalogue, shown, now)),
        group_field=group_field,
        n_products=len(np.unique(products[shown])),
    )
