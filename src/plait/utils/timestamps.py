"""Times as people give them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from plait.errors import InputError

__all__ = [
    "DAY",
    "EARLIEST",
    "MAX_TIME",
    "MIN_TIME",
    "in_range",
    "is_plausible_time",
    "iso",
    "micros_of_number",
    "parse_time",
    "to_micros",
]

DAY = 86_400_000_000
"""A day in microseconds."""

EARLIEST = -2_208_988_800_000_000
"""1900-01-01, the first moment at which something is believed to have happened."""

_SECONDS, _MILLIS, _MICROS = 10**11, 10**14, 10**17
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_NUMERIC = frozenset("0123456789+-.eE")

MIN_TIME, MAX_TIME = -62_135_596_800 * _SECOND, 253_402_300_800 * _SECOND
"""The years 1 to 9999 in microseconds since 1970 UTC: what `datetime` can show; MAX is excluded."""


def is_plausible_time(time: int, now: int) -> bool:
    """Whether something can have happened then: from 1900 to a day from `now`, microseconds."""
    return EARLIEST <= time <= now + DAY


def micros_of_number(number: float) -> int:
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
        return in_range(micros_of_number(float(text)))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.strptime(text, "%d-%b-%Y").replace(tzinfo=UTC)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    past = found - _EPOCH
    return (past.days * 86_400 + past.seconds) * _SECOND + past.microseconds


def in_range(time: int) -> int:
    """`time` in microseconds if it lies between the years 1 and 9999; raises ValueError."""
    if not MIN_TIME <= time < MAX_TIME:
        raise ValueError("a time between the years 1 and 9999")
    return time


def to_micros(given: Any, field: str = "time") -> int:
    """Microseconds since 1970 UTC of a datetime, ISO 8601 text or a unix number.

    Numbers are seconds, milliseconds or microseconds, told apart by size; naive times are UTC.
    Raises InputError.
    """
    try:
        if isinstance(given, datetime):
            aware = given if given.tzinfo else given.replace(tzinfo=UTC)
            return parse_time(aware.isoformat())
        if isinstance(given, str):
            return parse_time(given)
        if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
            found = micros_of_number(given)
            if MIN_TIME <= found < MAX_TIME:
                return found
    except (ValueError, OverflowError):
        pass
    raise InputError(f"expected ISO 8601 or a unix time, got {given!r:.80}", field=field)


def iso(time: int) -> str:
    """Microseconds since 1970 as ISO 8601 in UTC."""
    seconds, rest = divmod(time, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat()
