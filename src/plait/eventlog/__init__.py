"""The append-only event log, in SQLite or PostgreSQL."""

from plait.eventlog.append_result import AppendResult, RowStatus
from plait.eventlog.impressions import Impression, ImpressionBuffer
from plait.eventlog.log import FILE_NAME, EventLog
from plait.eventlog.log_interfaces import EventLogReader, EventLogWriter
from plait.eventlog.postgres_listener import Listener
from plait.eventlog.read_columns import EntityChange, EventChunk
from plait.eventlog.tables import TYPE_CODES, TYPES

__all__ = [
    "FILE_NAME",
    "TYPES",
    "TYPE_CODES",
    "AppendResult",
    "EntityChange",
    "EventChunk",
    "EventLog",
    "EventLogReader",
    "EventLogWriter",
    "Impression",
    "ImpressionBuffer",
    "Listener",
    "RowStatus",
]
