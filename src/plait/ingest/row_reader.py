"""Reads any source as chunks of rows; detects the format from the first bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from plait.errors import InputError, StorageError
from plait.ingest.byte_sources import ByteSource, open_bytes
from plait.ingest.column_mapping import ColumnMapping
from plait.ingest.dataframes import from_pandas, is_pandas, read_frames, with_texts
from plait.ingest.delimited import MISSING, CsvDialect, read_delimited
from plait.ingest.file_signatures import refuse_other_formats
from plait.ingest.json_documents import may_be_document, read_document
from plait.ingest.jsonlines import names_in_lines, read_array, read_dicts, read_jsonlines
from plait.ingest.line_splitter import (
    LINE_LIMIT,
    decode_blocks,
    read_lines,
    unify_line_ends,
    without_bom,
)
from plait.ingest.parquet import read_parquet
from plait.ingest.parquet_probe import PARQUET
from plait.ingest.rejects import Rejected
from plait.ingest.row_chunk import ROWS, DictChunk, FrameChunk, RowChunk
from plait.ingest.row_limit import check_row_count
from plait.schema.missing_words import MissingWords
from plait.utils.owned_folders import make_owned_folder

__all__ = ["RowReader", "Source", "is_file"]

Source = (
    str
    | Path
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | pl.DataFrame
    | pl.LazyFrame
    | Iterable[Mapping[str, Any]]
)
"""A path, bytes, a binary stream, a polars (or pandas) frame, or dictionaries."""


def is_file(source: object) -> bool:
    """Return whether a source is a path, bytes or a stream, not a table.

    Args:
        source: Any object.
    """
    return isinstance(source, str | Path | bytes | bytearray | memoryview) or hasattr(
        source, "read"
    )


class RowReader:
    """Reads one source.

    Args:
        source: A path, bytes, a binary stream, a data frame or dictionaries.
        name: What messages call it.
        mapping: How a delimited file is laid out.
        limit: The longest line in bytes.
    """

    def __init__(
        self, source: Any, name: str, mapping: ColumnMapping, limit: int = LINE_LIMIT
    ) -> None:
        self._name = name
        self._mapping = mapping
        self._limit = limit
        self._rows = 0
        self._bytes: ByteSource | None = None
        self._total: int | None = None
        self._words: MissingWords | None = None
        if mapping.missing is not None:
            words = frozenset(mapping.missing)
            self._words = MissingWords(words, words, frozenset())
        self._chunks = self._read_file(source) if is_file(source) else self._read_table(source)

    @property
    def consumed(self) -> int:
        """How many bytes (rows, of a table) were read so far."""
        return self._rows if self._bytes is None else self._bytes.consumed

    @property
    def size(self) -> int | None:
        """How many there are; None if unknown."""
        return self._total if self._bytes is None else self._bytes.size

    def chunks(self) -> Iterator[RowChunk]:
        """Give all rows, at most 50,000 at a time; can be read once."""
        try:
            for chunk in self._chunks:
                self._rows += len(chunk.rows) + len(chunk.rejects)
                if self._bytes is not None:
                    size = max(self._bytes.size or 0, self._bytes.consumed)
                    check_row_count(self._rows, size, self._mapping.max_rows, self._name)
                yield chunk if self._words is None else replace(chunk, words=self._words)
            if self._bytes is not None and self._bytes.damage:
                expected = f"{self._bytes.damage}; what follows row {self._rows} cannot be read"
                reject = Rejected(self._name, 0, "", "", expected)
                yield FrameChunk(pl.DataFrame(), np.zeros(0, np.int64), [reject])
        finally:
            if self._bytes is not None:
                self._bytes.close()

    def _read_table(self, source: Any) -> Iterator[FrameChunk | DictChunk]:
        if is_pandas(source):
            source = from_pandas(source)
        elif isinstance(source, Mapping):
            source = _from_columns(source)
        elif hasattr(source, "__arrow_c_stream__") and not isinstance(source, pl.LazyFrame):
            source = pl.DataFrame(source)
        if isinstance(source, pl.DataFrame):
            self._total = source.height
            return iter(read_frames([with_texts(source)], self._name))
        if isinstance(source, pl.LazyFrame):
            return iter(read_frames(source.collect_batches(maintain_order=True), self._name))
        if isinstance(source, Iterable):
            self._total = len(source) if isinstance(source, Sized) else None
            return iter(read_dicts(source, self._name))
        hint = "give a path, bytes, a binary stream, a data frame or a list of dictionaries"
        raise InputError(f"cannot read rows from {type(source).__name__}", hint=hint)

    def _read_file(self, source: Any) -> Iterator[FrameChunk | DictChunk]:
        opened = open_bytes(source, self._name)
        if opened.head.startswith(PARQUET):
            return self._read_parquet(opened)
        refuse_other_formats(opened.head, self._name)
        self._bytes = opened
        mapping = self._mapping
        blocks = self._text_blocks(opened)
        first, second = next(blocks, b""), next(blocks, b"")
        start = without_bom(first).lstrip()[:1]
        if start == b"[":
            return iter(read_array(chain([first, second], blocks), self._name))
        third = next(blocks, b"")
        blocks = chain([first, second, third], blocks)
        if start == b"{" and may_be_document(first + second, self._limit, is_whole=not third):
            document, blocks = read_document(blocks, self._name, mapping.mentioned)
            if document is not None:
                return document
        runs = read_lines(blocks, self._limit, cut_off=lambda: bool(opened.damage))
        if start == b"{":
            is_short = not second and first.count(b"\n") <= ROWS
            names = [] if is_short else self._names_ahead(source)
            return iter(read_jsonlines(runs, self._name, names))
        missing = MISSING if mapping.missing is None else mapping.missing
        dialect = CsvDialect(
            mapping.separator,
            mapping.quote,
            mapping.escape,
            mapping.columns,
            missing,
            self._limit,
        )
        return iter(read_delimited(runs, self._name, dialect))

    def _text_blocks(self, opened: ByteSource) -> Iterator[bytes]:
        blocks = decode_blocks(opened.blocks(), opened.head, self._mapping.encoding)
        return unify_line_ends(blocks)

    def _names_ahead(self, source: Any) -> list[str]:
        """The names in all lines of JSON; they decide what each column is. None of a pipe."""
        with _opened_again(source, self._bytes) as again:
            if again is None:
                return []
            runs = read_lines(self._text_blocks(again), self._limit)
            return names_in_lines(runs)

    def _read_parquet(self, opened: ByteSource) -> Iterator[FrameChunk | DictChunk]:
        limit = self._mapping.max_rows
        with _as_path(opened) as path:
            yield from read_parquet(path, self._name, opened.size or opened.consumed, limit)


@contextmanager
def _opened_again(source: Any, opened: ByteSource | None) -> Iterator[ByteSource | None]:
    """The same bytes from their beginning; None if they can be read only once."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield open_bytes(source, "")
    elif isinstance(source, str | Path):
        again = open_bytes(source, "") if Path(source).is_file() else None
        yield again
        if again is not None:
            again.close()
    elif opened is None or not getattr(source, "seekable", bool)():
        yield None
    else:
        position = source.tell()
        source.seek(position - opened.consumed)
        yield open_bytes(source, "")
        source.seek(position)


