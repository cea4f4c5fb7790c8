"""Imports files and data frames into the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from plait.errors import InputError
from plait.eventlog.import_history import new_import_id
from plait.ingest import EventBatch, FileKind, read_events
from plait.ingest.catalogue_loss_check import CatalogueEffect, catalogue_effect
from plait.ingest.column_mapping import load_mapping
from plait.ingest.importer import Importer, ImportResult
from plait.pipeline.fit_context import Progress
from plait.privacy.consent import ConsentPolicy
from plait.workspace.import_report import ImportReport

__all__ = ["ImportOptions", "ImportReport", "ingest"]

ORDER: tuple[FileKind, ...] = ("items", "users", "events", "facts")
"""Users come before events: consent may be among their fields."""

assert set(ORDER) == set(get_args(FileKind))

_ENTITIES: Mapping[str, Literal["item", "user"]] = {"items": "item", "users": "user"}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files change what is there.

    Attributes:
        dry_run: Tell what would happen, and store nothing.
        replace: A row of an item or user replaces all of its fields, also those that the file has
            no column for.
        sync: Items that are not in the file are removed.
        allow_loss: Go on where more than a tenth of the values of a field, or of the items, go.
    """

    dry_run: bool = False
    replace: bool = False
    sync: bool = False
    allow_loss: bool = False


def ingest(
    importer: Importer,
    consent: ConsentPolicy,
    sources: Mapping[str, Any],
    mapping: Any,
    progress: Progress,
    options: ImportOptions | None = None,
) -> ImportReport:
    """Import every source.

    Args:
        importer: Stores the rows.
        consent: Whose rows may be stored, and under which ids.
        sources: Files or frames by "items", "users", "events" or "facts"; None is skipped.
        mapping: The mapping of their columns, or None.
        progress: Called with the kind, the number of rows done, and the number there are.
        options: How files change what is there.

    Returns:
        What became of the rows.

    Raises:
        InputError: If there is no source, one cannot be understood, or one would clear or remove
            more than a tenth.
    """
    options = options or ImportOptions()
    present = {kind: sources[kind] for kind in ORDER if sources.get(kind) is not None}
    if not present:
        raise InputError(
            "there is nothing to ingest", hint=f"give one of {', '.join(sorted(ORDER))}"
        )
    if options.sync and "items" not in present:
        raise InputError("sync needs a file of items", hint="give items too", field="sync")
    if isinstance(mapping, str | Path):
        mapping = load_mapping(mapping)  # once: a pipe is empty the second time
    merge, types = not options.replace, importer.field_types()
    readers: dict[FileKind, Iterable[EventBatch]] = {
        kind: read_events(source, kind, mapping, key=consent.content_key, types=types, merge=merge)
        for kind, source in present.items()
    }  # all of them are opened, and understood, before the first row is stored
    effects = _checked_effects(importer, consent, readers, options)
    import_id = new_import_id()
    results: dict[str, ImportResult] = {
        kind: importer.add(
            reader, progress, source=kind, import_id=import_id, effect=effects.get(kind)
        )
        for kind, reader in readers.items()
    }
    return ImportReport(results, import_id, options.dry_run)


def _checked_effects(
    importer: Importer,
    consent: ConsentPolicy,
    readers: dict[FileKind, Iterable[EventBatch]],
    options: ImportOptions,
) -> dict[FileKind, CatalogueEffect]:
    """What the files take from a catalogue that is there, before any row is stored; InputError if
    that is more than a tenth. The rows of such files are held in memory.
    """
    effects: dict[FileKind, CatalogueEffect] = {}
    log = importer.catalogue_log
    for kind, reader in readers.items():
        entity = _ENTITIES.get(kind)
        if entity is None or log is None or next(iter(log.entity_changes(entity)), None) is None:
            continue
        batches = readers[kind] = list(reader)
        sync = options.sync and kind == "items"
        effect = catalogue_effect(batches, log, entity, sync=sync, stored_id=consent.user_id)
        if not (options.allow_loss or options.dry_run):
            effect.require_small(kind)
        effects[kind] = effect
    return effects
