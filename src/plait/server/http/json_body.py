"""Reads the bytes of a request body as JSON; what a body may hold is judged before it is parsed."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from plait.errors import InputError
from plait.server.http.json_shape import json_shape
from plait.server.http.request_limits import too_many_rows, too_many_values
from plait.workspace.query_validation import model_error, unknown_field_error

__all__ = [
    "MAX_DEPTH",
    "MAX_ROW_VALUES",
    "MAX_VALUES",
    "SMALL_BODY",
    "check_shape",
    "object_of",
    "parsed",
    "rows_of_body",
]

MAX_DEPTH = 64
"""How deeply objects and arrays may be nested in a body."""

MAX_VALUES = 100_000
"""How many values a body may hold: texts, numbers, objects, arrays."""

MAX_ROW_VALUES = 1_000_000
"""How many values a body of rows may hold."""

SMALL_BODY = 64 * 1024
"""A longer body is parsed in a thread, beside the event loop."""

_PART = 64 * 1024
"""About so many bytes of rows are parsed in one piece: others get the interpreter in between."""

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
    value = object_of(raw)
    if len(value) > len(model.model_fields):  # pydantic would list every field that is unknown
        raise unknown_field_error(model, value)
    try:
        return model.model_validate(value)
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
        TooLargeError: If it holds more than `MAX_VALUES` values.
    """
    if len(raw) > SMALL_BODY or raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        check_shape(raw)
    value = _loaded(raw)
    if not isinstance(value, dict):
        raise InputError("the body is not a JSON object", hint="send {...}", field="body")
    return value


def check_shape(raw: bytes) -> None:
    """Refuse a text that is nested too deeply or holds too many values.

    Args:
        raw: The bytes of a JSON text.

    Raises:
        InputError: If it is nested deeper than `MAX_DEPTH` levels.
        TooLargeError: If it holds more than `MAX_VALUES` values.
    """
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets <= MAX_DEPTH and raw.count(b",") + brackets < MAX_VALUES:
        return
    shape = json_shape(raw, MAX_VALUES)
    if shape.depth > MAX_DEPTH:
        raise InputError(f"the body is nested deeper than {MAX_DEPTH} levels", field="body")
    if shape.values > MAX_VALUES:
        raise too_many_values(MAX_VALUES)


def rows_of_body(raw: bytes, name: str, limit: int) -> list[Any]:
    """Parse a body of rows, {"events": [...]}.

    Args:
        raw: The bytes of the request.
        name: The name of the list.
        limit: The most rows.

    Returns:
        The rows.

    Raises:
        InputError: If it is no such body, or nested deeper than `MAX_DEPTH` levels.
        TooLargeError: If it has more than `limit` rows, or more than `MAX_ROW_VALUES` values.
    """
    if len(raw) <= SMALL_BODY:
        short = _only_list(object_of(raw), name)
        if len(short) > limit:
            raise too_many_rows(name, len(short), limit)
        return short
    return _rows_of_long_body(raw, name, limit)


def _rows_of_long_body(raw: bytes, name: str, limit: int) -> list[Any]:
    """The rows, parsed piece by piece once the shape of the body is known to be right."""
    shape = json_shape(raw, MAX_ROW_VALUES)
    if shape.depth > MAX_DEPTH:
        raise InputError(f"the body is nested deeper than {MAX_DEPTH} levels", field="body")
    if shape.values > MAX_ROW_VALUES:
        raise too_many_values(MAX_ROW_VALUES)
    start, end = shape.list_start + 1, shape.list_end
    if not 0 < start <= end or start + len(raw) - end > SMALL_BODY:
        raise _no_list(name)
    if len(shape.commas) >= limit:
        raise too_many_rows(name, len(shape.commas) + 1, limit)
    if _only_list(object_of(raw[:start] + raw[end:]), name):
        raise _no_list(name)  # another list came first
    rows: list[Any] = []
    for comma in [*shape.commas.tolist(), end]:
        if comma - start >= _PART or comma == end:
            part = raw[start:comma]
            if len(shape.commas) and not part.strip():
                raise _not_json(f"a value is missing (char {comma})")
            rows += _loaded(b"[%b]" % part, start)
            start = comma + 1
    return rows


def _only_list(body: dict[str, Any], name: str) -> list[Any]:
    """The list that a body consists of."""
    for key in body:
        if key != name:
            raise InputError(
                f"there is no field {key[:100]!r}", hint=f"fields are {name}", field=key[:100]
            )
    rows = body.get(name)
    if not isinstance(rows, list):
        raise _no_list(name)
    return rows


def _no_list(name: str) -> InputError:
    return InputError(f"{name} is not a list", hint=f'send {{"{name}": [...]}}', field=name)


def _loaded(raw: bytes, position: int = 0) -> Any:
    """The value of a text that begins at a position of the body."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        if position:
            raise _not_json(f"{problem.msg} (char {position + problem.pos - 1})") from None
        raise _not_json(str(problem)) from None


def _not_json(problem: str) -> InputError:
    return InputError(
        f"the body is not JSON: {problem}",
        hint="send one JSON object in UTF-8; NaN and Infinity are not JSON",
        field="body",
    )
