"""The rules that an event from outside must satisfy: ids, event types, times and values.

Every parser of events uses these (`plait.ingest.posted_rows` for rows of JSON, the column parsers
for files). The log itself checks only what its tables need.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from plait.utils.timestamps import DAY

__all__ = [
    "CONTROL_CHARACTERS",
    "EARLIEST_TIME",
    "MAX_CLOCK_SKEW",
    "MAX_EVENT_TYPE_LENGTH",
    "MAX_ID_LENGTH",
    "MAX_VALUE",
    "WholeNumber",
    "event_type_problem",
    "id_problem",
    "is_plausible_time",
    "is_plausible_value",
]

MAX_ID_LENGTH = 512
"""The longest external id of an event, user, item or request, in characters."""

MAX_EVENT_TYPE_LENGTH = 128
"""The longest name of an event type (view, purchase, ...), in characters."""

MAX_VALUE = 3.4e38
"""The largest magnitude of an event's value: what a float32 holds."""

EARLIEST_TIME = -2_208_988_800_000_000
"""1900-01-01 in microseconds since 1970 UTC: the first plausible time of an event."""

MAX_CLOCK_SKEW = DAY
"""How far in the future a plausible time may lie, in microseconds."""

CONTROL_CHARACTERS = r"[\x00-\x1f\x7f-\x9f]"
"""A regular expression of the characters that ids may not contain: they break lines of files."""

WholeNumber = Annotated[int, Field(ge=-(2**63), le=2**64 - 1)]
"""A whole number that JSON carries without loss: it stands for the id that it spells."""

_find_control_character = re.compile(CONTROL_CHARACTERS).search


def id_problem(external_id: str) -> str:
    """Describe what is expected of an external id that is not acceptable.

    Args:
        external_id: The id of an event, user, item or request.

    Returns:
        The end of a sentence that begins with "expected"; "" if the id is acceptable.
    """
    return _name_problem(external_id, MAX_ID_LENGTH, "an id")


def event_type_problem(event_type: str) -> str:
    """Describe what is expected of an event type that is not acceptable.

    Args:
        event_type: The name of an event type.

    Returns:
        The end of a sentence that begins with "expected"; "" if the name is acceptable.
    """
    return _name_problem(event_type, MAX_EVENT_TYPE_LENGTH, "an event type")


def is_plausible_time(time: int, now: int) -> bool:
    """Return whether an event can have happened at `time`: from 1900 to a day from now.

    Args:
        time: Microseconds since 1970 UTC.
        now: The current time in the same unit.

    Returns:
        Whether the time is plausible.
    """
    return EARLIEST_TIME <= time <= now + MAX_CLOCK_SKEW


def is_plausible_value(value: float) -> bool:
    """Return whether an event may have this value: finite, and within the range of a float32.

    Args:
        value: The value of an event, such as a rating or a price.

    Returns:
        Whether the value is acceptable.
    """
    return -MAX_VALUE <= value <= MAX_VALUE


def _name_problem(text: str, max_length: int, noun: str) -> str:
    # `isprintable` is quick and true of nearly all names; the search decides about the others.
    printable = text.isprintable() or not _find_control_character(text)
    if printable and 0 < len(text) <= max_length and not text.isspace():
        return ""
    return f"{noun} of 1 to {max_length} characters, none of them a control character"
