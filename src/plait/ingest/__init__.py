"""Any file, body or frame to events: `read_events` is the way in."""

from plait.ingest.column_mapping import FileKind, FileMap, load_mapping
from plait.ingest.event_builder import Batch
from plait.ingest.line_splitter import LINE_LIMIT
from plait.ingest.reader import read_events
from plait.ingest.rejects import Rejected, RejectsFile

__all__ = [
    "LINE_LIMIT",
    "Batch",
    "FileKind",
    "FileMap",
    "Rejected",
    "RejectsFile",
    "load_mapping",
    "read_events",
]
