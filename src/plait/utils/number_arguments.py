"""Checks numbers that are passed from Python: whole or not, finite, within bounds."""

from __future__ import annotations

import math
import reprlib
from numbers import Real
from typing import Any

from plait.errors import InputError

__all__ = ["plain_number", "whole_number"]

_MAX_WHOLE = 2**63 - 1
"""The largest whole number that arrays and seeds hold."""


def plain_number(
    value: Any, name: str, *, least: float = -math.inf, greatest: float = math.inf
) -> float:
    """Return a number as an int or a float of Python.

    Args:
        value: What was passed; numbers of numpy are numbers.
        name: The name of the argument, for the error.
        least: The smallest number that is allowed.
        greatest: The largest.

    Returns:
        The number; an int if it has no fraction.

    Raises:
        InputError: If it is no finite number, or out of bounds.
    """
    number = _finite(value)
    if number is None or not least <= number <= greatest:
        raise _error(value, name, "finite number", least, greatest)
    return int(value) if number.is_integer() else number


def whole_number(value: Any, name: str, *, least: int, greatest: int = _MAX_WHOLE) -> int:
    """Return a number without a fraction as an int.

    Args:
        value: What was passed; 5.0 and numbers of numpy are numbers.
        name: The name of the argument, for the error.
        least: The smallest number that is allowed.
        greatest: The largest.

    Returns:
        The number.

    Raises:
        InputError: If it is no whole number, or out of bounds.
    """
    number = _finite(value)
    if number is None or not number.is_integer() or not least <= int(value) <= greatest:
        raise _error(value, name, "whole number", least, greatest)
    return int(value)


def _finite(value: Any) -> float | None:
    """The number as a float; None if it is no number or no finite one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _error(value: Any, name: str, kind: str, least: float, greatest: float) -> InputError:
    """The error for a value, with the bounds that there are."""
    is_bounded = greatest not in (math.inf, _MAX_WHOLE)
    bounds = f" from {least} on" if least != -math.inf else ""
    if is_bounded:
        bounds = f" from {least} to {greatest:,}"
    elif kind == "whole number" and (number := _finite(value)) and number > greatest:
        bounds = f" up to {greatest:,}"
    message = f"{name} is {reprlib.repr(_plain(value))}, expected a {kind}{bounds}"
    return InputError(message, field=name)


def _plain(value: Any) -> Any:
    """The value as it is written; numbers with too many digits for that as infinite."""
    if isinstance(value, int) and type(value) is not bool and _finite(value) is None:
        return math.inf if value > 0 else -math.inf
    return value
