"""Rows of a request (or any list of dicts) as interactions, each checked by itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from plait.data.types import Event
from plait.errors import InputError
from plait.ingest.event_schema import EventRow, FieldError, fields_json, row_problem

__all__ = ["ParsedRows", "fields_text", "parse_event_rows"]


class ParsedRows(NamedTuple):
    """Rows that became events, and what is wrong with the others.

    Attributes:
        events: The events, in the order of their rows.
        places: The index of each event's row.
        rejected: By the index of a row its id, the field that is wrong, and what was expected.
    """

    events: list[Event]
    places: list[int]
    rejected: dict[int, tuple[str, str, str]]


def parse_event_rows(rows: Sequence[Any]) -> ParsedRows:
    """Turn rows into events; a row without an id gets one, a row without a time happens now.

    Args:
        rows: Dictionaries with the keys of `EventRow`; anything else is rejected.

    Returns:
        The events, and the rows that were rejected.
    """
    parsed = ParsedRows([], [], {})
    for index, row in enumerate(rows):
        try:
            event = EventRow.model_validate(row)
        except ValidationError as error:
            event_id = row.get("id") if isinstance(row, Mapping) else None
            event_id = event_id if isinstance(event_id, str) else ""
            parsed.rejected[index] = (event_id, *row_problem(error))
            continue
        parsed.places.append(index)
        parsed.events.append(
            Event(
                "interaction",
                event.id or uuid.uuid4().hex,
                event.kind,
                event.user,
                event.item,
                event.time,
                None,
                event.value,
                event.request_id,
                event.fields,
            )
        )
    return parsed


def fields_text(fields: Any) -> str:
    """Write the fields of an item or user as a JSON object with sorted keys.

    Args:
        fields: Names and values, as `plait.ingest.event_schema.fields_json` takes them.

    Returns:
        The text; "{}" if there are no fields.

    Raises:
        InputError: If this is no mapping, or a value is nothing that JSON can express.
    """
    try:
        return fields_json(fields) or "{}"
    except FieldError as problem:
        raise InputError(f"expected {problem}", field=problem.field) from problem
