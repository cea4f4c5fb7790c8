"""Converts stored values of a field to its new type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.data.catalogue import FieldType
from plait.schema.coercion import COERCE

__all__ = ["as_type", "is_stored_as", "retyped"]

_STORED: Mapping[str, tuple[type, ...]] = {
    "number": (int, float),
    "time": (int,),
    "set": (list,),
    "place": (list,),
}
"""The types of canonical values in JSON; that of all other field types is `str`."""

_NUMERIC = ("number", "time")


def is_stored_as(value: Any, dtype: str) -> bool:
    """Return whether a stored value has the form of a type.

    Args:
        value: A canonical value, not None.
        dtype: The type of its field.
    """
    return type(value) in _STORED.get(dtype, (str,))


def as_type(value: Any, dtype: FieldType) -> Any:
    """Convert a value that was stored under another type.

    Args:
        value: A canonical value of any type, not None.
        dtype: The type that its field has now.

    Returns:
        The canonical value; None if it has none.
    """
    try:
        return _converted(value, dtype)
    except ValueError:
        return None


def retyped(value: Any, stored: FieldType, dtype: FieldType) -> Any:
    """Convert a value from one type to another.

    Args:
        value: A canonical value, not None.
        stored: The type that its field had.
        dtype: The type that it is to have.

    Returns:
        The canonical value.

    Raises:
        ValueError: If it cannot be converted: what was expected.
    """
    if stored in _NUMERIC and dtype in _NUMERIC and stored != dtype:
        raise ValueError("text: a number and a time are stored alike")
    if stored == "time":
        raise ValueError("text, not a time")
    if "place" in (stored, dtype) and stored != dtype:
        raise ValueError("text or numbers, no place")
    return _converted(value, dtype)


def _converted(value: Any, dtype: FieldType) -> Any:
    if isinstance(value, list) and dtype not in ("set", "place"):
        if len(value) != 1:
            raise ValueError("a single value")
        value = value[0]
    return COERCE[dtype](value)
