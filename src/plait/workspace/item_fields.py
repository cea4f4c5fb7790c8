"""The fields of items and users as JSON values: those that a caller asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plait.data.catalogue import Catalogue, FieldType
from plait.errors import InputError
from plait.utils.timestamps import iso

__all__ = ["ALL_FIELDS", "check_field_names", "readable_fields", "selected_fields"]

ALL_FIELDS = "*"
"""Stands for all fields of an item."""


def readable_fields(catalogue: Catalogue, number: int) -> dict[str, Any]:
    """Return the fields of an entry as JSON values.

    Args:
        catalogue: The items or users.
        number: The number of the entry.

    Returns:
        The fields by name, as `put` accepts them.
    """
    types = catalogue.types()
    return {name: _readable(types[name], value) for name, value in catalogue.fields(number).items()}


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
    return {name: _readable(column.type, column.get(number)) for name, column in columns}


def _readable(field_type: FieldType, value: Any) -> Any:
    if value is None:
        return None
    if field_type == "time":
        return iso(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return list(value) if isinstance(value, tuple) else value
