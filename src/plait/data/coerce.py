"""One outside value to the canonical JSON value of a field type, or a ValueError that says why."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from plait.core.catalogue import FieldType

__all__ = [
    "COERCE",
    "CONTROL",
    "DAY",
    "EARLIEST",
    "MAX_EXACT",
    "MAX_ID",
    "believable",
    "id_problem",
    "micros",
    "parse_time",
    "place_part",
    "to_text",
]

MAX_EXACT = 2**53
"""Beyond this a float no longer tells neighbouring integers apart."""

MAX_ID = 512
"""The longest outside id in characters."""

CONTROL = r"[\x00-\x1f\x7f-\x9f]"
"""What no id may hold: it would split lines of files and logs."""

DAY = 86_400_000_000
"""A day in microseconds."""

EARLIEST = -2_208_988_800_000_000
"""1900-01-01, the first moment at which something is believed to have happened."""

_control = re.compile(CONTROL).search

_SECONDS, _MILLIS, _MICROS = 10**11, 10**14, 10**17
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_NUMERIC = frozenset("0123456789+-.eE")


def id_problem(outside: str) -> str:
    """What was expected of an outside id, "" if it can be one; files and requests alike."""
    plain = outside.isprintable() or not _control(outside)  # the first is quick, and often enough
    if plain and 0 < len(outside) <= MAX_ID and not outside.isspace():
        return ""
    return f"an id of 1 to {MAX_ID} characters, none of them a control character"


def believable(time: int, now: int) -> bool:
    """Whether something can have happened then: from 1900 to a day from `now`, microseconds."""
    return EARLIEST <= time <= now + DAY


def micros(number: float) -> int:
    """Unix seconds, milliseconds, microseconds or nanoseconds, told apart by size, as microseconds.

    Below 1e11 a number counts seconds (up to the year 5138), below 1e14 milliseconds, below 1e17
    microseconds, else nanoseconds.
    """
    size = abs(number)
    if size < _SECONDS:
        return round(number * _SECOND)
    if size < _MILLIS:
        return round(number * 1000)
    return round(number) if size < _MICROS else int(number // 1000)


def parse_time(text: str) -> int:
    """A date or time as microseconds since 1970 UTC; without a zone it is UTC.

    Understands ISO 8601, a bare year, a unix number and 01-Jan-1995. Raises ValueError.
    """
    text = text.strip()
    if len(text) == 4 and text.isdigit():
        text += "-01-01"
    elif set(text) <= _NUMERIC and text.lstrip("+-").replace(".", "", 1).isdigit():
        return _in_range(micros(float(text)))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.strptime(text, "%d-%b-%Y").replace(tzinfo=UTC)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    past = found - _EPOCH
    return (past.days * 86_400 + past.seconds) * _SECOND + past.microseconds


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
            return _in_range(micros(value))
    except (ValueError, OverflowError) as problem:
        raise ValueError(expected) from problem
    raise ValueError(expected)


def _in_range(time: int) -> int:
    if not -62_135_596_800 * _SECOND <= time < 253_402_300_800 * _SECOND:
        raise ValueError("a time between the years 1 and 9999")
    return time


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
