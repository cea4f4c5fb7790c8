"""Callbacks of a training: functions that are called after each epoch and may stop it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plait.errors import InputError
from plait.pipeline.fit_context import Callback

__all__ = ["callbacks_of"]


def callbacks_of(callbacks: Any) -> tuple[Callback, ...]:
    """Read the callbacks that a call names.

    Args:
        callbacks: A function or several.

    Returns:
        The functions.

    Raises:
        InputError: If something is no function.
    """
    functions = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for function in functions:
        if not callable(function):
            message = f"{function!r} is no callback"
            hint = 'pass functions of an epoch and its values that return None or "stop"'
            raise InputError(message, hint=hint, field="callbacks")
    return functions
