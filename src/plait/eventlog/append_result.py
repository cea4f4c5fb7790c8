"""The outcome of appending a batch of events."""

from __future__ import annotations

from typing import Literal, NamedTuple

from plait.eventlog.read_columns import EventChunk
from plait.schema.schema import FieldProblem

__all__ = ["NOTHING_NEW", "AppendResult", "NewNames", "RowStatus", "Status"]

Status = Literal["stored", "duplicate", "conflict", "rejected"]


class RowStatus(NamedTuple):
    """The outcome of appending one event.

    Attributes:
        id: The event's external id.
        status: "stored", "duplicate", "conflict" or "rejected".
        error: What was expected, "" if the event was stored or is a duplicate.
        field: The field at fault, "" if there is none.
        fault: The value and the expected type, where the fields cannot be read at all.
        lost: The fields that a stored event lacks, because their values do not fit their types.
    """

    id: str
    status: Status
    error: str = ""
    field: str = ""
    fault: FieldProblem | None = None
    lost: tuple[FieldProblem, ...] = ()


class NewNames(NamedTuple):
    """What a batch named for the first time.

    Attributes:
        items: How many items.
        users: How many users.
        kinds: The names of event types, of changes and of relations.
    """

    items: int = 0
    users: int = 0
    kinds: tuple[str, ...] = ()


NOTHING_NEW = NewNames()
"""The outcome of a batch in which every name is known."""


class _Outcome(NamedTuple):
    version: int
    rows: list[RowStatus]
    chunk: EventChunk | None = None


class AppendResult(_Outcome):
    """The outcome of appending a batch: the tuple (version, rows, chunk), and `new` beside it.

    Attributes:
        version: The log's last offset after the commit.
        rows: A status for every event, in the order of the events.
        chunk: All events that the commit stored, as `EventLog.read` returns them: a state whose
            version is `chunk.offsets[0] - 1` can apply them without reading the log. None if
            nothing was stored, if a user was erased, or above `MAX_RETURNED_ROWS` rows.
        new: What the batch named for the first time.
    """

    new: NewNames = NOTHING_NEW
