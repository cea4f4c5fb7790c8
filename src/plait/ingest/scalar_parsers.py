"""Parses outside values as parts of an event: the one set of rules of all readers.

Requests, NDJSON, Python rows, files and frames all use them. `plait.ingest.posted_rows` applies
them to one row; `plait.ingest.column_parsers` and `plait.ingest.timestamps` apply them to whole
columns, and fall back on the functions here wherever a column holds values of several types.
The bounds themselves stand in `plait.schema.event_bounds`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from plait.ingest.plain_values import plain_value
from plait.schema.coercion import MAX_EXACT
from plait.schema.event_bounds import (
    MAX_EVENT_TYPE_LENGTH,
    MAX_ID_LENGTH,
    event_type_problem,
    id_problem,
    is_plausible_time,
    is_plausible_value,
)
from plait.schema.missing_words import BLANKS, MISSING_WORDS
from plait.utils.number_texts import unambiguous_number
from plait.utils.timestamps import micros_of_number

__all__ = [
    "EXPECTED",
    "NUMBER_PATTERN",
    "UNIX_PATTERN",
    "FieldError",
    "expected_id_of",
    "parse_event_type",
    "parse_id",
    "parse_time",
    "parse_value",
    "present",
    "required",
    "wall_time",
]

EXPECTED = {
    "id": id_problem(""),
    "kind": event_type_problem(""),
    "time": "a time from 1900 to a day from now: ISO 8601 or a unix number"
    " (for other formats a mapping has time_format)",
    "value": "a finite number that 32 bits can hold",
    "fields": "an object of names and values",
}
"""What is expected of each part of an event: the end of a sentence that begins with "expected"."""

UNIX_PATTERN = r"^[+-]?[0-9]+(\.[0-9]*)?$"
"""Text that is a unix time; valid for Python and for polars."""
NUMBER_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""Text that is a number."""
_iso = re.compile(
    r"([0-9]{4}[-/][0-9]{2}[-/][0-9]{2})"
    r"(?:[T ]((?:[01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?([.,][0-9]{1,9})?)?"
    r"[ ]*([A-Za-z]+|[+-][0-9]{2}(?::?[0-9]{2})?)?\Z"
).match
"""ISO 8601 and its close relatives: day, hour and minute, second, fraction, zone."""

_unix = re.compile(UNIX_PATTERN[:-1] + r"\Z").match
_number = re.compile(NUMBER_PATTERN[:-1] + r"\Z").match
_day_month_year = re.compile(r"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}\Z").match

_is_plain_id = re.compile(rf"[A-Za-z0-9_.:-]{{1,{MAX_ID_LENGTH}}}\Z").match
_is_plain_event_type = re.compile(rf"[a-z0-9_.:-]{{1,{MAX_EVENT_TYPE_LENGTH}}}\Z").match
"""The common case, accepted without the checks that other text needs."""

