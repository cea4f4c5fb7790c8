"""Selects the item fields that a caller requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plait.data.catalogue import Catalogue
from plait.errors import InputError
from plait.workspace.field_serialization import readable_fields, readable_value

__all__ = ["ALL_FIELDS", "check_field_names", "selected_fields"]

ALL_FIELDS = "*"
"""Stands for all fields of an item."""


def check_field_names(names: Sequence[str], catalogue: Catalogue) -> None:
    """Check that items have the fields that a query asks for.

    Args:
        names: Field names, or "*".
        catalogue: The items.

    Raises:
        InputError: If no item has such a field.
    """
    for name in names:
        if name != ALL_FIELDS and name not in catalogue.columns:
            known = ", ".join(sorted(catalogue.columns)) or "none yet"
            raise InputError(
                f"no item has a field {name!r}",
                hint=f'fields of items: {known}; "*" stands for all',
                field="fields",
            )


def selected_fields(names: Sequence[str], catalogue: Catalogue, number: int) -> dict[str, Any]:
    """Return some fields of an item as JSON values.

    Args:
        names: Field names, or "*".
        catalogue: The items.
        number: The number of the item.

    Returns:
        The fields by name: with "*" those that the item has, else None for each that it lacks.
    """
    if ALL_FIELDS in names:
        return readable_fields(catalogue, number)
    columns = ((name, catalogue.columns[name]) for name in names)
    return {name: readable_value(column.type, column.get(number)) for name, column in columns}
