"""Parses posted rows (dictionaries) as events, each row by itself."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from plait.data.types import NOW, Event
from plait.errors import InputError
from plait.ingest.field_values import LostField, fields_json
from plait.ingest.numeric_dates import may_be_day, survey_times, wall_times_of_numbers
from plait.ingest.plain_values import plain_value
from plait.ingest.scalar_parsers import (
    EXPECTED,
    FieldError,
    expected_id_of,
    parse_event_type,
    parse_id,
    parse_time,
    parse_value,
    present,
    required,
)
from plait.schema.event_bounds import MAX_EVENT_TYPE_LENGTH, MAX_ID_LENGTH, WholeNumber

__all__ = ["SESSION", "EventRow", "ParsedRows", "fields_text", "merged_parts", "parse_event_rows"]

SESSION = "session:"
"""What the id of the user begins with who stands for a session."""

SESSION_FIELD = "session_id"
"""The field of an event of a known user that holds its session."""


def _time_or_now(value: Any) -> int:
    if value is None:
        return NOW
    micros = present(partial(parse_time, now=time.time_ns() // 1000))(value)
    return NOW if micros is None else micros


def _session_id(value: Any) -> str | None:
    """The id of a session; None unless it is valid with the prefix of sessions too."""
    text = present(parse_id)(value)
    return None if text is None else (parse_id(SESSION + text) or "").removeprefix(SESSION)


def _fields_of(value: Any, info: ValidationInfo) -> str | None:
    """The fields as JSON; a value that cannot be stored costs the field, where that is noted."""
    return fields_json(plain_value(value), lost=(info.context or {}).get("lost"))


_TIME_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]}
_FIELDS_SCHEMA = {"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]}

_IdText = Annotated[str, StringConstraints(max_length=MAX_ID_LENGTH)]
_ItemText = Annotated[_IdText, StringConstraints(min_length=1)]
_KindText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_EVENT_TYPE_LENGTH)]
_OptionalId = Annotated[
    str | None,
    BeforeValidator(present(parse_id), json_schema_input_type=_IdText | WholeNumber | None),
]
_ItemId = Annotated[
    str,
    BeforeValidator(
        required(present(parse_id), expected_id_of("item")),
        json_schema_input_type=_ItemText | WholeNumber,
    ),
]
_EventType = Annotated[
    str,
    BeforeValidator(
        required(present(parse_event_type), EXPECTED["kind"]), json_schema_input_type=_KindText
    ),
]


class EventRow(BaseModel):
    """One interaction. Rows are checked one by one: a bad one does not stop the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: _OptionalId = Field(None, description="yours; the same id twice is stored once")
    kind: _EventType = Field(description="view, click, cart, purchase, rating, hide, return, ...")
    session: Annotated[
        str | None,
        BeforeValidator(_session_id, json_schema_input_type=_IdText | WholeNumber | None),
    ] = Field(None, description="the session: without a user the event is the session's")
    user: _OptionalId = Field(None, description="who; needed where there is no session")
    item: _ItemId = Field(description="what")
    time: Annotated[int, PlainValidator(_time_or_now), WithJsonSchema(_TIME_SCHEMA)] = Field(
        None, validate_default=True, description="ISO 8601 or unix time; now if absent"
    )
    value: Annotated[float | None, BeforeValidator(present(parse_value))] = Field(
        None, description="an amount or a rating"
    )
    request_id: _OptionalId = Field(None, description="the answer that led to it")
    fields: Annotated[str | None, PlainValidator(_fields_of), WithJsonSchema(_FIELDS_SCHEMA)] = (
        Field(None, description="anything else")
    )


_MAX_SHOWN = 200
"""How many characters of an unknown name are repeated."""

_NOBODY = ("user", f"expected {expected_id_of('user')}")
"""The field and the problem of a row that names neither a user nor a session."""

_AFTER_USER = tuple(EventRow.model_fields)[tuple(EventRow.model_fields).index("user") + 1 :]
"""The fields whose problems are reported only if the row names a user."""


class ParsedRows(NamedTuple):
    """Rows that became events, and what is wrong with the others.

    Attributes:
        events: The events, in the order of their rows.
        places: The index of each event's row.
        rejected: By the index of a row its id, the field that is wrong, and what was expected.
        lost: By the index of a row the fields that it is taken without.
    """

    events: list[Event]
    places: list[int]
    rejected: dict[int, tuple[str, str, str]]
    lost: dict[int, list[LostField]]


