"""Arguments of Python calls as plain values: numpy's scalars as Python's, one value as a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["as_list", "without_numpy"]


def without_numpy(value: Any) -> Any:
    """Replace numpy's scalars and arrays by values of Python, in lists and mappings too.

    Args:
        value: Any value.

    Returns:
        The value; a number of numpy as a number, an array as a list. Other objects stay.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: without_numpy(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(without_numpy, value))
    return value


def as_list(value: Any) -> list[Any]:
    """Return several values, or a single one, as a list.

    Args:
        value: A value, or an iterable of values; texts, bytes and mappings are single values.
    """
    is_single = isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable)
    return [value] if is_single else list(value)
