"""Any file, body or frame to events: `read_events` is the way in."""

from plait.data.ingest.lines import LINE_LIMIT
from plait.data.ingest.mapping import FileKind, FileMap, load_mapping
from plait.data.ingest.rejects import Rejected, RejectsFile
from plait.data.ingest.road import read_events
from plait.data.ingest.rows import Batch

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
