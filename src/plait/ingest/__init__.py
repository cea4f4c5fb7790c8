"""Any file, body or frame to events: `read_events` is the way in."""

from plait.ingest.column_mapping import ColumnMapping, FileKind, load_mapping
from plait.ingest.event_builder import EventBatch
from plait.ingest.event_reader import read_events
from plait.ingest.line_splitter import LINE_LIMIT
from plait.ingest.rejects import Rejected, RejectsFile

__all__ = [
    "LINE_LIMIT",
    "ColumnMapping",
    "EventBatch",
    "FileKind",
    "Rejected",
    "RejectsFile",
    "load_mapping",
    "read_events",
]
