"""What a mapping does to the shape of rows before their columns are read."""

from __future__ import annotations

from collections.abc import Iterator

from plait.ingest.column_mapping import ColumnMapping
from plait.ingest.nested_columns import with_dotted_columns
from plait.ingest.row_chunk import RowChunk

__all__ = ["shaped"]


def shaped(chunks: Iterator[RowChunk], mapping: ColumnMapping) -> Iterator[RowChunk]:
    """Give the rows as their columns are read.

    Args:
        chunks: The rows as the file has them.
        mapping: What the columns mean.

    Yields:
        The chunks.
    """
    for chunk in chunks:
        yield with_dotted_columns(chunk)
