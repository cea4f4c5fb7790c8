"""Finds what null for an object clears: its parts are fields of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["cleared_parts"]


def cleared_parts(fields: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return the fields that null for an object clears: null for `name` clears `name.de`.

    Args:
        fields: The fields of a change, null where one is cleared.
        names: The names of the fields that the item (or user) has.

    Returns:
        Those that are parts of an object that is null, and not named by the change.
    """
    prefixes = tuple(f"{name}." for name, value in fields.items() if value is None)
    if not prefixes:
        return []
    return [name for name in names if name.startswith(prefixes) and name not in fields]
