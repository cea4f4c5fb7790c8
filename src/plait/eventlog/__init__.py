"""The log: append, follow, read, erase; SQLite or PostgreSQL underneath."""

from plait.eventlog.append import Appended, Row
from plait.eventlog.impressions import Impression, ImpressionBuffer
from plait.eventlog.log import FILE_NAME, Log
from plait.eventlog.postgres_listener import Listener
from plait.eventlog.read import Chunk, Said
from plait.eventlog.tables import TYPE_CODES, TYPES

__all__ = [
    "FILE_NAME",
    "TYPES",
    "TYPE_CODES",
    "Appended",
    "Chunk",
    "Impression",
    "ImpressionBuffer",
    "Listener",
    "Log",
    "Row",
    "Said",
]
