"""Reads the bytes of a request body as JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from plait.errors import InputError
from plait.workspace.query_validation import model_error

__all__ = ["MAX_DEPTH", "is_too_deep", "object_of", "parsed"]

MAX_DEPTH = 64
"""How deeply objects and arrays may be nested in a body."""

BodyType = TypeVar("BodyType", bound=BaseModel)


def parsed(model: type[BodyType], raw: bytes) -> BodyType:
    """Parse a body.

    Args:
        model: The model of the body.
        raw: The bytes of the request.

    Returns:
        The body.

    Raises:
        InputError: If it is not such a body; `field` names what is wrong.
        TooLargeError: If a list or text is too long.
    """
    try:
        return model.model_validate(object_of(raw))
    except ValidationError as error:
        raise model_error(model, error) from None


def object_of(raw: bytes) -> dict[str, Any]:
    """Parse a body as a JSON object.

    Args:
        raw: The bytes of the request.

    Returns:
        The object.

    Raises:
        InputError: If it is not a JSON object, or nested deeper than `MAX_DEPTH` levels.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise InputError(
            f"the body is not JSON: {problem}",
            hint="send one JSON object in UTF-8; NaN and Infinity are not JSON",
            field="body",
        ) from None
    if not isinstance(value, dict):
        raise InputError("the body is not a JSON object", hint="send {...}", field="body")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and is_too_deep(value):
        raise InputError(f"the body is nested deeper than {MAX_DEPTH} levels", field="body")
    return value


def is_too_deep(value: Any) -> bool:
    """Return whether objects and arrays are nested deeper than `MAX_DEPTH` levels.

    Args:
        value: A JSON value.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        children: list[Any] = []
        for element in level:
            if isinstance(element, dict):
                children += element.values()
            elif isinstance(element, list):
                children += element
        if not children:
            return False
        level = children
    return True
