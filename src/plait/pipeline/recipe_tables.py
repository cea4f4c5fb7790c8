"""Tables and lists of a recipe file: checked, and merged where one recipe extends another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.errors import RecipeError

__all__ = ["merged", "names_of", "table_of"]


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two recipes; tables are merged key by key.

    Args:
        base: The recipe that is extended.
        own: What differs.

    Returns:
        `base` with the values of `own`.
    """
    result = dict(base)
    for key, new in own.items():
        old = result.get(key)
        both_are_tables = isinstance(new, Mapping) and isinstance(old, Mapping)
        result[key] = merged(dict(old or {}), new) if both_are_tables else new
    return result


def table_of(value: Any, where: str) -> Mapping[str, Any]:
    """Check that a value is a table.

    Args:
        value: The value.
        where: Its name in messages.

    Raises:
        RecipeError: If it is none.
    """
    if not isinstance(value, Mapping):
        raise RecipeError(f"{where} is {value!r}, expected a table", field=where)
    return value


def names_of(value: Any, where: str) -> tuple[str, ...]:
    """Check that a value is a list of names.

    Args:
        value: The value.
        where: Its name in messages.

    Raises:
        RecipeError: If it is none.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise RecipeError(f"{where} is {value!r}, expected a list of names", field=where)
    return tuple(value)
