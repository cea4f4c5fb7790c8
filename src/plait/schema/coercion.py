"""Converts outside values to the canonical JSON value of a field type.

Every conversion raises ValueError with a description of what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from plait.data.catalogue import FieldType
from plait.schema.missing_words import BLANKS, MISSING_WORDS
from plait.utils.number_texts import unambiguous_number
from plait.utils.timestamps import in_range, micros_of_number, parse_time

__all__ = [
    "COERCE",
    "LATITUDE",
    "LONGITUDE",
    "MAX_EXACT",
    "get_first",
    "split_addresses",
    "to_text",
]

MAX_EXACT = 2**53
"""Up to this, a float64 represents every integer exactly."""

_BEFORE_ADDRESS = re.compile(r"[\s,;|]+(?=https?://)")

LATITUDE, LONGITUDE = ("lat", "latitude"), ("lon", "lng", "longitude")
"""The names under which a mapping may contain the degrees of a place."""


def to_text(value: Any) -> str | None:
    """Convert a value to text: strings stay, numbers and truth values become their text.

    Args:
        value: The value, not None.

    Returns:
        The text, None if it is empty.

    Raises:
        ValueError: If the value has no text.
    """
    kind = type(value)
    if kind is str:
        return value or None
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < MAX_EXACT else repr(value)
    raise ValueError("text")


def _to_long_text(value: Any) -> str | None:
    """Text; a list of strings is read as paragraphs."""
    if type(value) is list:
        return "\n".join(filter(None, map(to_text, value))) or None
    return to_text(value)


def _to_number(value: Any) -> float | None:
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is str:
        value = _parse_number(value)
        if value is None:
            return None
    elif kind is not float:
        raise ValueError("a number")
    if not math.isfinite(value):
        raise ValueError("a finite number")
    is_whole = value.is_integer() and abs(value) < MAX_EXACT
    return int(value) if is_whole else float(value)


def _parse_number(text: str) -> float | None:
    """The number of a text; None for a word that means missing."""
    number = None
    try:
        if "_" not in text:
            number = float(text)
    except ValueError:
        pass
    if number is not None and math.isfinite(number):  # the usual case first: words are rare
        return number
    if text.strip(BLANKS) in MISSING_WORDS:
        return None
    number = unambiguous_number(text) if number is None else number
    if number is None:
        raise ValueError("a number")
    return number


def _to_time(value: Any) -> int | None:
    if type(value) is str and value.strip(BLANKS) in MISSING_WORDS:
        return None
    try:
        if type(value) is str:
            return parse_time(value)
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            return in_range(micros_of_number(value))
    except (ValueError, OverflowError):
        pass
    raise ValueError("a time: ISO 8601 or a unix number")


def _to_set(value: Any) -> list[str] | None:
    """Scalars of a list, or words joined by "|"; each once, in their order."""
    try:
        if type(value) is str:
            members: list[str | None] = [word.strip() for word in value.split("|")]
        elif type(value) is list:
            members = [None if member is None else to_text(member) for member in value]
        else:
            members = [to_text(value)]
    except ValueError as problem:
        raise ValueError('a list of strings, or words joined by "|"') from problem
    return [member for member in dict.fromkeys(members) if member] or None


def _to_place(value: Any) -> list[float] | None:
    if isinstance(value, str):
        if not value.strip():
            return None
        value = value.split(",")
    if isinstance(value, Mapping):
        value = [get_first(value, *LATITUDE), get_first(value, *LONGITUDE)]
    try:
        if not isinstance(value, list) or any(isinstance(degrees, bool) for degrees in value):
            raise TypeError(value)
        latitude, longitude = map(float, value)
        if -90 <= latitude <= 90 and -180 <= longitude <= 180:
            return [latitude, longitude]
    except (TypeError, ValueError):
        pass
    raise ValueError("a place: {lat, lon} or [lat, lon] in degrees")


def get_first(mapping: Mapping[str, Any], *names: str) -> Any:
    """Return the value under the first name that a mapping has.

    Args:
        mapping: Such as {"lat": 51.5, "lng": -0.1}.
        names: The names to try, such as `LONGITUDE`.

    Returns:
        The value, None if there is none.
    """
    return next((mapping[name] for name in names if name in mapping), None)


def split_addresses(text: str) -> list[str]:
    """Split addresses that are joined by commas, semicolons, bars or blanks.

    Args:
        text: An address or path, or several addresses.

    Returns:
        The addresses.
    """
    return _BEFORE_ADDRESS.split(text) if "://" in text[8:] else [text]


def _to_media(value: Any) -> str | None:
    """An address or path; several of them are one a line."""
    texts = value if type(value) is list else [value]
    if not all(type(text) is str for text in texts if text is not None):
        raise ValueError("the address or path of a picture, sound or film, or a list of them")
    addresses = (address for text in texts if text for address in split_addresses(text))
    stripped = (address.strip() for address in addresses)
    return "\n".join(dict.fromkeys(filter(None, stripped))) or None


COERCE: Mapping[FieldType, Callable[[Any], Any]] = {
    "text": _to_long_text,
    "category": to_text,
    "set": _to_set,
    "number": _to_number,
    "time": _to_time,
    "place": _to_place,
    "media": _to_media,
}
"""The conversion by field type: of a value that is not None; it returns None for an empty one."""