def parse_event_rows(rows: Sequence[Any]) -> ParsedRows:
    """Turn rows into events; a row without an id gets one, a row without a time happens now.

    Args:
        rows: Dictionaries with the keys of `EventRow`; anything else is rejected.

    Returns:
        The events, and the rows that were rejected.
    """
    parsed = ParsedRows([], [], {}, {})
    for index, row in enumerate(_with_times(rows)):
        lost: list[LostField] = []
        if isinstance(row, Mapping) and len(row) > len(EventRow.model_fields):
            name = next(name for name in row if name not in EventRow.model_fields)
            event_id = row.get("id")
            parsed.rejected[index] = (
                event_id if isinstance(event_id, str) else "",
                *_unknown_field(str(name)),
            )
            continue
        try:
            valid = EventRow.model_validate(row, context={"lost": lost})
        except ValidationError as error:
            event_id = row.get("id") if isinstance(row, Mapping) else None
            event_id = event_id if isinstance(event_id, str) else ""
            parsed.rejected[index] = (event_id, *_row_problem(error))
            if parsed.rejected[index][1] in _AFTER_USER and all(
                present(parse_id)(row.get(name)) is None for name in ("user", "session")
            ):
                parsed.rejected[index] = (event_id, *_NOBODY)
            continue
        if valid.user is None and valid.session is None:
            parsed.rejected[index] = (valid.id or "", *_NOBODY)
            continue
        if lost:
            parsed.lost[index] = lost
        fields = valid.fields
        if valid.user and valid.session:  # the event of a known user keeps its session
            content = {SESSION_FIELD: valid.session, **orjson.loads(fields or "{}")}
            fields = orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()
        parsed.places.append(index)
        parsed.events.append(
            Event(
                "interaction",
                valid.id or uuid.uuid4().hex,
                valid.kind,
                valid.user or f"{SESSION}{valid.session}",
                valid.item,
                valid.time,
                None,
                valid.value,
                valid.request_id,
                fields,
            )
        )
    return parsed


def _with_times(rows: Sequence[Any]) -> Sequence[Any]:
    """The rows with datetimes, where their times are days that are written as numbers."""
    times = [row.get("time") if isinstance(row, Mapping) else None for row in rows]
    numbers = (time for time in times if type(time) is not str or "-" not in time)
    if not any(may_be_day(number) for number in numbers if number is not None):
        return rows
    reading = survey_times(times).reading
    if reading in (None, "unix"):
        return rows
    moments = wall_times_of_numbers(times, reading).to_list()
    return [
        row if moment is None else {**row, "time": moment}
        for row, moment in zip(rows, moments, strict=True)
    ]


def fields_text(fields: Any) -> str:
    """Write the fields of an item or user as a JSON object with sorted keys.

    Args:
        fields: Names and values, as `plait.ingest.field_values.fields_json` takes them: the parts
            of an object are fields of their own, as in files.

    Returns:
        The text; "{}" if there are no fields.

    Raises:
        InputError: If this is no mapping, or a value is nothing that JSON can express.
    """
    fields = plain_value(fields)
    try:
        return fields_json(fields) or "{}"
    except FieldError as problem:
        raise InputError(f"expected {problem}", field=problem.field) from problem


def merged_parts(text: str, current: Collection[str]) -> str:
    """Add to the fields of a merge patch (RFC 7396) what they replace.

    A field that is set or cleared replaces the object of its name, whose parts are fields of their
    own: null for `name` clears `name.de`. A part replaces a value of the object's name.

    Args:
        text: The fields of the patch, from `fields_text`.
        current: The names of the fields that the item (or user) has.

    Returns:
        The fields, with null for each one that is replaced.
    """
    fields = orjson.loads(text)
    replaced = [
        name
        for name in current
        if name not in fields
        and any(name.startswith(f"{new}.") or new.startswith(f"{name}.") for new in fields)
    ]
    if not replaced:
        return text
    return orjson.dumps({**dict.fromkeys(replaced), **fields}, option=orjson.OPT_SORT_KEYS).decode()


def _row_problem(error: ValidationError) -> tuple[str, str]:
    """The field that is wrong, "" for the whole row, and why; an unknown field comes first."""
    problems = error.errors(include_url=False, include_input=False)
    problem = min(problems, key=lambda entry: entry["type"] != "extra_forbidden")
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        return _unknown_field(field)
    if problem["type"] == "missing":
        expected = EXPECTED["kind"] if field == "kind" else expected_id_of(field)
        return field, f"expected {expected}"
    refusal = problem.get("ctx", {}).get("error")
    if isinstance(refusal, FieldError):
        return refusal.field or field, f"expected {refusal}"
    return field, "expected an object"


def _unknown_field(name: str) -> tuple[str, str]:
    """The field and the problem of a row with a field that no event has."""
    name = name[:_MAX_SHOWN]
    known = ", ".join(EventRow.model_fields)
    return name, f"unknown field {name!r}, expected one of {known}"
