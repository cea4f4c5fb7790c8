"""Imports events: applies the consent policy, appends to the log and reports rejected rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.errors import InputError
from plait.eventlog import AppendResult, EventLogWriter, RowStatus
from plait.eventlog.retraction import ImportSource
from plait.ingest.catalogue_loss_check import CatalogueEffect
from plait.ingest.catalogue_reconciliation import CatalogueLog, Reconciler
from plait.ingest.event_builder import EventBatch
from plait.ingest.import_result import ImportResult, ImportTally
from plait.ingest.import_warnings import source_notes, source_warnings
from plait.ingest.rejects import RejectsFile
from plait.ingest.source_notes import ImportNote
from plait.ingest.source_summary import SourceSummary, SummaryCollector
from plait.privacy.consent import ConsentPolicy

__all__ = ["ImportResult", "Importer"]

Progress = Callable[[str, int, int], None]
"""Called with the source, how much of it is done and how much there is (0: unknown)."""

_BATCH = 50_000


class Importer:
    """Lets events into a log.

    Args:
        log: Where they are stored. Only a `CatalogueLog` keeps declared field types, takes
            catalogues that return to earlier values, and takes imports back.
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

    @property
    def catalogue_log(self) -> CatalogueLog | None:
        """The log, if it can be read again."""
        return self._log if isinstance(self._log, CatalogueLog) else None

    def append(
        self,
        events: Sequence[Event],
        source: ImportSource | None = None,
        types: Mapping[tuple[str, str], FieldType] | None = None,
    ) -> AppendResult:
        """Store a batch in one transaction.

        Args:
            events: The batch.
            source: The import that it belongs to.
            types: Declared types of fields.

        Returns:
            A status for each event, in their order; without consent it is "rejected".

        Raises:
            ConflictError: If a field is stored as another type.
            InputError: If the log keeps no types.
        """
        if not (self._consent.required or self._consent.pseudonyms):
            if source is None and not types:
                return self._log.append(events)
            return self._append(events, source, types)
        allowed, refused = self._consent.filter_events(events)
        if not refused:
            return self._append(allowed, source, types)
        rows: list[RowStatus | None] = [None] * len(events)
        for rejection in refused:
            event_id, error = events[rejection.index].id, f"expected {rejection.expected}"
            rows[rejection.index] = RowStatus(event_id, "rejected", error, rejection.field)
        result = self._append(allowed, source, types)
        appended = iter(result.rows)
        statuses = [next(appended) if row is None else row for row in rows]
        outcome = AppendResult(result.version, statuses)
        outcome.new = result.new
        return outcome

    def _append(
        self,
        events: Sequence[Event],
        source: ImportSource | None,
        types: Mapping[tuple[str, str], FieldType] | None,
    ) -> AppendResult:
        if isinstance(self._log, CatalogueLog) and (source or types):
            return self._log.append(events, source=source, types=types)
        if types:
            raise InputError("this log keeps no declared types", hint="leave out [*.types]")
        return self._log.append(events)

    def add(
        self,
        batches: Iterable[EventBatch | Sequence[Event]],
        progress: Progress | None = None,
        *,
        source: str = "events",
        import_id: str = "",
        effect: CatalogueEffect | None = None,
    ) -> ImportResult:
        """Import a source batch by batch, each in one transaction.

        What was stored before a failure stays, and importing again stores the others. A row of a
        catalogue that the log has already is stored again if it is no longer current:
        `plait.ingest.catalogue_reconciliation`.

        Args:
            batches: The batches.
            progress: Called after each batch.
            source: What the rows are: "events", "items", ...; the name of batches that have none.
            import_id: The id of the import, by which it can be taken back; "" for none.
            effect: What the rows take from the catalogue; the items that it removes are removed
                at the end.

        Returns:
            The outcome.

        Raises:
            ConflictError: If the mapping declares a field type against a stored one.
            StorageError: If the log or the rejects file cannot be written.
        """
        tally, collector = ImportTally(source), SummaryCollector(source)
        log = self._log if isinstance(self._log, CatalogueLog) else None
        reconciler = None if log is None else Reconciler(log, self._consent.user_id)
        known_kinds = [] if log is None else log.kinds()
        is_first = log is not None and source == "events" and not log.has_interactions()
        begun = time.time_ns() // 1000
        mark: ImportSource | None = None
        for entry in batches:
            batch = entry if isinstance(entry, EventBatch) else tally.batch_of(entry)
            tally.source = batch.source
            if import_id:
                mark = ImportSource(import_id, begun, source, batch.source)
            result = self.append(batch.events, mark, batch.types) if batch.events else None
            tally.add(batch, result, self._rejects_file(tally))
            collector.add(batch, result)
            if reconciler is not None and result is not None and batch.untimed:
                reconciler.note(batch.events, result.rows)
            if progress is not None:
                progress(batch.source, batch.consumed, batch.size or 0)
        reasserted = reconciler.reasserted() if reconciler is not None else iter(())
        while again := list(islice(reasserted, _BATCH)):
            events = [entry.event for entry in again]
            tally.reassert(again, self.append(events, mark))
        if effect is not None and effect.removed:
            tally.add_removals(self.append(effect.removals(), mark))
        warnings = source_warnings(collector, log, known_kinds, is_first)
        tally.add_notes(source_notes(collector))
        return tally.result(_with_effect(collector.summary(log), effect, warnings))

    def _rejects_file(self, tally: ImportTally) -> RejectsFile | None:
        if tally.file is None and self._rejects is not None:
            private = self._consent.pseudonyms
            tally.file = RejectsFile(self._rejects, tally.source, private=private)
        return tally.file


def _with_effect(
    summary: SourceSummary, effect: CatalogueEffect | None, warnings: Iterable[ImportNote]
) -> SourceSummary:
    if effect is None:
        return replace(summary, warnings=tuple(warnings))
    return replace(
        summary,
        cleared=effect.cleared,
        removed=len(effect.removed),
        warnings=(*warnings, *effect.problems()),
    )
