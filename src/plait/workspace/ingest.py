"""Files and frames into the log, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from plait.errors import InputError
from plait.ingest import FileKind, read_events
from plait.ingest.column_mapping import load_mapping
from plait.ingest.importer import Importer, ImportResult
from plait.privacy.consent import ConsentPolicy
from plait.workspace.fit import Progress

__all__ = ["ImportReport", "ingest"]

ORDER: tuple[FileKind, ...] = ("items", "users", "events", "facts")
"""Users come before events: consent may be among their fields."""

assert set(ORDER) == set(get_args(FileKind))


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each kind of rows: `plait.ingest.importer.Receipt` by "items", "users", ..."""

    by_kind: Mapping[str, ImportResult]

    @property
    def version(self) -> int:
        """The log's last offset after them, 0 if nothing reached the log."""
        return max((result.version for result in self.by_kind.values()), default=0)

    @property
    def stored(self) -> int:
        """How many rows are new in the log."""
        return sum(result.stored for result in self.by_kind.values())

    @property
    def rejected(self) -> int:
        """How many rows were refused."""
        return sum(result.rejected for result in self.by_kind.values())

    def lines(self) -> list[str]:
        """For people: a line a source, and lines for the first rows that were refused."""
        return [line for kind, result in self.by_kind.items() for line in _lines(kind, result)]

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {
            "version": self.version,
            **{kind: _plain(result) for kind, result in self.by_kind.items()},
        }


def ingest(
    importer: Importer,
    consent: ConsentPolicy,
    sources: Mapping[str, Any],
    mapping: Any,
    progress: Progress,
) -> ImportReport:
    """Import every source.

    Args:
        importer: Stores the rows.
        consent: Whose rows may be stored, and under which ids.
        sources: Files or frames by "items", "users", "events" or "facts"; None is skipped.
        mapping: The mapping of their columns, or None.
        progress: Called with the kind, the number of rows done, and the number there are.

    Returns:
        What became of the rows.

    Raises:
        InputError: If there is no source, or one cannot be understood.
    """
    present = {kind: sources[kind] for kind in ORDER if sources.get(kind) is not None}
    if not present:
        raise InputError(
            "there is nothing to ingest", hint=f"give one of {', '.join(sorted(ORDER))}"
        )
    if isinstance(mapping, str | Path):
        mapping = load_mapping(mapping)  # once: a pipe is empty the second time
    readers = {
        kind: read_events(source, kind, mapping, key=consent.content_key)
        for kind, source in present.items()
    }  # all of them are opened, and understood, before the first row is stored
    return ImportReport(
        {kind: importer.add(reader, progress, source=kind) for kind, reader in readers.items()}
    )


def _lines(kind: str, result: ImportResult) -> Iterator[str]:
    counts = {
        name: getattr(result, name) for name in ("stored", "duplicate", "conflict", "rejected")
    }
    summary = ", ".join(
        f"{count} {name}" for name, count in counts.items() if count or name == "stored"
    )
    yield (
        f"{kind} from {result.source}: {summary}" if result.source != kind else f"{kind}: {summary}"
    )
    for bad in result.problems:
        yield f"  row {bad.row}, {bad.field or 'the row'}: {bad.expected}, found {bad.value!r}"
    if result.rejects is not None:
        yield f"  all of them in {result.rejects}"


def _plain(result: ImportResult) -> dict[str, Any]:
    return {
        "source": result.source,
        "rows": result.rows,
        "stored": result.stored,
        "duplicate": result.duplicate,
        "conflict": result.conflict,
        "rejected": result.rejected,
        "version": result.version,
        "rejects": None if result.rejects is None else str(result.rejects),
        "problems": [bad._asdict() for bad in result.problems],
    }
