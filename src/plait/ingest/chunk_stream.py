"""The chunks of a source in order, with a look ahead at later chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import polars as pl

from plait.ingest.dataframes import is_pandas
from plait.ingest.row_chunk import RowChunk
from plait.utils.path_kind import path_kind

__all__ = ["ChunkStream", "can_reopen"]

_MOST_AHEAD = 20
"""The most chunks that are kept of a source that can be read only once."""


def can_reopen(source: Any) -> bool:
    """Return whether a source can be read a second time.

    Args:
        source: A path, bytes, a stream, a frame or dictionaries.
    """
    if isinstance(source, str | Path):
        return path_kind(Path(source)) == "file"
    return is_pandas(source) or isinstance(
        source, bytes | bytearray | memoryview | pl.DataFrame | pl.LazyFrame | Sequence
    )


class ChunkStream:
    """Gives each chunk once.

    Args:
        chunks: The chunks.
        reopen: Reads the source again, from its beginning; None if that is impossible.
    """

    def __init__(
        self, chunks: Iterator[RowChunk], reopen: Callable[[], Iterator[RowChunk]] | None
    ) -> None:
        self._chunks = chunks
        self._reopen = reopen
        self._taken = 0
        self._ahead: deque[RowChunk] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> RowChunk:
        chunk = self._ahead.popleft() if self._ahead else next(self._chunks)
        self._taken += 1
        return chunk

    def all_rows(self, first: RowChunk) -> Iterator[RowChunk]:
        """Give the chunk at hand and those that follow, without taking them.

        Args:
            first: The chunk that was taken last.

        Yields:
            The chunks; none if `first` is the only one with rows, or the source can be read only
            once.
        """
        while self._reopen is not None and not any(len(chunk.rows) for chunk in self._ahead):
            chunk = next(self._chunks, None)
            if chunk is None:
                return
            self._ahead.append(chunk)
        if self._reopen is not None:
            yield first
            yield from islice(self._reopen(), self._taken, None)

    def ahead(self) -> Iterator[RowChunk]:
        """Give the chunks that were not taken yet, without taking them.

        Of a source that can be read only once, the next million rows.
        """
        if self._reopen is not None:
            yield from islice(self._reopen(), self._taken, None)
            return
        self._ahead.extend(islice(self._chunks, _MOST_AHEAD - len(self._ahead)))
        yield from list(self._ahead)
