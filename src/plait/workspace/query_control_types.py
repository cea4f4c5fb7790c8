"""Types of query controls, as HTTP bodies and Python pass them."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from plait.data.query_controls import Cooldown, SeenRule
from plait.errors import FilterError, InputError
from plait.ranking.filters.filter_expression import compile_filter
from plait.schema.event_bounds import MAX_ID_LENGTH
from plait.schema.missing_words import BLANKS

__all__ = [
    "BoostModel",
    "Boosts",
    "CooldownModel",
    "EventTypes",
    "FieldNames",
    "PinModel",
    "Pins",
    "Seen",
    "SeenModel",
    "as_list",
    "bounded_list",
    "id_text",
    "whole_number",
]

MAX_BOOSTS = 20
MAX_COOLDOWNS = 20
MAX_PINS = 100
MAX_EVENT_TYPES = 50
MAX_FIELDS = 100
MAX_FACTOR = 1000
MAX_DAYS = 1_000_000
MAX_POSITION = 1000
_MAX_NAME = 512
_MAX_FILTER = 10_000

_SEEN_SCHEMA = {
    "anyOf": [
        {"type": "string", "enum": ["keep", "remove"]},
        {"type": "array", "items": {"type": "string"}},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "exclude": {"type": "array", "items": {"type": "string"}},
                "days": {"type": "number"},
                "cooldown": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"filter": {"type": "string"}, "days": {"type": "number"}},
                        "required": ["filter", "days"],
                        "additionalProperties": False,
                    },
                },
            },
        },
        {"type": "null"},
    ]
}


def id_text(value: Any) -> Any:
    """Take whole numbers as the ids they spell; blanks around an id are cut off.

    Args:
        value: What the caller gave.

    Returns:
        The text of a whole number; anything else as it is.
    """
    if isinstance(value, str):
        return value.strip(BLANKS) or value
    is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return str(value) if is_number else value


def whole_number(value: Any) -> Any:
    """Take numpy's whole numbers as Python's, and a number like 35.0, which JSON holds to be whole.

    Args:
        value: What the caller gave.

    Returns:
        An int; anything else as it is.
    """
    is_whole = isinstance(value, np.integer) or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole else value


def as_list(value: Any) -> Any:
    """Take any iterable but a string as a list.

    Args:
        value: What the caller gave.

    Returns:
        The list; anything else as it is.
    """
    is_list = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    return list(value) if is_list else value


def bounded_list(most: int, *before: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Return what bounds a list: its length is judged before its elements, and the first wrong
    element ends the validation.

    Args:
        most: The greatest length.
        before: Functions that make a list of what a caller gives.

    Returns:
        Annotations of a list type, to be unpacked directly behind it.
    """

    def check(value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) > most:
            context = {"field_type": "List", "max_length": most, "actual_length": len(value)}
            raise PydanticKnownError("too_long", context)
        return value

    conversions = map(BeforeValidator, before)
    return Field(max_length=most, fail_fast=True), *conversions, BeforeValidator(check)


def _sequence(value: Any) -> Any:
    return value if isinstance(value, Mapping) else as_list(value)


def _table(value: Any) -> Any:
    """A value of `plait.data.query_controls` is taken as the object that JSON has."""
    is_value = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_value else value


def _tables(value: Any) -> Any:
    entries = _sequence(value)
    return [_table(entry) for entry in entries] if isinstance(entries, list) else entries


def _expression(text: str) -> str:
    """An expression that parses; ValueError says where it does not."""
    try:
        compile_filter(text)
    except FilterError as problem:
        raise ValueError(problem.message) from None
    return text


_EventType = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_MAX_NAME),
    BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value),
]
EventTypes = Annotated[list[_EventType], *bounded_list(MAX_EVENT_TYPES, _sequence)]
_Expression = Annotated[
    str, StringConstraints(min_length=1, max_length=_MAX_FILTER), AfterValidator(_expression)
]
_Days = Annotated[float, Field(ge=0, le=MAX_DAYS, allow_inf_nan=False)]
_FieldName = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_NAME)]
FieldNames = Annotated[list[_FieldName], *bounded_list(MAX_FIELDS, _sequence)]


