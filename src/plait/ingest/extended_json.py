"""Reads MongoDB's Extended JSON, in which an object of one key stands for a typed value."""

from __future__ import annotations

import math
from typing import Any

from plait.ingest.plain_values import MAX_LEVELS

__all__ = ["MARK", "plain_extended"]

MARK = b'"$'
"""What a text of Extended JSON holds; other texts need no look."""

_TEXTS = ("$oid", "$date", "$uuid", "$symbol")
_NUMBERS = ("$numberInt", "$numberLong", "$numberDouble", "$numberDecimal")


def plain_extended(value: Any, levels: int = MAX_LEVELS) -> Any:
    """Replace typed values by plain ones: `{"$oid": "507f"}` by `"507f"`.

    Args:
        value: A value of JSON.
        levels: How many levels of lists and objects are looked at.

    Returns:
        The value with plain ids, times and numbers; an unknown type stays an object.
    """
    if not levels:
        return value
    if isinstance(value, list):
        return [plain_extended(member, levels - 1) for member in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name in _TEXTS:
            return plain_extended(inner, levels - 1)
        if name in _NUMBERS and isinstance(inner, str):
            return _number(inner)
    return {name: plain_extended(member, levels - 1) for name, member in value.items()}


def _number(text: str) -> Any:
    """The number of a text, None if it is not finite; the text itself if it is no number."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else None
