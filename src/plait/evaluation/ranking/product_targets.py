"""Hits by product: a list has one item of each, and any variant of a target is a hit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.product_groups import ProductGroups
from plait.data.types import Dataset
from plait.errors import InputError, ProtocolError
from plait.ranking.item_variants import GROUP_FIELDS, product_groups
from plait.splitting.splits import Split

__all__ = ["check_group_by", "merge_variants"]


def check_group_by(dataset: Dataset, group_by: str) -> None:
    """Check that hits can be counted by product.

    Args:
        dataset: The data set.
        group_by: The name of an item field, "auto" for the one that names products, "" for none.

    Raises:
        ProtocolError: If there is no such field, or it cannot group items.
    """
    try:
        groups = product_groups(dataset.catalogue, group_by)
    except InputError as problem:
        raise ProtocolError(problem.message, hint=problem.hint, field="group_by") from problem
    if group_by and groups is None:
        raise ProtocolError(
            f"no field of items groups them by {group_by!r}",
            hint=f"expected a field {', '.join(GROUP_FIELDS)}, or --group-by FIELD",
            field="group_by",
        )


def merge_variants(split: Split, groups: ProductGroups | None) -> Split:
    """Keep one target of each product.

    Args:
        split: The split with U queries.
        groups: The products, None for none.

    Returns:
        The split with the first target of every product in each query.
    """
    if groups is None:
        return split
    rows, products = split.targets.rows, groups.of_items(split.targets.values)
    width = int(products.max(initial=0)) + 1
    _, first = np.unique(rows * width + products, return_index=True)
    is_first = np.zeros(len(rows), np.bool_)
    is_first[first] = True
    return replace(split, targets=split.targets.filter(is_first))
