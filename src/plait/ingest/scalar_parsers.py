"""The one set of rules by which outside values become parts of an event.

Requests, NDJSON, Python rows, files and frames all use them. `plait.ingest.posted_rows` applies
them to one row; `plait.ingest.column_parsers` and `plait.ingest.timestamps` apply them to whole
columns, and fall back on the functions here wherever a column holds values of several types.
The bounds themselves stand in `plait.schema.event_bounds`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import orjson

from plait.schema.coercion import LATITUDE, LONGITUDE, MAX_EXACT
from plait.schema.event_bounds import (
    MAX_EVENT_TYPE_LENGTH,
    MAX_ID_LENGTH,
    event_type_problem,
    id_problem,
    is_plausible_time,
    is_plausible_value,
)
from plait.utils.timestamps import micros_of_number

__all__ = [
    "EXPECTED",
    "NUMBER_PATTERN",
    "UNIX_PATTERN",
    "FieldError",
    "expected_id_of",
    "fields_json",
    "is_location",
    "parse_event_type",
    "parse_id",
    "parse_time",
    "parse_value",
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

_WHITESPACE = "".join(map(chr, (*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))))
_WHITESPACE += "\u2028\u2029\u202f\u205f\u3000"
"""What is cut off around texts: Unicode's White_Space, as polars' `strip_chars` does."""

_ZONES = {"Z": "+00:00", "UTC": "+00:00", "GMT": "+00:00"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DIGITS = 1000
_JSON_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


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

    Spaces around it are cut off; whole numbers are written without a point.

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
    text: str = value.strip(_WHITESPACE)
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
        value = value.strip(_WHITESPACE) or None
        if value is not None and not _number(value):
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
            text = value.strip(_WHITESPACE)
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


def fields_json(fields: Any, columns: Mapping[str, Any] | None = None) -> str | None:
    """Write the fields of an event as a JSON object with sorted keys.

    Args:
        fields: Names and values: text, finite numbers, truth values, lists, {lat, lon}. Another
            object becomes a field for each of its parts: `{"style": {"size": 3}}` is `style.size`.
            A field that is None stays null, which in a patch clears it.
        columns: More names and values, of the columns of a file; what is None among them is no
            field.

    Returns:
        The text; None if there are no fields.

    Raises:
        FieldError: If `fields` is no mapping, or a value is nothing that JSON can express.
    """
    fields = {} if fields is None else fields
    if not isinstance(fields, Mapping):
        raise FieldError(EXPECTED["fields"], "fields")
    flat: dict[str, Any] = {}
    for name, value in (columns or {}).items():
        _flatten(flat, name, value)
    for name, value in fields.items():
        _flatten(flat, str(name), value)
        if value is None:
            flat[str(name)] = None
    try:
        return orjson.dumps(flat, option=_JSON_OPTIONS).decode() if flat else None
    except (TypeError, ValueError) as problem:
        raise FieldError(f"values that JSON can express ({problem})", "fields") from problem


def _flatten(flat: dict[str, Any], name: str, value: Any) -> None:
    """Set a field, or one for each part of an object that is not {lat, lon}."""
    if isinstance(value, Mapping) and not is_location(value):
        for label, inner in value.items():
            part = " ".join(str(label).split()).rstrip(": ")
            _set_field(flat, f"{name}.{part}", inner)
    else:
        _set_field(flat, name, value)


def _set_field(flat: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if type(value) is not str and not _is_finite(value):
        raise FieldError("a finite number", name)
    flat[name] = value


def is_location(value: Mapping[Any, Any]) -> bool:
    """Return whether an object is a place: it has a latitude and a longitude.

    Args:
        value: The object.
    """
    return any(map(value.__contains__, LATITUDE)) and any(map(value.__contains__, LONGITUDE))


def _is_finite(value: Any) -> bool:
    """Whether the value, or everything in it, is finite; at most 64 levels are looked at."""
    values = [value]
    for _ in range(64):
        nested: list[Any] = []
        for element in values:
            if isinstance(element, float | np.floating) and not math.isfinite(element):
                return False
            if isinstance(element, list | tuple):
                nested += element
            elif isinstance(element, Mapping):
                nested += element.values()
        if not nested:
            break
        values = nested
    return True
