"""One outside value to the canonical JSON value of a field type, or a ValueError that says why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from plait.data.catalogue import FieldType
from plait.schema.event_rules import CONTROL_CHARACTERS as CONTROL
from plait.schema.event_rules import MAX_ID_LENGTH as MAX_ID
from plait.schema.event_rules import id_problem
from plait.utils.timestamps import in_range, micros_of_number, parse_time

__all__ = [
    "COERCE",
    "CONTROL",
    "MAX_EXACT",
    "MAX_ID",
    "id_problem",
    "place_part",
    "to_text",
]

MAX_EXACT = 2**53
"""Beyond this a float no longer tells neighbouring integers apart."""


def to_text(value: Any) -> str | None:
    """Text, category: strings as they are, numbers and truth values as their text."""
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
    """Text; a list of strings is read as its paragraphs."""
    if type(value) is list:
        return "\n".join(one for part in value if (one := to_text(part))) or None
    return to_text(value)


def _to_number(value: Any) -> float | None:
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is str:
        if not value.strip():
            return None
        value = _parse_number(value)
    elif kind is not float:
        raise ValueError("a number")
    if not math.isfinite(value):
        raise ValueError("a finite number")
    whole = value.is_integer() and abs(value) < MAX_EXACT
    return int(value) if whole else float(value)


def _parse_number(text: str) -> float:
    try:
        if "_" not in text:
            return float(text)
    except ValueError:
        pass
    raise ValueError("a number")


def _to_time(value: Any) -> int | None:
    expected = "a time: ISO 8601 or a unix number"
    kind = type(value)
    if kind is str and not value.strip():
        return None
    try:
        if kind is str:
            return parse_time(value)
        if kind is int or (kind is float and math.isfinite(value)):
            return in_range(micros_of_number(value))
    except (ValueError, OverflowError) as problem:
        raise ValueError(expected) from problem
    raise ValueError(expected)


def _to_set(value: Any) -> list[str] | None:
    """A list of scalars, or words joined by "|"; each once, in their order."""
    try:
        if type(value) is str:
            parts: list[str | None] = [one.strip() for one in value.split("|")]
        elif type(value) is list:
            parts = [None if one is None else to_text(one) for one in value]
        else:
            parts = [to_text(value)]
    except ValueError as problem:
        raise ValueError('a list of strings, or words joined by "|"') from problem
    return [one for one in dict.fromkeys(parts) if one] or None


def _to_place(value: Any) -> list[float] | None:
    expected = "a place: {lat, lon} or [lat, lon] in degrees"
    if isinstance(value, str):
        if not value.strip():
            return None
        value = value.split(",")
    if isinstance(value, Mapping):
        value = [place_part(value, "lat", "latitude"), place_part(value, "lon", "lng", "longitude")]
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(expected)
    try:
        north, east = (_degrees(one) for one in value)
    except (TypeError, ValueError) as problem:
        raise ValueError(expected) from problem
    if not (-90 <= north <= 90 and -180 <= east <= 180):
        raise ValueError(expected)
    return [north, east]


def _degrees(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)


def place_part(value: Mapping[str, Any], *names: str) -> Any:
    """The part of a {lat, lon} object that goes by one of `names`, None if there is none."""
    return next((value[name] for name in names if name in value), None)


def _to_media(value: Any) -> str | None:
    if type(value) is not str:
        raise ValueError("the address or path of a picture, sound or film")
    return value.strip() or None


COERCE: Mapping[FieldType, Callable[[Any], Any]] = {
    "text": _to_long_text,
    "category": to_text,
    "set": _to_set,
    "number": _to_number,
    "time": _to_time,
    "place": _to_place,
    "media": _to_media,
}
"""By field type: an outside value (never None) to the canonical one, None if it is empty."""
