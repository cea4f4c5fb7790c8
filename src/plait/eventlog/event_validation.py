"""What the log asks of one event, and the marks by which it knows an event again."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import orjson

from plait.data.types import NOW, Event

__all__ = ["DAY", "Problem", "digest_of", "id_hash", "validate_events"]

MAX_ID = 512
MAX_KIND = 128
MAX_FIELDS = 1 << 20
DAY = 86_400_000_000
_YEAR_1 = -62_135_596_800_000_000
_MAX_INT = (1 << 63) - 1
_MAX_VALUE = 3.4e38
_CHANGES = ("put", "patch", "delete")
_int64 = struct.Struct(">q").unpack


class Problem(NamedTuple):
    """Why an event is rejected: what was expected, and of which part."""

    field: str
    error: str


def id_hash(outside: str) -> int:
    """A signed 64-bit hash of an outside id."""
    found: int = _int64(blake2b(outside.encode(), digest_size=8).digest())[0]
    return found


def validate_events(events: Sequence[Event], now: int) -> list[bytes | Problem]:
    """For every event a digest of all it says, or what is wrong; `now` in microseconds."""
    latest = now + DAY
    return [_judged(event, latest) for event in events]


def _judged(event: Event, latest: int) -> bytes | Problem:
    try:
        return _problem(event, latest) or digest_of(event)
    except TypeError:
        return Problem("", "expected ids and kinds as text, times and positions as integers")


def digest_of(event: Event) -> bytes | Problem:
    """By which an event is told from another one of the same id: 16 bytes."""
    try:
        said = orjson.dumps(
            event[:] if event.record_type != "erase" else (event.record_type, event.user)
        )
    except (TypeError, ValueError):
        return Problem("", "expected valid Unicode text and numbers of 64 bits")
    if b"\\u0000" in said and any(isinstance(part, str) and "\0" in part for part in event):
        return Problem("", "expected text without NUL characters")
    # Of an erase 2: too short to tell who it was, long enough to tell another one from a retry.
    return blake2b(said, digest_size=2 if event.record_type == "erase" else 16).digest()


def _problem(event: Event, latest: int) -> Problem | None:
    _, outside, kind, user, item, time, position, value, _, fields = event
    if not outside or len(outside) > MAX_ID:
        return Problem("id", f"expected an id of 1 to {MAX_ID} characters")
    if time is not None and time != NOW and not _YEAR_1 <= time <= latest:
        return Problem("time", "expected a time from year 1 to a day from now")
    if len(kind) > MAX_KIND:
        return Problem("kind", f"expected a kind of at most {MAX_KIND} characters")
    if user is not None and not 0 < len(user) <= MAX_ID:
        return Problem("user", f"expected a user id of 1 to {MAX_ID} characters")
    if item is not None and not 0 < len(item) <= MAX_ID:
        return Problem("item", f"expected an item id of 1 to {MAX_ID} characters")
    if value is not None and not -_MAX_VALUE <= value <= _MAX_VALUE:
        return Problem("value", "expected a finite number that 32 bits can hold")
    if position is not None and not -_MAX_INT <= position <= _MAX_INT:
        return Problem("position", "expected an integer of 64 bits")
    if fields is not None and len(fields) > MAX_FIELDS:
        return Problem("fields", f"expected at most {MAX_FIELDS} characters of fields")
    return _type_problem(event)


def _type_problem(event: Event) -> Problem | None:
    """What this type of event needs and lacks."""
    kind_of = event.record_type
    if kind_of == "interaction":
        if event.user is None or event.item is None:
            missing = "user" if event.user is None else "item"
            return Problem(missing, f"expected the id of the {missing}")
        return None if event.event_type else Problem("kind", "expected the kind of interaction")
    if kind_of in ("item", "user"):
        if (event.item if kind_of == "item" else event.user) is None:
            return Problem(kind_of, f"expected the id of the {kind_of}")
        if event.event_type not in _CHANGES:
            return Problem("kind", f"expected one of {', '.join(_CHANGES)}")
        return None
    if kind_of == "fact":
        return _fact_problem(event)
    if kind_of == "erase":
        return None if event.user is not None else Problem("user", "expected the id of the user")
    return Problem("type", "expected interaction, item, user, fact or erase")


def _fact_problem(event: Event) -> Problem | None:
    if event.item is None or not event.event_type:
        missing = "item" if event.item is None else "kind"
        return Problem(missing, "expected a fact's head and its relation")
    try:
        said = orjson.loads(event.fields or "{}")
    except ValueError:
        return Problem("fields", "expected the text of a JSON object")
    tail = said.get("tail") if isinstance(said, dict) else None
    if not isinstance(tail, str) or not 0 < len(tail) <= MAX_ID:
        return Problem("tail", f"expected a tail of 1 to {MAX_ID} characters")
    return None
