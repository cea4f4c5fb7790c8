"""Variants of a product: items that share a value of a field such as `parent`.

An item without a value stands alone. A value may also be the id of an item, the parent itself,
which then belongs to the product too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array
from plait.data.candidates import CandidateLists
from plait.data.catalogue import Catalogue, Column
from plait.data.product_groups import ProductGroups
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.ranking.availability import AUTO, availability_of
from plait.schema.coercion import to_text
from plait.schema.inference import words_of

__all__ = [
    "GROUP_FIELDS",
    "VARIANT",
    "best_of_each_group",
    "further_products",
    "group_field_of",
    "is_group_name",
    "product_groups",
    "requested_groups",
    "shown_variants",
    "with_own_variants",
]

GROUP_FIELDS = ("parent", "parent_id", "item_group_id", "group_id", "variant_of")
"""The fields that "auto" looks for, in this order; case and separators do not count."""

VARIANT = "variant"
"""Why an item is left out whose product is shown by another one."""

_GROUPING_TYPES = ("category", "text", "number", "set")


_cache: WeakKeyDictionary[Catalogue, dict[str, ProductGroups | None]] = WeakKeyDictionary()


def product_groups(catalogue: Catalogue, group_by: str) -> ProductGroups | None:
    """Group the items of a catalogue.

    Args:
        catalogue: N items.
        group_by: The name of a field, "auto" for the first of `GROUP_FIELDS` that the catalogue
            has, "" for no groups.

    Returns:
        The groups, cached for the lifetime of this version of the catalogue; None without any.

    Raises:
        InputError: If the catalogue has fields, but none of this name, or one of another type.
    """
    if not group_by:
        return None
    cached = _cache.setdefault(catalogue, {})
    if group_by not in cached:
        field = group_field_of(catalogue, group_by)
        cached[group_by] = _grouped(catalogue, field) if field else None
    return cached[group_by]


def group_field_of(catalogue: Catalogue, group_by: str) -> str:
    """Find the field that groups items.

    Args:
        catalogue: The items.
        group_by: The name of a field, "auto" or "", as `product_groups` takes them.

    Returns:
        The name of the field, "" for none.

    Raises:
        InputError: If the catalogue has fields, but none of this name, or one of another type.
    """
    columns = catalogue.columns
    if group_by == AUTO and AUTO not in columns:
        names: dict[str, str] = {}
        for name, column in columns.items():
            if column.type in _GROUPING_TYPES and _has_values(column):
                names.setdefault(_key(name), name)
        return next((names[key] for key in map(_key, GROUP_FIELDS) if key in names), "")
    if not group_by or not columns:
        return ""
    catalogue.check_fields([group_by], "group_by")
    kind = columns[group_by].type
    if kind not in _GROUPING_TYPES:
        raise InputError(
            f"items cannot be grouped by {group_by!r}, a field of type {kind}",
            hint=f"expected a field of type {', '.join(_GROUPING_TYPES)}",
            field="group_by",
        )
    return group_by


def is_group_name(name: str) -> bool:
    """Return whether "auto" may take a field of this name.

    Args:
        name: The name of the field, in any case and with any separators.
    """
    return _key(name) in map(_key, GROUP_FIELDS)


def requested_groups(queries: QueryBatch, usual: str) -> ProductGroups | None:
    """Find the groups of which queries show one item.

    Args:
        queries: B queries.
        usual: The field that groups items unless the queries name another; if no item has it,
            there are no groups.

    Returns:
        The groups; None for no field, for the caller's own list, and for replayed queries that
        name none themselves.

    Raises:
        InputError: If the queries name a field that the catalogue lacks, or one of another type.
    """
    if queries.live is None or queries.candidates is not None:
        return None
    catalogue, group_by = queries.live.state.catalogue, queries.group_by
    if group_by is None:  # a field that no item has yet groups nothing
        is_usable = not queries.is_replayed and (usual == AUTO or usual in catalogue.columns)
        group_by = usual if is_usable else ""
    return product_groups(catalogue, group_by)


def with_own_variants(queries: QueryBatch) -> Ragged:
    """Add the other variants of the items that are asked about.

    Args:
        queries: B queries.

    Returns:
        `queries.items` with all items of their products and of `queries.groups`; without, if the
        queries ask for no groups.
    """
    anchors = queries.items
    if queries.live is None or queries.group_by == "":
        return anchors
    for groups in (product_groups(queries.live.state.catalogue, AUTO), queries.groups):
        if groups is not None:
            anchors = groups.with_variants(anchors)
    return anchors


def shown_variants(
    queries: QueryBatch, items: CandidateLists, score: Float32Array, ties: npt.NDArray[Any]
) -> BoolArray:
    """Choose the candidates that are shown: the best of each of `queries.groups`, and all pins.

    Of several variants those that are pinned go first, then those in stock, then the best score.

    Args:
        queries: B queries with groups.
        items: Their candidates.
        score: float32 [B, K], larger is better.
        ties: [B, K], which of equal candidates goes first.

    Returns:
        bool [B, K].
    """
    assert queries.groups is not None
    numbers, present = items.item_numbers, items.present
    precedence = np.zeros(numbers.shape, np.int8)
    if queries.live is not None and not queries.is_replayed:
        in_stock = availability_of(queries.live.state.catalogue).mask(queries.times)
        if in_stock is not None:
            rows = 0 if len(in_stock) == 1 else np.arange(len(numbers))[:, None]
            precedence -= ~in_stock[rows, np.where(present, numbers, 0)]
    is_pinned = present & (items.columns.get("pinned", np.full(numbers.shape, ABSENT)) >= 0)
    precedence[is_pinned] = 1
    groups = queries.groups.of_items(numbers)
    return best_of_each_group(groups, (precedence, score), present, ties) | is_pinned


def best_of_each_group(
    groups: Int32Array, merits: Sequence[npt.NDArray[Any]], present: BoolArray, ties: Any
) -> BoolArray:
    """Choose one candidate of each group: the one that ranks best.

    Args:
        groups: int32 [B, K], the groups of the candidates.
        merits: [B, K] each, larger is better; the first one decides, then the next.
        present: bool [B, K], the candidates to choose from.
        ties: [B, K], which of equal candidates goes first.

    Returns:
        bool [B, K].
    """
    rows, columns = np.nonzero(present)
    descending = [-merit[rows, columns] for merit in reversed(merits)]
    order = np.lexsort((ties[rows, columns], *descending, groups[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    own_groups = groups[rows, columns]
    is_first = np.ones(len(rows), np.bool_)
    is_first[1:] = (rows[1:] != rows[:-1]) | (own_groups[1:] != own_groups[:-1])
    chosen = np.zeros(present.shape, np.bool_)
    chosen[rows[is_first], columns[is_first]] = True
    return chosen


def further_products(
    groups: ProductGroups,
    item_numbers: Int32Array,
    shown: Int32Array,
    merit: npt.NDArray[Any],
    ties: npt.NDArray[Any],
) -> Int32Array:
    """Choose one item of each group of which none is shown yet.

    Args:
        groups: The groups.
        item_numbers: int32 [K], the items to choose from.
        shown: int32, the items that are shown; -1 pads.
        merit: [K], larger is better; NaN is worst.
        ties: [K], which of equal items goes first.

    Returns:
        int32, the best item of each further group, in the order of `item_numbers`.
    """
    own_groups = groups.of_items(item_numbers)[None, :]
    is_further = ~np.isin(own_groups, groups.of_items(shown[shown >= 0]))
    merits = (np.where(np.isnan(merit), -np.inf, merit)[None, :],)
    chosen = best_of_each_group(own_groups, merits, is_further, ties[None, :])[0]
    further: Int32Array = item_numbers[chosen]
    return further


def _key(name: str) -> str:
    """A name without case and separators."""
    return "".join(words_of(name))


def _has_values(column: Column) -> bool:
    if column.type == "number":
        return bool(np.isfinite(column.values).any())
    return any(value is not None for value in column.values)


def _grouped(catalogue: Catalogue, field: str) -> ProductGroups:
    """Items are joined where they have the same value, and with the item whose id the value is."""
    labels, values = _labels(catalogue.columns[field])
    items = np.array([catalogue.index.get(value, ABSENT) for value in values], np.int64)
    variants = np.flatnonzero((items >= 0) & (items < len(labels)))
    if len(variants):
        from scipy.sparse import coo_array  # slow to import, and few catalogues need it
        from scipy.sparse.csgraph import connected_components

        parents = labels[items[variants]]
        size = int(labels.max()) + 1
        edges = coo_array((np.ones(len(variants)), (variants, parents)), shape=(size, size))
        labels = connected_components(edges, directed=False)[1].astype(np.int32)[labels]
    are_products = _key(field) in map(_key, GROUP_FIELDS)
    return ProductGroups.of(labels, are_products=are_products)


@lru_cache(maxsize=4)  # most changes of a catalogue leave the column as it is
def _labels(column: Column) -> tuple[Int32Array, list[Any]]:
    """A label for each item, int32 [N], dense from 0, and the values of the first labels.

    Items with equal values share a label; those without a value have one of their own.
    """
    if column.type in ("category", "text"):
        encoded = column.encoded
        is_used = np.bincount(encoded.codes, minlength=len(encoded.vocabulary.codes)) > 0
        values = list(encoded.vocabulary.codes)
        values = [values[code] for code in np.flatnonzero(is_used)]
        labels = np.full(len(column.values), ABSENT, np.int32)
        labels[encoded.rows] = (np.cumsum(is_used) - 1)[encoded.codes]
    else:
        codes: dict[Any, int] = {}
        keys = map(_group_key, column.values.tolist())
        labels = np.array(
            [codes.setdefault(key, len(codes)) if key else ABSENT for key in keys], np.int32
        )
        values = list(codes)
    is_missing = labels == ABSENT
    labels[is_missing] = len(values) + np.arange(np.count_nonzero(is_missing))
    return labels, values


def _group_key(value: Any) -> Any:
    """What equal values of a number or set have in common: a text where that may be an id."""
    if isinstance(value, float):
        return to_text(value) if math.isfinite(value) else None
    return value[0] if value and len(value) == 1 else value