class _Control(BaseModel):
    """Closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, value: Any) -> Any:
        """Among more fields than there are the first unknown one ends the validation."""
        if isinstance(value, dict) and len(value) > len(cls.model_fields):
            name = next(key for key in value if key not in cls.model_fields)
            raise PydanticCustomError("value_error", f"there is no field {str(name)[:200]!r}")
        return value


class CooldownModel(_Control):
    """For how long matching items stay away."""

    filter: _Expression = Field(description="which items: category == 'ink'")
    days: _Days = Field(description="for how many days after the last event with them")


class SeenModel(_Control):
    """Which items that the user knows may not come."""

    exclude: EventTypes = Field(
        default_factory=list, description="the kinds of event that count, purchase; none: all"
    )
    days: _Days | None = Field(None, description="for how many days; none: for good")
    cooldown: Annotated[list[CooldownModel], *bounded_list(MAX_COOLDOWNS, _tables)] = Field(
        default_factory=list,
        description="other periods for some items; the first that matches holds",
    )

    def rule(self) -> SeenRule:
        """Return the rule that stages read."""
        cooldowns = tuple(Cooldown(entry.filter, entry.days) for entry in self.cooldown)
        return SeenRule(tuple(self.exclude), self.days, cooldowns)


class BoostModel(_Control):
    """Moves matching items up or down."""

    filter: _Expression = Field(description="which items: brand == 'X'")
    factor: Annotated[float, Field(ge=0, le=MAX_FACTOR, allow_inf_nan=False)] = Field(
        description="above 1 moves up, below 1 down, 0 to the end"
    )


class PinModel(_Control):
    """An item with a fixed position."""

    item: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_ID_LENGTH),
        BeforeValidator(id_text),
    ] = Field(description="the id of the item")
    position: Annotated[int, Field(ge=1, le=MAX_POSITION), BeforeValidator(whole_number)] = Field(
        description="its position, from 1"
    )


_SEEN_HINT = (
    'keep, remove, kinds of event such as ["purchase"], or '
    '{"exclude": ["purchase"], "days": 90, "cooldown": [{"filter": "...", "days": 30}]}'
)


def _seen(value: Any) -> Any:
    """The rule that a query states; InputError with the part of it that is wrong."""
    if value is None or (isinstance(value, str) and value in ("keep", "remove")):
        return value
    table = _table(value)
    table = dict(table) if isinstance(table, Mapping) else as_list(table)
    if isinstance(table, list):
        table = {"exclude": table}
    elif not isinstance(table, dict):
        raise InputError(f"seen is {reprlib.repr(value)}", hint=_SEEN_HINT, field="seen")
    if "cooldowns" in table:  # the name that stages and stored responses have
        table["cooldown"] = table.pop("cooldowns")
    try:
        return SeenModel.model_validate(table).rule()
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        path = ".".join(["seen", *map(str, first["loc"])])
        message = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
        message = f"{path}: {message[:1].lower()}{message[1:]}"
        raise InputError(message, hint=_SEEN_HINT, field=path) from None


def _pin_tables(value: Any) -> Any:
    """Ids without a position take the positions 1, 2, ... in their order."""
    entries = _tables(value)
    if not isinstance(entries, list):
        return entries
    return [
        {"item": entry, "position": position} if isinstance(entry, str | int) else entry
        for position, entry in enumerate(entries, 1)
    ]


def _distinct(pins: list[PinModel]) -> list[PinModel]:
    for name in ("item", "position"):
        values = [getattr(pin, name) for pin in pins]
        for index, value in enumerate(values):
            if value in values[:index]:
                raise InputError(
                    f"pins.{index}.{name}: {value!r} is pinned twice",
                    hint="an item has one position, and a position one item",
                    field=f"pins.{index}.{name}",
                )
    return pins


Seen = Annotated[Any, PlainValidator(_seen), WithJsonSchema(_SEEN_SCHEMA)]
"""What `seen` may be; the value is "keep", "remove" or a `SeenRule`."""

Boosts = Annotated[list[BoostModel], *bounded_list(MAX_BOOSTS, _tables)]
"""What `boosts` may be."""

Pins = Annotated[
    list[PinModel],
    *bounded_list(MAX_PINS, _pin_tables),
    AfterValidator(_distinct),
]
"""What `pins` may be."""
