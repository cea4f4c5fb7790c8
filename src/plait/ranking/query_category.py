"""The category that a query is about: the one that its filter names, or that of its items."""

from __future__ import annotations

from collections.abc import Iterator

from plait.data.array_types import BoolArray, Int32Array
from plait.data.catalogue import Catalogue
from plait.ranking.filters.filter_expression import compile_filter
from plait.ranking.filters.parser import BooleanOp, Comparison, FieldReference, Literal, Node

__all__ = ["CATEGORY_FIELDS", "category_mask", "category_of_filter", "category_of_items"]

CATEGORY_FIELDS = (
    *("category", "categories", "genre", "genres", "product_type", "item_category", "department"),
    *("section", "topic", "kategorie", "type", "brand"),
)
"""Fields that say what kind of thing an item is, likeliest first."""

_TYPES = ("category", "set", "text")


def category_of_filter(catalogue: Catalogue, expression: str | None) -> tuple[str, str]:
    """Find the category that everything a filter lets pass has.

    Args:
        catalogue: The items.
        expression: The filter, None or empty for none.

    Returns:
        The field, of type category or set, and the value; ("", "") if the filter names none.
    """
    if not expression:
        return "", ""
    for term in _conjuncts(compile_filter(expression).tree):
        match term:
            case (
                Comparison("==", FieldReference(name), Literal(str(value)))
                | Comparison("==", Literal(str(value)), FieldReference(name))
                | Comparison("in", Literal(str(value)), FieldReference(name))
                | Comparison("in", FieldReference(name), Literal((str(value),)))
                | Comparison("contains", FieldReference(name), Literal(str(value)))
            ) if name in catalogue.columns and catalogue.columns[name].type in ("category", "set"):
                return name, value
            case _:
                continue
    return "", ""


def category_of_items(
    catalogue: Catalogue, numbers: Int32Array
) -> tuple[tuple[str, str], BoolArray | None]:
    """Find the category of the first item that has one, and the items in it.

    Args:
        catalogue: The items.
        numbers: Item numbers, int32.

    Returns:
        The field and the value, of a set its longest member; and bool [n], the items that have
        this value; ("", "") and None if no item has a category.
    """
    names = [
        name
        for name in CATEGORY_FIELDS
        if name in catalogue.columns and catalogue.columns[name].type in _TYPES
    ]
    for number in numbers.tolist():
        for name in names:
            value = catalogue.columns[name].values[number]
            if isinstance(value, tuple):
                value = max(value, key=len, default=None)
            if value:
                return (name, value), category_mask(catalogue, name, value)
    return ("", ""), None


def category_mask(catalogue: Catalogue, name: str, value: str) -> BoolArray:
    """Find the items of a category.

    Args:
        catalogue: The items.
        name: The field.
        value: Its value, or a member of the set.

    Returns:
        bool [n], read-only.
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return compile_filter(f'`{name}` == "{escaped}"').mask(catalogue)


def _conjuncts(node: Node) -> Iterator[Node]:
    """The terms that must all hold."""
    if isinstance(node, BooleanOp) and node.operator == "and":
        for operand in node.operands:
            yield from _conjuncts(operand)
    else:
        yield node
