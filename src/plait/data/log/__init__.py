"""The log: append, follow, read, erase; SQLite or PostgreSQL underneath."""

from plait.data.log.append import Appended, Row
from plait.data.log.impressions import Impression, ImpressionBuffer
from plait.data.log.listen import Listener
from plait.data.log.log import FILE_NAME, Log
from plait.data.log.read import Chunk, Said
from plait.data.log.tables import TYPE_CODES, TYPES

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
