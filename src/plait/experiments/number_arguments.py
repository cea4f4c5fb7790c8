"""Checks numbers that are passed to a method."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from plait.errors import InputError

__all__ = ["plain_number", "whole_number"]


def plain_number(value: Any, name: str) -> float:
    """Return a number as an int or a float of Python.

    Args:
        value: What was passed; numbers of numpy are numbers.
        name: The name of the argument, for the message.

    Raises:
        InputError: If it is not a finite number.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}, expected a number", field=name)
    return int(value) if float(value).is_integer() else float(value)


def whole_number(value: Any, name: str) -> int:
    """Return a number without a fraction as an int.

    Args:
        value: What was passed; 5.0 and numbers of numpy are numbers.
        name: The name of the argument, for the message.

    Raises:
        InputError: If it is not a whole number.
    """
    number = math.nan if isinstance(value, str) else plain_number(value, name)
    if not float(number).is_integer():
        raise InputError(f"{name} is {value!r}, expected a whole number", field=name)
    return int(number)
