"""TOML and JSON of files: what is malformed, or nested too deep to be read safely, is a ValueError.

Parsers of Python, and code that walks their values, recurse at each level of nesting: a file
of a few kilobytes can exhaust the stack.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["MAX_LEVELS", "is_nested_deeper", "parse_json", "parse_toml"]

MAX_LEVELS = 64
"""How deeply tables and lists may be nested in a file."""

_CONTAINERS = (list, tuple, set, frozenset, Mapping)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a TOML document.

    Args:
        text: The document.

    Returns:
        Its top table.

    Raises:
        ValueError: If it is not TOML, or nested deeper than `MAX_LEVELS`.
    """
    document: dict[str, Any] = _checked(tomllib.loads, text)
    return document


def parse_json(text: str) -> Any:
    """Parse a JSON document.

    Args:
        text: The document.

    Returns:
        Its value.

    Raises:
        ValueError: If it is not JSON, or nested deeper than `MAX_LEVELS`.
    """
    return _checked(json.loads, text)


def is_nested_deeper(value: Any, levels: int) -> bool:
    """Return whether mappings, lists, tuples and sets are nested deeper than a number of levels.

    Args:
        value: Any value, such as JSON or TOML holds.
        levels: The number of levels; a value that contains no others, such as a text, has none.
    """
    open_values = [iter((value,))]
    while open_values:
        for child in open_values[-1]:
            if isinstance(child, _CONTAINERS):
                if len(open_values) > levels:
                    return True
                open_values.append(iter(child.values() if isinstance(child, Mapping) else child))
                break
        else:
            open_values.pop()
    return False


def _checked(parse: Callable[[str], Any], text: str) -> Any:
    try:
        value = parse(text)
    except RecursionError:
        value = None
    else:
        if not is_nested_deeper(value, MAX_LEVELS):
            return value
    raise ValueError(f"it is nested deeper than {MAX_LEVELS} levels")
