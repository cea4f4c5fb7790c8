"""Times as people give them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from plait.data.coerce import micros, parse_time
from plait.errors import InputError

__all__ = ["iso", "moment"]

EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_800_000_000


def moment(given: Any, field: str = "time") -> int:
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
            found = micros(given)
            if EARLIEST <= found < LATEST:
                return found
    except (ValueError, OverflowError):
        pass
    raise InputError(f"expected ISO 8601 or a unix time, got {given!r:.80}", field=field)


def iso(time: int) -> str:
    """Microseconds since 1970 as ISO 8601 in UTC."""
    seconds, rest = divmod(time, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat()
