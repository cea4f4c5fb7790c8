"""What requests carry: closed models, so that a misspelt field is refused by its name."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from plait.errors import InputError

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

MOST = 1000
"""The most items that one answer may hold."""
DEEPEST = 64
"""How deeply objects and arrays may be nested in a body."""


def _id_text(value: Any) -> Any:
    """Whole numbers are taken as the ids they spell."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_id_text), Field(min_length=1)]


class Body(BaseModel):
    """Closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class QueryBody(Body):
    """What every question may say."""

    user: Id | None = Field(None, description="who asks; unknown users are welcome")
    k: int = Field(10, ge=1, le=MOST, description="how many items to answer with")
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
    k: int = Field(10, ge=1, le=MOST, description="how many more items")


class EventRow(Body):
    """One thing that happened. Rows are judged one by one: a bad one does not stop the rest."""

    id: str | None = Field(None, description="yours; the same id twice is stored once")
    kind: str = Field(description="view, click, cart, purchase, rating, hide, return, ...")
    user: Id = Field(description="who")
    item: Id = Field(description="what")
    time: str | float | None = Field(None, description="ISO 8601 or unix time; now if absent")
    value: float | None = Field(None, description="an amount or a rating")
    request_id: str | None = Field(None, description="the answer that led to it")
    fields: dict[str, Any] | None = Field(None, description="anything else")


class Events(Body):
    """A batch of events; each row gets a status of its own."""

    events: list[EventRow]


Kind = TypeVar("Kind", bound=Body)


def parsed(model: type[Kind], raw: bytes) -> Kind:
    """The body as `model`; InputError names the field that is wrong."""
    try:
        return model.model_validate(object_of(raw))
    except ValidationError as problem:
        raise _complaint(model, problem) from None


def object_of(raw: bytes) -> dict[str, Any]:
    """The body as a JSON object, nested no deeper than `DEEPEST`; InputError otherwise."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise InputError(
            f"the body is not JSON: {problem}",
            hint="send one JSON object in UTF-8; NaN and Infinity are no JSON",
            field="body",
        ) from None
    if not isinstance(value, dict):
        raise InputError("the body is no JSON object", hint="send {...}", field="body")
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and is_too_deep(value):
        raise InputError(f"the body is nested deeper than {DEEPEST} levels", field="body")
    return value


def is_too_deep(value: Any) -> bool:
    """Whether objects and arrays are nested deeper than `DEEPEST` levels."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        inner = [_children(one) for one in level if isinstance(one, dict | list)]
        level = [child for children in inner for child in children]
        if not level:
            return False
    return True


def _children(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _complaint(model: type[Body], problem: ValidationError) -> InputError:
    found = problem.errors(include_url=False, include_context=False, include_input=False)
    # A misspelt field first: it explains the one that is missing.
    first = min(found, key=lambda one: one["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return InputError(f"there is no field {place!r}", hint=f"fields are {known}", field=place)
    empty = first["type"] in ("too_short", "string_too_short")
    said = "is empty" if empty else first["msg"].removeprefix("Input ").lower()
    return InputError(f"{place}: {said}", hint=_meant(model, place), field=place)


def _meant(model: type[Body], place: str) -> str:
    known = model.model_fields.get(place.partition(".")[0])
    return f"{place}: {known.description}" if known and known.description else ""
