"""Request bodies: closed models, so that a misspelt field is refused by its name."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plait.errors import InputError
from plait.ingest.posted_rows import EventRow
from plait.workspace.query_validation import (
    MAX_ITEMS,
    Rank,
    Recommend,
    Search,
    Similar,
    model_error,
)

__all__ = [
    "Body",
    "EventRow",
    "Events",
    "Next",
    "Rank",
    "Recommend",
    "Search",
    "Similar",
    "is_too_deep",
    "object_of",
    "parsed",
]

MAX_DEPTH = 64
"""How deeply objects and arrays may be nested in a body."""


class Body(BaseModel):
    """A body: closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Next(Body):
    """More of an earlier answer, without repeats."""

    request_id: str = Field(min_length=1, description="the earlier answer")
    k: int = Field(10, ge=1, le=MAX_ITEMS, description="how many more items")


class Events(Body):
    """A batch of events; each row gets a status of its own."""

    events: list[EventRow]


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
