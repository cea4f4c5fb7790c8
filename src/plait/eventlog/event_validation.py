"""The checks of an event before storage, and the digest that identifies an event.

Only what the tables need is checked: types, ids, ranges, and JSON that can be stored. The rules
about content (plausible times, control characters) are those of `plait.schema.event_bounds`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import orjson

from plait.data.types import NOW, Event
from plait.schema.event_bounds import MAX_ID_LENGTH, is_plausible_value
from plait.utils.timestamps import MAX_TIME, MIN_TIME

__all__ = ["Problem", "id_hash", "id_hashes", "plain_digests", "validate_event"]

MAX_FIELDS_LENGTH = 1 << 20
_MAX_INT = (1 << 63) - 1
_CHANGES = ("put", "patch", "delete")
_TEXT, _OPTIONAL_TEXT, _OPTIONAL_INT = (str,), (str, NoneType), (int, NoneType)
_COLUMN_TYPES = (
    *(_TEXT, _TEXT, _TEXT, _OPTIONAL_TEXT, _OPTIONAL_TEXT, _OPTIONAL_INT, _OPTIONAL_INT),
    *((float, int, NoneType), _OPTIONAL_TEXT, _OPTIONAL_TEXT),
)
"""The types of the fields of `Event`, in their order."""
_unpack_int64 = struct.Struct(">q").unpack


class Problem(NamedTuple):
    """Why an event is rejected.

    Attributes:
        field: The field at fault, "" if it is the whole event.
        error: What was expected.
    """

    field: str
    error: str


def id_hash(external_id: str) -> int:
    """Hash an external id.

    Args:
        external_id: The id of an event, item or user.

    Returns:
        A signed 64-bit integer (the first 8 bytes of a BLAKE2b digest).
    """
    number: int = _unpack_int64(
        blake2b(external_id.encode(errors="surrogatepass"), digest_size=8).digest()
    )[0]
    return number


def id_hashes(external_ids: Iterable[str]) -> list[int]:
    """Hash many external ids; see `id_hash`.

    Args:
        external_ids: Ids without lone surrogates.

    Returns:
        Their hashes, in the order of the ids.
    """
    digests = [blake2b(name.encode(), digest_size=8).digest() for name in external_ids]
    hashes: list[int] = np.frombuffer(b"".join(digests), ">i8").tolist()
    return hashes


def plain_digests(events: Sequence[Event]) -> list[bytes] | None:
    """Check a batch column by column, which takes a third of the time of `validate_event`.

    Args:
        events: The events as the caller gave them.

    Returns:
        The digests that `validate_event` returns; None if the events are of several record types
        or one of them may be invalid.
    """
    columns: list[tuple[Any, ...]] = list(zip(*events, strict=True))
    has_types = all(
        set(map(type, column)) <= set(allowed)
        for column, allowed in zip(columns, _COLUMN_TYPES, strict=False)
    )
    if not columns or not has_types or not _is_plain(columns):
        return None
    try:
        contents = map(orjson.dumps, zip(*columns, strict=True))
        return [blake2b(content, digest_size=16).digest() for content in contents]
    except (TypeError, ValueError):
        return None


def _is_plain(columns: Sequence[Sequence[Any]]) -> bool:
    """Whether every event has one record type, with what that needs, and is within all bounds."""
    record_types, ids, kinds, users, items, times, positions, values, _, fields = columns
    record_type = record_types[0]
    if record_types.count(record_type) != len(record_types):
        return False
    if record_type == "interaction":
        has_required = None not in users and None not in items and "" not in kinds
    elif record_type in ("item", "user"):
        owners = items if record_type == "item" else users
        has_required = None not in owners and set(kinds) <= set(_CHANGES)
    else:
        has_required = False
    return (
        has_required
        and all(
            _are_within(map(len, _present(names)), 1, MAX_ID_LENGTH)
            for names in (ids, users, items)
        )
        and _are_within([time for time in _present(times) if time != NOW], MIN_TIME, MAX_TIME - 1)
        and _are_within(_present(positions), -_MAX_INT, _MAX_INT)
        and all(map(is_plausible_value, _present(values)))
        and _are_within(map(len, _present(fields)), 0, MAX_FIELDS_LENGTH)
        and not any("\0" in "".join(_present(column)) for column in (*columns[1:5], *columns[8:]))
    )


def _present(column: Sequence[Any]) -> Sequence[Any]:
    if None not in column:
        return column
    return [value for value in column if value is not None]


def _are_within(numbers: Iterable[int], least: int, most: int) -> bool:
    numbers = list(numbers)
    return not numbers or (least <= min(numbers) and max(numbers) <= most)


def validate_event(event: Event) -> bytes | Problem:
    """Check that an event can be stored.

    Args:
        event: The event as the caller gave it.

    Returns:
        A digest of its content (16 bytes, 2 for an erase event), equal for equal events; or what
        is wrong with it.
    """
    if not all(map(isinstance, event, _COLUMN_TYPES)):
        return Problem("", "expected ids and kinds as text, times and positions as integers")
    return _column_problem(event) or _record_problem(event) or _content_digest(event)


def _content_digest(event: Event) -> bytes | Problem:
    erases = event.record_type == "erase"
    if event.record_type == "merge":  # no digest of one user's id in the row of another
        event = event._replace(item=None)
    try:
        content = orjson.dumps((event.record_type, event.user) if erases else event[:])
    except (TypeError, ValueError):
        return Problem("", "expected valid Unicode text and numbers of 64 bits")
    if b"\\u0000" in content and any(isinstance(value, str) and "\0" in value for value in event):
        return Problem("", "expected text without NUL characters")
    # The digest of an erase event has 2 bytes: too short to reveal the user, long enough to tell
    # the erasure of another user from a retry.
    return blake2b(content, digest_size=2 if erases else 16).digest()


def _column_problem(event: Event) -> Problem | None:
    """The first value that is too long or out of the range of its column."""
    _, event_id, _, user, item, time, position, value, _, fields = event
    if not (
        0 < len(event_id) <= MAX_ID_LENGTH
        and (user is None or 0 < len(user) <= MAX_ID_LENGTH)
        and (item is None or 0 < len(item) <= MAX_ID_LENGTH)
    ):
        ids = {"id": event_id, "user": user, "item": item}
        name = next(n for n, i in ids.items() if i is not None and not 0 < len(i) <= MAX_ID_LENGTH)
        return Problem(name, f"expected an id of 1 to {MAX_ID_LENGTH} characters")
    if time is not None and time != NOW and not MIN_TIME <= time < MAX_TIME:
        return Problem("time", "expected a time between the years 1 and 9999")
    if position is not None and not -_MAX_INT <= position <= _MAX_INT:
        return Problem("position", "expected an integer of 64 bits")
    if value is not None and not is_plausible_value(value):
        return Problem("value", "expected a finite number that 32 bits can hold")
    if fields is not None and len(fields) > MAX_FIELDS_LENGTH:
        return Problem("fields", f"expected at most {MAX_FIELDS_LENGTH} characters of fields")
    return None


def _record_problem(event: Event) -> Problem | None:
    """The first field that this type of record needs and the event lacks."""
    record_type = event.record_type
    if record_type == "interaction":
        if event.user is None or event.item is None:
            missing = "user" if event.user is None else "item"
            return Problem(missing, f"expected the id of the {missing}")
        return None if event.event_type else Problem("kind", "expected an event type")
    if record_type in ("item", "user"):
        if (event.item if record_type == "item" else event.user) is None:
            return Problem(record_type, f"expected the id of the {record_type}")
        if event.event_type not in _CHANGES:
            return Problem("kind", f"expected one of {', '.join(_CHANGES)}")
        return None
    if record_type == "fact":
        return _triple_problem(event)
    if record_type in ("retract", "retype", "retire"):
        return None if event.fields else Problem("fields", "expected what the record is about")
    if record_type in ("erase", "merge"):
        if event.user is None:
            return Problem("user", "expected the id of the user")
        is_same = record_type == "merge" and event.item == event.user
        return Problem("into", "expected the id of another user") if is_same else None
    return Problem("type", "expected interaction, item, user, fact, erase or merge")


def _triple_problem(event: Event) -> Problem | None:
    if event.item is None or not event.event_type:
        missing = "item" if event.item is None else "kind"
        return Problem(missing, "expected the head and the relation of a triple")
    try:
        triple = orjson.loads(event.fields or "{}")
    except ValueError:
        return Problem("fields", "expected the text of a JSON object")
    tail = triple.get("tail") if isinstance(triple, dict) else None
    if not isinstance(tail, str) or not 0 < len(tail) <= MAX_ID_LENGTH:
        return Problem("tail", f"expected a tail of 1 to {MAX_ID_LENGTH} characters")
    return None
