"""Converts objects of Python, numpy and pandas to JSON values and times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np

__all__ = ["MAX_LEVELS", "is_unicode", "plain_value", "with_escapes"]

MAX_LEVELS = 64
"""How many levels of lists and objects a value may have."""

_CONTAINERS = (list, tuple, set, frozenset, Mapping)
_PLAIN = frozenset({str, int, bool, type(None), date})
_SECONDS = timedelta(seconds=1)
_control_character = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]").search


def plain_value(value: Any) -> Any:
    """Convert a value to text, a number, a truth value, a date, a datetime, a list or a dict.

    What numpy and pandas call missing is None, and so is NaN. A Decimal is a number, a duration its
    seconds, a period its start, a UUID, a path, a clock time and an interval their texts, an
    enumeration its value, bytes the text that they hold. Sets become sorted lists.

    Args:
        value: Any object.

    Returns:
        The plain value; an object of an unknown type, and bytes that are no text, as they are.
    """
    return _plain(value, MAX_LEVELS)


def is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogates, which only Python strings can hold.

    Args:
        text: Any text.
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def with_escapes(text: str) -> str:
    """Write lone surrogates of a text as their escapes, so that it can be stored and printed.

    Args:
        text: Any text.

    Returns:
        The text; most are as they were.
    """
    return text.encode(errors="backslashreplace").decode()


def _plain(value: Any, depth: int) -> Any:
    cls = type(value)
    if cls in _PLAIN:
        return value
    if cls is float:
        return None if value != value else value
    if isinstance(value, _CONTAINERS):
        return _plain_container(value, depth - 1) if depth else value
    if isinstance(value, np.ndarray | np.generic):
        return _plain(_numpy_value(value), depth)
    return _plain_scalar(value, depth)


def _plain_container(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {
            name if type(name) is str else str(name): _plain(inner, depth)
            for name, inner in value.items()
        }
    members = sorted(value, key=str) if isinstance(value, set | frozenset) else value
    return [_plain(member, depth) for member in members]


def _numpy_value(value: Any) -> Any:
    """An array as a list, a scalar of numpy as one of Python; times to the microsecond."""
    if value.dtype.kind in "mM" and np.datetime_data(value.dtype)[0] in ("ns", "ps", "fs", "as"):
        value = value.astype(f"{value.dtype.kind}8[us]")
    if isinstance(value, np.str_ | np.bytes_):
        return value.item()
    if isinstance(value, np.floating) and value.dtype.itemsize != 8:
        return float(str(value))  # 2.1, not its neighbour of 64 bits
    return value.tolist()


def _plain_scalar(value: Any, depth: int) -> Any:
    for types, convert in _CONVERSIONS:
        if isinstance(value, types):
            return convert(value)
    name = type(value).__name__
    if name == "NAType":  # of pandas, as are the next two
        return None
    if name == "Interval":
        return str(value)
    if name == "Period" and hasattr(value, "start_time"):
        return _datetime_of(value.start_time)
    if isinstance(value, Enum):
        return _plain(value.value, depth - 1) if depth else value
    to_list = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return value if to_list is None or not depth else _plain(to_list(), depth - 1)


def _datetime_of(value: datetime) -> datetime | None:
    if type(value).__name__ == "NaTType":  # a datetime, too
        return None
    plain: datetime = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    return plain


def _number_of(value: Decimal) -> int | float | None:
    if value.is_nan():
        return None
    if value.is_finite() and value == value.to_integral_value() and value.adjusted() < 1000:
        return int(value)
    return float(value)


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() else number


def _text_of(data: bytes, value: Any) -> Any:
    """Bytes as the UTF-8 text that they are, without control characters; else as they are."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return value
    return value if _control_character(text) else text


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Decimal, _number_of),
    (datetime, _datetime_of),
    (timedelta, lambda value: _whole(value / _SECONDS)),
    (time, time.isoformat),
    (UUID | PurePath, str),
    (bytes | bytearray | memoryview, lambda value: _text_of(bytes(value), value)),
    (str, lambda value: str(getattr(value, "value", value))),  # a StrEnum has a value
    (int, int),
    (float, lambda value: _plain(float(value), 0)),
)
"""What becomes of subclasses and of types that JSON lacks; the first that fits."""
