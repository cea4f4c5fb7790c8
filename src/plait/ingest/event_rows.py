"""Rows of an HTTP body (or any list of dicts) as interactions, each judged by itself."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from plait.data.types import NOW, Event
from plait.errors import InputError
from plait.schema.coercion import id_problem
from plait.utils.timestamps import is_plausible_time, to_micros

__all__ = ["KEYS", "ParsedRows", "parse_event_rows"]

KEYS = ("id", "kind", "user", "item", "time", "value", "request_id", "fields")
"""What a row may say."""


class ParsedRows(NamedTuple):
    """Rows that became events, with their places; what was wrong with the others, by place."""

    events: list[Event]
    places: list[int]
    rejected: dict[int, tuple[str, str, str]]


def parse_event_rows(rows: Sequence[Any]) -> ParsedRows:
    """Turn rows into events; a row without an id gets one, without a time it happens now."""
    events: list[Event] = []
    places: list[int] = []
    rejected: dict[int, tuple[str, str, str]] = {}
    for place, row in enumerate(rows):
        try:
            events.append(_event(row))
        except InputError as problem:
            rejected[place] = (_named(row), problem.field, problem.message)
            continue
        places.append(place)
    return ParsedRows(events, places, rejected)


def _event(row: Any) -> Event:
    if not isinstance(row, Mapping):
        raise InputError("expected an object")
    for key in row:
        if key not in KEYS:
            raise InputError(f"there is no field {key!r}, fields are {', '.join(KEYS)}", field=key)
    kind = row.get("kind")
    if not isinstance(kind, str) or not kind:
        raise InputError("expected the kind of interaction", field="kind")
    if id_problem(kind):
        raise InputError(f"expected {id_problem(kind)}", field="kind")
    return Event(
        "interaction",
        _id(row, "id") or uuid.uuid4().hex,
        kind,
        _needed(row, "user"),
        _needed(row, "item"),
        _time(row.get("time")),
        None,
        _value(row.get("value")),
        _id(row, "request_id"),
        _fields(row.get("fields")),
    )


def _needed(row: Mapping[str, Any], name: str) -> str:
    found = _id(row, name)
    if found is None:
        raise InputError(f"expected the id of the {name}", field=name)
    return found


def _id(row: Mapping[str, Any], name: str) -> str | None:
    found = row.get(name)
    if found is None:
        return None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not found:
        raise InputError("expected a string that is not empty", field=name)
    expected = id_problem(found)
    if expected:
        raise InputError(f"expected {expected}", field=name)
    return found


def _time(given: Any) -> int:
    if given is None:
        return NOW
    found = to_micros(given)
    if not is_plausible_time(found, time.time_ns() // 1000):
        raise InputError("expected a time from 1900 to a day from now", field="time")
    return found


def _value(found: Any) -> float | None:
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise InputError("expected a finite number", field="value")
    return float(found)


def _fields(found: Any) -> str | None:
    if found is None or found == {}:
        return None
    return fields_text(found)


def fields_text(found: Any) -> str:
    """Fields as the text of a JSON object with sorted keys; InputError names the one that is not.

    Fields may be text, finite numbers, truth values, lists of these, and {lat, lon}.
    """
    if not isinstance(found, Mapping):
        raise InputError("expected an object of fields", field="fields")
    for name, value in found.items():
        if not isinstance(name, str):
            raise InputError("expected names that are strings", field=str(name))
        if not _finite(value):
            raise InputError("expected a finite number", field=name)
    try:
        return orjson.dumps(dict(found), option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError) as problem:
        raise InputError(f"expected what JSON can say: {problem}", field="fields") from problem


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list | tuple):
        return all(_finite(one) for one in value)
    return all(_finite(one) for one in value.values()) if isinstance(value, Mapping) else True


def _named(row: Any) -> str:
    found = row.get("id") if isinstance(row, Mapping) else None
    return found if isinstance(found, str) else ""