_ZONES = {"Z": "+00:00", "UTC": "+00:00", "GMT": "+00:00"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DIGITS = 1000


class FieldError(ValueError):
    """A value that an event may not hold; the message says what is expected.

    Attributes:
        field: The name of the field; "" if it is the one that was being parsed.
    """

    def __init__(self, expected: str, field: str = "") -> None:
        super().__init__(expected)
        self.field = field


def expected_id_of(role: str) -> str:
    """Say what is expected where a row names no user, item, head or tail.

    Args:
        role: The role that is missing, such as `user`.

    Returns:
        The end of a sentence that begins with "expected".
    """
    return f"the id of the {role}"


def parse_id(value: Any) -> str | None:
    """Parse the external id of an event, user, item or request.

    Blanks and invisible signs around it are cut off; whole numbers are written without a point.

    Args:
        value: Text or a whole number.

    Returns:
        The id; None for None and for blank text.

    Raises:
        FieldError: If the value cannot be an id.
    """
    if type(value) is str and _is_plain_id(value):
        return value
    text = _name(value)
    if text and id_problem(text):
        raise FieldError(EXPECTED["id"])
    return text


def present(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a parser of objects of Python, numpy and pandas, to which some words mean missing.

    Args:
        parse: Takes plain values, and None for a missing one.

    Returns:
        The parser.
    """

    def parse_present(value: Any) -> Any:
        if type(value) is not str:
            return parse(plain_value(value))
        return parse(None if value.strip(BLANKS) in MISSING_WORDS else value)

    return parse_present


def required(parse: Callable[[Any], str | None], expected: str) -> Callable[[Any], str]:
    """Make a parser that accepts no missing value.

    Args:
        parse: Returns None for a missing value.
        expected: What the error says.

    Returns:
        The parser; it raises FieldError for a missing value.
    """

    def parse_required(value: Any) -> str:
        text = parse(value)
        if text is None:
            raise FieldError(expected)
        return text

    return parse_required


def parse_event_type(value: Any) -> str | None:
    """Parse the type of an interaction: view, purchase, ...

    Args:
        value: Text in any case.

    Returns:
        The event type in lower case; None for None and for blank text.

    Raises:
        FieldError: If the value cannot be an event type.
    """
    if type(value) is str and _is_plain_event_type(value):
        return value
    try:
        text = _name(value)
    except FieldError as problem:
        raise FieldError(EXPECTED["kind"]) from problem
    text = text and text.lower()
    if text and event_type_problem(text):
        raise FieldError(EXPECTED["kind"])
    return text


def _name(value: Any) -> str | None:
    if type(value) is not str:
        if value is None:
            return None
        value = _text_of(value.item() if isinstance(value, np.generic) else value)
    text: str = value.strip(BLANKS)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as problem:
            raise FieldError(EXPECTED["id"]) from problem
    return text or None


def _text_of(value: Any) -> str:
    """A scalar other than a string as text: whole numbers only."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MAX_DIGITS:
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MAX_DIGITS:
        whole = value.to_integral_value()
        if whole == value:
            return str(int(whole))
    raise FieldError(EXPECTED["id"])


def parse_value(value: Any) -> float | None:
    """Parse the value of an event: an amount or a rating.

    Args:
        value: A number, or text that is one.

    Returns:
        The number; None for None and for blank text.

    Raises:
        FieldError: If the value is not a finite number that a float32 can hold.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        value = value.strip(BLANKS) or None
        if value is not None and not _number(value):
            value = unambiguous_number(value)
            if value is None:
                raise FieldError(EXPECTED["value"])
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal | None):
        raise FieldError(EXPECTED["value"])
    try:
        number = None if value is None else float(value)
    except (OverflowError, ValueError) as problem:
        raise FieldError(EXPECTED["value"]) from problem
    if number is not None and not is_plausible_value(number):
        raise FieldError(EXPECTED["value"])
    return number


def parse_time(value: Any, now: int) -> int | None:
    """Parse the time of an event; without a zone it is UTC.

    Args:
        value: ISO 8601 text, a datetime or date, or a unix number of seconds, milliseconds,
            microseconds or nanoseconds, which its size tells apart.
        now: The current time in microseconds since 1970 UTC.

    Returns:
        Microseconds since 1970 UTC; None for None and for blank text.

    Raises:
        FieldError: If the value is no time, or lies before 1900 or more than a day after `now`.
    """
    parsed = wall_time(value)
    if parsed is not None and not is_plausible_time(parsed[0], now):
        raise FieldError(EXPECTED["time"])
    return parsed and parsed[0]


def wall_time(value: Any) -> tuple[int, bool] | None:
    """Parse a time that may lack a zone.

    Args:
        value: As for `parse_time`.

    Returns:
        Microseconds since 1970 UTC and True; for a time without a zone, microseconds since 1970
        on its wall clock and False; None for None and for blank text.

    Raises:
        FieldError: If the value is no time.
    """
    if isinstance(value, np.generic):
        value = value.item()
    try:
        if isinstance(value, str):
            text = value.strip(BLANKS)
            return _time_of_text(text) if text else None
        if isinstance(value, datetime):
            return _time_of_datetime(value)
        if isinstance(value, date):
            return _time_of_datetime(datetime(value.year, value.month, value.day))  # noqa: DTZ001
        if isinstance(value, int | float) and not isinstance(value, bool):
            return micros_of_number(value), True
    except (ValueError, OverflowError) as problem:
        raise FieldError(EXPECTED["time"]) from problem
    if value is not None:
        raise FieldError(EXPECTED["time"])
    return None


def _time_of_text(text: str) -> tuple[int, bool]:
    if _unix(text):
        return micros_of_number(float(text) if "." in text else int(text)), True
    match = _iso(text)
    if match:
        day, clock, second, fraction, zone = match.groups()
        zone = _ZONES.get(zone.upper(), zone) if zone else ""
        text = f"{day.replace('/', '-')}T{clock or '00:00'}{second or ':00'}{fraction or ''}{zone}"
    elif _day_month_year(text):
        return _time_of_datetime(datetime.strptime(text, "%d-%b-%Y"))  # noqa: DTZ007
    return _time_of_datetime(datetime.fromisoformat(text))


def _time_of_datetime(moment: datetime) -> tuple[int, bool]:
    zoned = moment.tzinfo is not None
    since = (moment if zoned else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, zoned
