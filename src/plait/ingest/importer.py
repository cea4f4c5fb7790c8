"""The one way in: what comes from outside passes consent, then the log; what does not is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.errors import InputError
from plait.eventlog import AppendResult, RowStatus
from plait.ingest.event_builder import EventBatch
from plait.ingest.reconciliation import Knows, ReassertedEvent, Reconciler
from plait.ingest.rejects import Rejected, RejectsFile, shortened
from plait.privacy.consent import ConsentPolicy

__all__ = ["Appends", "Declares", "ImportResult", "Importer"]

Progress = Callable[[str, int, int], None]
"""Told the source, how much of it is done and how much there is (0: nobody knows)."""


class Appends(Protocol):
    """What stands behind the door: the log, or a writer before it."""

    def append(self, events: Sequence[Event]) -> AppendResult:
        """Store a batch in one transaction."""


@runtime_checkable
class Declares(Protocol):
    """A log that keeps field types which a mapping declares."""

    def declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        """Store types by (entity, field). ConflictError if a field is stored as another type."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of the rows of one source.

    `stored` + `duplicate` + `conflict` + `rejected` are all its rows; `version` is the log's last
    offset after them; `rejects` the file in which rejected and conflicting rows are told, None if
    there are none; `problems` the first of them.
    """

    source: str = ""
    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    version: int = 0
    rejects: Path | None = None
    problems: tuple[Rejected, ...] = field(default=())

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return self.stored + self.duplicate + self.conflict + self.rejected


_ATTRIBUTES = {"kind": "event_type", "type": "record_type"}
"""Names of fields in errors to those of `Event`, where they differ."""

_SHOWN = 5
_PIECE = 50_000


class Importer:
    """Lets events in. `rejects` is the folder for what is refused, None: it is only counted."""

    def __init__(
        self, log: Appends, consent: ConsentPolicy | None = None, *, rejects: Path | None = None
    ) -> None:
        self._log = log
        self._consent = consent or ConsentPolicy()
        self._rejects = rejects

    def append(self, events: Sequence[Event]) -> AppendResult:
        """As `Log.append`: a row for each event, in their order; without consent it is rejected."""
        kept, refused = self._consent.filter_events(events)
        if not refused:
            return self._log.append(kept)
        rows: list[RowStatus | None] = [None] * len(events)
        for one in refused:
            error = f"expected {one.expected}"
            rows[one.index] = RowStatus(events[one.index].id, "rejected", error, one.field)
        done = self._log.append(kept)
        let_in = iter(done.rows)
        return AppendResult(done.version, [next(let_in) if row is None else row for row in rows])

    def add(
        self,
        batches: Iterable[EventBatch | Sequence[Event]],
        progress: Progress | None = None,
        *,
        source: str = "events",
    ) -> ImportResult:
        """Let in a source batch by batch, each one transaction; bad rows go to the rejects file.

        What was stored before a failure stays, and doing it again does the rest. A row of a
        catalogue that the log knows is stored again if it holds no longer:
        `plait.ingest.reconciliation`.
        Raises whatever the log raises, ConflictError if the mapping declares a type against a
        stored one.
        """
        count = _Tally(source)
        log = self._log
        restated = Reconciler(log, self._consent.user_id) if isinstance(log, Knows) else None
        declared: set[tuple[str, str]] = set()
        for one in batches:
            batch = one if isinstance(one, EventBatch) else _batch_of(one, count, source)
            count.source = batch.source
            self._declare({k: v for k, v in batch.types.items() if k not in declared})
            declared.update(batch.types)
            done = self.append(batch.events) if batch.events else None
            count.take(batch, done, self._file(count))
            if restated is not None and done is not None and batch.untimed:
                restated.note(batch.events, done.rows)
            if progress is not None:
                progress(batch.source, batch.consumed, batch.size or 0)
        if restated is not None:
            self._say_again(restated.again(), count)
        return count.receipt()

    def _say_again(self, found: Iterator[ReassertedEvent], count: _Tally) -> None:
        while piece := list(islice(found, _PIECE)):
            count.retake(piece, self.append([one.event for one in piece]))

    def _declare(self, types: Mapping[tuple[str, str], FieldType]) -> None:
        if not types:
            return
        if not isinstance(self._log, Declares):
            raise InputError("this log keeps no declared types", hint="leave out [*.types]")
        self._log.declare(types)

    def _file(self, count: _Tally) -> RejectsFile | None:
        if count.file is None and self._rejects is not None:
            private = self._consent.pseudonyms
            count.file = RejectsFile(self._rejects, count.source, private=private)
        return count.file


class _Tally:
    """Adds up one source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.file: RejectsFile | None = None
        self.rows = 0
        self._counts: Counter[str] = Counter()
        self._version = 0
        self._problems: list[Rejected] = []

    def take(self, batch: EventBatch, done: AppendResult | None, file: RejectsFile | None) -> None:
        self.rows += len(batch.events)
        self._counts["duplicate"] += batch.repeated
        self._counts["rejected"] += len(batch.rejects)
        problems = list(batch.rejects)
        if done is not None:
            self._version = done.version
            self._counts.update(row.status for row in done.rows)
            problems += _told(batch, done.rows)
        self._problems += problems[: _SHOWN - len(self._problems)]
        if file is not None and problems:
            file.write(sorted(problems, key=lambda one: one.row))
            file.flush()

    def retake(self, again: Sequence[ReassertedEvent], done: AppendResult) -> None:
        """What was a duplicate and is stored after all."""
        self._version = done.version
        stored = [
            one.known and row.status == "stored" for one, row in zip(again, done.rows, strict=True)
        ]
        self._counts["stored"] += sum(stored)
        self._counts["duplicate"] -= sum(stored)

    def receipt(self) -> ImportResult:
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
        )


def _told(batch: EventBatch, rows: Sequence[RowStatus]) -> list[Rejected]:
    """What the log refused, with the rows of the file."""
    return [
        Rejected(
            batch.source,
            int(batch.rows[at]),
            row.field,
            shortened(_found(batch.events[at], row)),
            row.error.removeprefix("expected ") if row.fault is None else row.fault.expected,
        )
        for at, row in enumerate(rows)
        if row.status in ("rejected", "conflict")
    ]


def _found(event: Event, row: RowStatus) -> object:
    """What stood in the part that the log refused; nothing where that is the whole row."""
    if row.fault is not None:
        return row.fault.value
    name = _ATTRIBUTES.get(row.field, row.field)
    return getattr(event, name) if name in Event._fields else None


def _batch_of(events: Sequence[Event], count: _Tally, source: str) -> EventBatch:
    rows = np.arange(count.rows + 1, count.rows + 1 + len(events), dtype=np.int64)
    return EventBatch(source, list(events), rows)
