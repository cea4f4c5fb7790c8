"""Converts times between text, unix numbers and microseconds since 1970 UTC."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

from plait.errors import InputError

__all__ = [
    "DAY",
    "MAX_TIME",
    "MIN_TIME",
    "in_range",
    "iso",
    "micros_of_number",
    "parse_time",
    "to_micros",
]

DAY = 86_400_000_000
"""A day in microseconds."""

_SECONDS, _MILLIS, _MICROS = 10**11, 10**14, 10**17
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 times without a zone are UTC
_SECOND = 1_000_000
_NUMERIC = frozenset("0123456789+-.eE")

MIN_TIME, MAX_TIME = -62_135_596_800 * _SECOND, 253_402_300_800 * _SECOND
"""The years 1 to 9999 in microseconds since 1970 UTC: what `datetime` can show; MAX is excluded."""


def micros_of_number(number: float) -> int:
    """Convert a unix time in seconds, milliseconds, microseconds or nanoseconds to microseconds.

    Args:
        number: Below 1e11 it counts seconds (up to the year 5138), below 1e14 milliseconds, below
            1e17 microseconds, else nanoseconds.

    Returns:
        Microseconds since 1970 UTC.
    """
    size = abs(number)
    if size < _SECONDS:
        return round(number * _SECOND)
    if size < _MILLIS:
        return round(number * 1000)
    return round(number) if size < _MICROS else int(number // 1000)


def parse_time(text: str) -> int:
    """Parse a date or time.

    Args:
        text: ISO 8601, a bare year, a unix number, or a date like 01-Jan-1995; without a time zone
            it is UTC.

    Returns:
        Microseconds since 1970 UTC.

    Raises:
        ValueError: If the text is none of these, or not between the years 1 and 9999.
    """
    text = text.strip()
    if len(text) == 4 and text.isdigit():
        text += "-01-01"
    elif text[4:5] != "-" and _is_number(text):
        return in_range(micros_of_number(float(text)))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.strptime(text, "%d-%b-%Y").replace(tzinfo=UTC)
    since_epoch = moment - (_NAIVE_EPOCH if moment.tzinfo is None else _EPOCH)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * _SECOND + since_epoch.microseconds


def _is_number(text: str) -> bool:
    return set(text) <= _NUMERIC and text.lstrip("+-").replace(".", "", 1).isdigit()


def in_range(time: int) -> int:
    """Check that `datetime` can show a time.

    Args:
        time: Microseconds since 1970 UTC.

    Returns:
        The time.

    Raises:
        ValueError: If it does not lie between the years 1 and 9999.
    """
    if not MIN_TIME <= time < MAX_TIME:
        raise ValueError("a time between the years 1 and 9999")
    return time


def to_micros(value: Any, field: str = "time") -> int:
    """Convert a time from outside to microseconds.

    Args:
        value: A datetime, a date, ISO 8601 text or a unix number (see `micros_of_number`); without
            a time zone it is UTC.
        field: The name of the field, for the error.

    Returns:
        Microseconds since 1970 UTC.

    Raises:
        InputError: If the value is not a time.
    """
    try:
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return parse_time(aware.isoformat())
        if isinstance(value, date):
            return parse_time(value.isoformat())
        if isinstance(value, str):
            return parse_time(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return in_range(micros_of_number(value))
    except (ValueError, OverflowError):
        pass
    raise InputError(f"expected ISO 8601 or a unix time, got {value!r:.80}", field=field)


def iso(time: int) -> str:
    """Format a time as ISO 8601 in UTC.

    Args:
        time: Microseconds since 1970 UTC.

    Returns:
        Such as 2024-01-31T12:00:00+00:00.
    """
    seconds, micros = divmod(time, _SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros).isoformat()
