"""Imports events: applies the consent policy, appends to the log and reports rejected rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.errors import InputError
from plait.eventlog import AppendResult, EventLogWriter, RowStatus
from plait.ingest.event_builder import EventBatch
from plait.ingest.rejects import Rejected, RejectsFile, shortened
from plait.ingest.reverted_rows import CatalogueLog, ReassertedEvent, Reconciler
from plait.ingest.source_notes import ImportNote, NoteCollector
from plait.privacy.consent import ConsentPolicy

__all__ = ["ImportResult", "Importer"]

Progress = Callable[[str, int, int], None]
"""Called with the source, how much of it is done and how much there is (0: unknown)."""

_ATTRIBUTES = {"kind": "event_type", "type": "record_type"}
"""Names of fields in errors to those of `Event`, where they differ."""

_MAX_PROBLEMS = 5
_BATCH = 50_000


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
        notes: What to know about the source.
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

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return self.stored + self.duplicate + self.conflict + self.rejected


class Importer:
    """Lets events into a log.

    Args:
        log: Where they are stored. Only an `CatalogueLog` keeps declared field types and
            takes catalogues that return to earlier values.
        consent: Who may be stored; by default everyone.
        rejects: The folder for reports of refused rows; None: they are only counted.
    """

    def __init__(
        self,
        log: EventLogWriter,
        consent: ConsentPolicy | None = None,
        *,
        rejects: Path | None = None,
    ) -> None:
        self._log = log
        self._consent = consent or ConsentPolicy()
        self._rejects = rejects

    def field_types(self) -> Mapping[tuple[str, str], FieldType]:
        """Return the types of the fields that the log knows, by (entity, field)."""
        return self._log.schema().types if isinstance(self._log, CatalogueLog) else {}

    def append(self, events: Sequence[Event]) -> AppendResult:
        """Store a batch in one transaction.

        Args:
            events: The batch.

        Returns:
            A status for each event, in their order; without consent it is "rejected".
        """
        if not (self._consent.required or self._consent.pseudonyms):
            return self._log.append(events)
        allowed, refused = self._consent.filter_events(events)
        if not refused:
            return self._log.append(allowed)
        rows: list[RowStatus | None] = [None] * len(events)
        for rejection in refused:
            event_id, error = events[rejection.index].id, f"expected {rejection.expected}"
            rows[rejection.index] = RowStatus(event_id, "rejected", error, rejection.field)
        result = self._log.append(allowed)
        appended = iter(result.rows)
        return AppendResult(
            result.version, [next(appended) if row is None else row for row in rows]
        )

    def add(
        self,
        batches: Iterable[EventBatch | Sequence[Event]],
        progress: Progress | None = None,
        *,
        source: str = "events",
    ) -> ImportResult:
        """Import a source batch by batch, each in one transaction.

        What was stored before a failure stays, and importing again stores the others. A row of a
        catalogue that the log has already is stored again if it is no longer current:
        `plait.ingest.reverted_rows`.

        Args:
            batches: The batches.
            progress: Called after each batch.
            source: The name of batches that have none.

        Returns:
            The outcome.

        Raises:
            ConflictError: If the mapping declares a field type against a stored one.
            StorageError: If the log or the rejects file cannot be written.
        """
        tally = _Tally(source)
        reader = self._log if isinstance(self._log, CatalogueLog) else None
        reconciler = None if reader is None else Reconciler(reader, self._consent.user_id)
        declared: set[tuple[str, str]] = set()
        for entry in batches:
            batch = entry if isinstance(entry, EventBatch) else tally.batch_of(entry)
            tally.source = batch.source
            self._declare({k: dtype for k, dtype in batch.types.items() if k not in declared})
            declared.update(batch.types)
            result = self.append(batch.events) if batch.events else None
            tally.add(batch, result, self._rejects_file(tally))
            if reconciler is not None and result is not None and batch.untimed:
                reconciler.note(batch.events, result.rows)
            if progress is not None:
                progress(batch.source, batch.consumed, batch.size or 0)
        if reconciler is not None:
            reasserted: Iterator[ReassertedEvent] = reconciler.reasserted()
            while again := list(islice(reasserted, _BATCH)):
                tally.reassert(again, self.append([entry.event for entry in again]))
        return tally.result()

    def _declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        if not types:
            return
        if not isinstance(self._log, CatalogueLog):
            raise InputError("this log keeps no declared types", hint="leave out [*.types]")
        self._log.declare(types)

    def _rejects_file(self, tally: _Tally) -> RejectsFile | None:
        if tally.file is None and self._rejects is not None:
            private = self._consent.pseudonyms
            tally.file = RejectsFile(self._rejects, tally.source, private=private)
        return tally.file


class _Tally:
    """Adds up the outcome of one source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.file: RejectsFile | None = None
        self._rows = 0
        self._counts: Counter[str] = Counter()
        self._version = 0
        self._problems: list[Rejected] = []
        self._notes = NoteCollector()

    def batch_of(self, events: Sequence[Event]) -> EventBatch:
        """Events that are no batch yet, with their row numbers."""
        first = self._rows + 1
        rows = np.arange(first, first + len(events), dtype=np.int64)
        return EventBatch(self.source, list(events), rows)

    def add(self, batch: EventBatch, result: AppendResult | None, file: RejectsFile | None) -> None:
        self._rows += len(batch.events)
        self._counts["duplicate"] += batch.repeated
        self._counts["rejected"] += len(batch.rejects)
        for note in batch.notes:
            self._notes.add(note)
        losses, problems = list(batch.losses), list(batch.rejects)
        if result is not None:
            self._version = result.version
            self._counts.update(row.status for row in result.rows)
            problems += _refused_rows(batch, result.rows)
            losses += _lost_fields(batch, result.rows)
        self._counts["lost"] += len(losses)
        problems += losses
        self._problems += problems[: _MAX_PROBLEMS - len(self._problems)]
        if file is not None and problems:
            file.write(sorted(problems, key=lambda problem: problem.row))
            file.flush()

    def reassert(self, events: Sequence[ReassertedEvent], result: AppendResult) -> None:
        """Count duplicates that are stored after all."""
        self._version = result.version
        stored = sum(
            event.duplicate and row.status == "stored"
            for event, row in zip(events, result.rows, strict=True)
        )
        self._counts["stored"] += stored
        self._counts["duplicate"] -= stored

    def result(self) -> ImportResult:
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
