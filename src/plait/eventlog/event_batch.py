"""A batch of events on its way into the log, and what becomes of each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from plait.data.types import NOW, Event
from plait.eventlog.event_validation import Problem, id_hash, validate_event
from plait.eventlog.read import EventChunk
from plait.schema.schema import FieldProblem

__all__ = ["AppendResult", "EventBatch", "RowStatus", "Status"]

Status = Literal["stored", "duplicate", "conflict", "rejected"]


class RowStatus(NamedTuple):
    """The outcome of appending one event.

    Attributes:
        id: The event's external id.
        status: "stored", "duplicate", "conflict" or "rejected".
        error: What was expected, "" if the event was stored or is a duplicate.
        field: The field at fault, "" if there is none.
        fault: The value and the expected type, where a value does not fit the type of its field.
    """

    id: str
    status: Status
    error: str = ""
    field: str = ""
    fault: FieldProblem | None = None


class AppendResult(NamedTuple):
    """The outcome of appending a batch.

    Attributes:
        version: The log's last offset after the commit.
        rows: A status for every event, in the order of the events.
        chunk: All events that the commit stored, as `EventLog.read` returns them: a state whose
            version is `chunk.offsets[0] - 1` can apply them without reading the log. None if
            nothing was stored, if a user was erased, or above `MAX_RETURNED_ROWS` rows.
    """

    version: int
    rows: list[RowStatus]
    chunk: EventChunk | None = None


class EventBatch:
    """A batch on its way into the log; its arguments are the events in the order of the caller.

    Attributes:
        events: The events, each with a time if it happens when it is stored.
        digests: By index, the digest of the event's content (b"" if it is rejected).
        hashes: By index, the hash of the event's id (0 if it is rejected).
        pending: The indices of the events that are still to be stored, ascending.
        erased_ids: The external ids of the users that the batch erases.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        now = time.time_ns() // 1000
        self.events = [event._replace(time=now) if event.time == NOW else event for event in events]
        self.digests: list[bytes] = []
        self.hashes: list[int] = []
        self.pending: list[int] = []
        self.erased_ids: set[str] = set()
        self._statuses: list[RowStatus | None] = [None] * len(events)
        self._repeats: list[tuple[int, int]] = []
        first_index: dict[str, int] = {}
        for index, event in enumerate(events):
            digest = validate_event(event)
            if isinstance(digest, Problem):
                self.reject(index, digest.field, digest.error)
                self.digests.append(b"")
                self.hashes.append(0)
                continue
            self.digests.append(digest)
            self.hashes.append(id_hash(event.id))
            earlier = first_index.setdefault(event.id, index)
            if earlier == index:
                self.pending.append(index)
                if event.record_type == "erase" and event.user is not None:
                    self.erased_ids.add(event.user)
            else:
                self._repeats.append((index, earlier))

    def reject(self, index: int, field: str, error: str, fault: FieldProblem | None = None) -> None:
        """Mark the event at `index` as rejected.

        Args:
            index: The index of the event.
            field: The field at fault.
            error: What was expected.
            fault: The value and the expected type of a field of the catalogue.
        """
        event_id = str(self.events[index].id)
        self._statuses[index] = RowStatus(event_id, "rejected", error, field, fault)

    def mark_known(self, digests: Mapping[str, bytes]) -> None:
        """Mark the pending events whose ids the log has as duplicates or conflicts.

        Args:
            digests: By event id, the digests of the stored events.
        """
        for index in self.pending:
            digest = digests.get(self.events[index].id)
            if digest is not None:
                self._compare(index, digest)
        self.pending = [index for index in self.pending if self._statuses[index] is None]

    def mark_repeats(self) -> None:
        """Compare events whose ids occur more than once in the batch with the first of each id."""
        for index, earlier in self._repeats:
            status = self._statuses[earlier]
            if status is not None and status.status == "rejected":
                self.reject(index, status.field, status.error, status.fault)
            else:
                self._compare(index, self.digests[earlier])

    def result(self, version: int, chunk: EventChunk | None = None) -> AppendResult:
        """Return the outcome: events without another status are stored.

        Args:
            version: The log's last offset after the batch.
            chunk: The stored events.

        Returns:
            The outcome of the whole batch.
        """
        statuses = [
            status or RowStatus(event.id, "stored")
            for event, status in zip(self.events, self._statuses, strict=True)
        ]
        return AppendResult(version, statuses, chunk)

    def _compare(self, index: int, digest: bytes) -> None:
        event_id = self.events[index].id
        if self.digests[index] == digest:
            self._statuses[index] = RowStatus(event_id, "duplicate")
        else:
            error = "the id is taken by an event of other content"
            self._statuses[index] = RowStatus(event_id, "conflict", error, "id")
