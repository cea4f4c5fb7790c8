"""The outcome of importing one source, added up batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

import numpy as np

from plait.data.types import Event
from plait.eventlog import AppendResult, RowStatus
from plait.ingest.catalogue_reconciliation import ReassertedEvent
from plait.ingest.event_builder import EventBatch
from plait.ingest.rejects import Rejected, RejectsFile, shortened
from plait.ingest.source_notes import ImportNote, NoteCollector
from plait.ingest.source_summary import SourceSummary

__all__ = ["ImportResult", "ImportTally"]

_ATTRIBUTES = {"kind": "event_type", "type": "record_type"}
"""Names of fields in errors to those of `Event`, where they differ."""

_MAX_PROBLEMS = 5

_status, _lost = attrgetter("status"), attrgetter("lost")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The outcome for the rows of one source.

    Attributes:
        source: The name of the source.
        stored: How many rows are new in the log.
        duplicate: How many were there already.
        conflict: How many have the id of an event with other content.
        rejected: How many were refused.
        version: The log's last offset after them.
        rejects: The file that reports rejected and conflicting rows; None if there are none.
        problems: The first of them, and the first fields that were left out.
        lost_fields: How many fields were left out of rows that are stored without them.
        notes: What to know about the values of the source.
        summary: What was understood of it.
    """

    source: str = ""
    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    version: int = 0
    rejects: Path | None = None
    problems: tuple[Rejected, ...] = field(default=())
    lost_fields: int = 0
    notes: tuple[ImportNote, ...] = field(default=())
    summary: SourceSummary = field(default_factory=SourceSummary)

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return self.stored + self.duplicate + self.conflict + self.rejected


class ImportTally:
    """Adds up the outcome of one source.

    Args:
        source: The name of the source.

    Attributes:
        source: The name of the source.
        file: The file of refused rows, once there is one.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.file: RejectsFile | None = None
        self._rows = 0
        self._counts: Counter[str] = Counter()
        self._version = 0
        self._problems: list[Rejected] = []
        self._notes = NoteCollector()

    def batch_of(self, events: Sequence[Event]) -> EventBatch:
        """Make a batch of events that are none yet.

        Args:
            events: The events.

        Returns:
            The batch, with their row numbers.
        """
        first = self._rows + 1
        rows = np.arange(first, first + len(events), dtype=np.int64)
        return EventBatch(self.source, list(events), rows)

    def add(self, batch: EventBatch, result: AppendResult | None, file: RejectsFile | None) -> None:
        """Take up the outcome of a batch.

        Args:
            batch: The batch.
            result: The status of each of its events.
            file: Takes the refused rows.
        """
        self._rows += len(batch.events)
        self._counts["duplicate"] += batch.repeated
        self._counts["rejected"] += len(batch.rejects)
        self.add_notes(batch.notes)
        losses, problems = list(batch.losses), list(batch.rejects)
        if result is not None:
            self._version = result.version
            statuses = Counter(map(_status, result.rows))
            self._counts.update(statuses)
            if statuses["rejected"] or statuses["conflict"]:
                problems += _refused_rows(batch, result.rows)
            if any(map(_lost, result.rows)):
                losses += _lost_fields(batch, result.rows)
        self._counts["lost"] += len(losses)
        problems += losses
        self._problems += problems[: _MAX_PROBLEMS - len(self._problems)]
        if file is not None and problems:
            file.write(sorted(problems, key=lambda problem: problem.row))
            file.flush()

    def add_stored(self, count: int, version: int) -> None:
        """Count rows that were stored as columns.

        Args:
            count: How many.
            version: The log's last offset after them.
        """
        self._counts["stored"] += count
        self._version = version

    def add_notes(self, notes: Iterable[ImportNote]) -> None:
        """Take up what to know of the source.

        Args:
            notes: The notes.
        """
        for note in notes:
            self._notes.add(note)

    def reassert(self, events: Sequence[ReassertedEvent], result: AppendResult) -> None:
        """Count duplicates that are stored after all.

        Args:
            events: The events that were appended again.
            result: What became of them.
        """
        self._version = result.version
        stored = sum(
            event.duplicate and row.status == "stored"
            for event, row in zip(events, result.rows, strict=True)
        )
        self._counts["stored"] += stored
        self._counts["duplicate"] -= stored

    def add_removals(self, result: AppendResult) -> None:
        """Take up the removal of items that the source does not have.

        Args:
            result: The outcome of removing them.
        """
        self._version = result.version

    def result(self, summary: SourceSummary) -> ImportResult:
        """Return the outcome.

        Args:
            summary: What was understood of the source.
        """
        counts, file = self._counts, self.file
        if file is not None:
            file.close()
        return ImportResult(
            self.source,
            counts["stored"],
            counts["duplicate"],
            counts["conflict"],
            counts["rejected"],
            self._version,
            file.path if file is not None and file.count else None,
            tuple(self._problems),
            counts["lost"],
            tuple(self._notes.notes()),
            summary,
        )


def _lost_fields(batch: EventBatch, rows: Sequence[RowStatus]) -> list[Rejected]:
    """The fields that the log left out, with the rows of the file and what stood there."""
    return [
        Rejected(batch.source, int(row), loss.field, shortened(loss.value), loss.expected)
        for row, status in zip(batch.rows, rows, strict=True)
        for loss in status.lost
    ]


def _refused_rows(batch: EventBatch, rows: Sequence[RowStatus]) -> list[Rejected]:
    """What the log refused, with the rows of the file and what stood there."""
    refused = []
    for event, row, status in zip(batch.events, batch.rows.tolist(), rows, strict=True):
        if status.status not in ("rejected", "conflict"):
            continue
        if status.fault is not None:
            value, expected = status.fault.value, status.fault.expected
        else:
            name = _ATTRIBUTES.get(status.field, status.field)
            value = getattr(event, name) if name in Event._fields else None
            expected = status.error.removeprefix("expected ")
        refused.append(Rejected(batch.source, row, status.field, shortened(value), expected))
    return refused