@contextmanager
def _as_path(opened: ByteSource) -> Iterator[Path]:
    """The bytes as a file with a path: their own, else a temporary copy.

    InputError if they end early, StorageError if the copy cannot be written.
    """
    if opened.path is not None:
        opened.close()
        yield opened.path
        return
    with closing(make_owned_folder("copy")) as folder, (folder.path / "rows").open("wb") as copy:
        try:
            for block in opened.blocks():
                copy.write(block)
            copy.flush()
        except OSError as problem:
            raise StorageError(f"cannot unpack {opened.name}: {problem}") from problem
        finally:
            opened.close()
        if opened.damage:
            hint = f"expected {opened.damage}"
            raise InputError(f"{opened.name} cannot be read", hint=hint)
        yield folder.path / "rows"


def _from_columns(columns: Mapping[str, Any]) -> pl.DataFrame | list[dict[str, Any]]:
    """A mapping of names to columns as a frame, or as rows where polars refuses the values."""
    lengths = {name: len(column) for name, column in columns.items() if isinstance(column, Sized)}
    if len(lengths) < len(columns) or any(isinstance(columns[name], str) for name in lengths):
        message = "cannot read rows from a dictionary whose values are not columns"
        raise InputError(message, hint="give a list of dictionaries, or of each column a list")
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns of unequal length: {lengths}")
    try:
        return pl.DataFrame(columns)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]
