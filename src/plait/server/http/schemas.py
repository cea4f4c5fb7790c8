"""Request bodies: closed models, so that a misspelt field is refused by its name."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from plait.errors import InputError
from plait.ingest.event_rows import EventRow

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

MAX_ITEMS = 1000
"""The most items of one response."""
MAX_DEPTH = 64
"""How deeply objects and arrays may be nested in a body."""


def _id_text(value: Any) -> Any:
    """Whole numbers are taken as the ids they spell."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_id_text), Field(min_length=1)]


class Body(BaseModel):
    """A body: closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class QueryBody(Body):
    """The fields of every query."""

    user: Id | None = Field(None, description="who asks; unknown users are welcome")
    k: int = Field(10, ge=1, le=MAX_ITEMS, description="how many items to answer with")
    filter: str | None = Field(None, description='which items may come: category == "lamps"')
    exclude: list[Id] = Field(default_factory=list, description="items that must not come")
    context: dict[str, Any] = Field(default_factory=dict, description="time, place, device, ...")
    history: list[Id] = Field(
        default_factory=list, description="items seen lately, oldest first, not yet in the log"
    )
    at_least: int | None = Field(
        None, ge=0, description="wait until this version is known, for a second at most"
    )


class Recommend(QueryBody):
    """Items for a user."""


class Search(QueryBody):
    """Items for words, and for the user who typed them."""

    text: str = Field(description="the words")


class Similar(QueryBody):
    """Items like one item."""

    item: Id = Field(description="the item to start from")


class Rank(Body):
    """The caller's list, put in order."""

    user: Id | None = Field(None, description="for whom")
    items: list[Id] = Field(description="the items to order")
    context: dict[str, Any] = Field(default_factory=dict, description="time, place, device, ...")
    history: list[Id] = Field(
        default_factory=list, description="items seen lately, oldest first, not yet in the log"
    )
    at_least: int | None = Field(
        None, ge=0, description="wait until this version is known, for a second at most"
    )


class Next(Body):
    """More of an earlier answer, without repeats."""

    request_id: str = Field(min_length=1, description="the earlier answer")
    k: int = Field(10, ge=1, le=MAX_ITEMS, description="how many more items")


class Events(Body):
    """A batch of events; each row gets a status of its own."""

    events: list[EventRow]


BodyType = TypeVar("BodyType", bound=Body)


def parsed(model: type[BodyType], raw: bytes) -> BodyType:
    """Parse a body.

    Args:
        model: The model of the body.
        raw: The bytes of the request.

    Returns:
        The body.

    Raises:
        InputError: If it is not such a body; `field` names what is wrong.
    """
    try:
        return model.model_validate(object_of(raw))
    except ValidationError as error:
        raise _input_error(model, error) from None


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


def _input_error(model: type[Body], error: ValidationError) -> InputError:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    # A misspelt field first: it explains the one that is missing.
    problem = min(problems, key=lambda entry: entry["type"] != "extra_forbidden")
    field = ".".join(str(key) for key in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return InputError(f"there is no field {field!r}", hint=f"fields are {known}", field=field)
    empty = problem["type"] in ("too_short", "string_too_short")
    reason = "is empty" if empty else problem["msg"].removeprefix("Input ").lower()
    declared = model.model_fields.get(field.partition(".")[0])
    hint = f"{field}: {declared.description}" if declared and declared.description else ""
    return InputError(f"{field}: {reason}", hint=hint, field=field)
