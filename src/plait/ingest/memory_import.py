"""Imports a source into a log in memory, by the rules of every other import."""

from __future__ import annotations

from plait.eventlog.memory_log import MemoryLog
from plait.ingest.column_mapping import FileKind
from plait.ingest.event_reader import MapSource, read_events
from plait.ingest.import_result import ImportResult, ImportTally
from plait.ingest.row_reader import Source
from plait.ingest.source_summary import SourceSummary

__all__ = ["import_into_memory"]


def import_into_memory(
    log: MemoryLog, source: Source, kind: FileKind, mapping: MapSource = None
) -> ImportResult:
    """Read a source into a log; interactions go in as columns where their rows allow it.

    A row of an item or a user changes the fields that it has a column for, as in `plait ingest`.

    Args:
        log: The log.
        source: A path, bytes, a binary stream, a data frame or dictionaries.
        kind: What the rows are.
        mapping: What the columns mean: a TOML file, or the dictionary it would hold.

    Returns:
        The outcome, without a summary of the source.

    Raises:
        InputError: If the source cannot be opened or is empty.
        MappingError: If the columns cannot be understood.
        ConflictError: If the mapping declares a field type against another one.
    """
    tally = ImportTally(kind)
    types = log.schema().types
    batches = read_events(
        source, kind, mapping, types=types, merge=True, takes_columns=log.has_place_for
    )
    for batch in batches:
        tally.source = batch.source
        if batch.columns is not None:
            log.append([], batch.types)
            tally.add(batch, None, None)
            tally.add_stored(log.append_interactions(batch.columns), log.version)
        else:
            result = log.append(batch.events, batch.types) if batch.events else None
            tally.add(batch, result, None)
    return tally.result(SourceSummary())
