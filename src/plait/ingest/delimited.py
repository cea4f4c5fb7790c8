"""Reads CSV, TSV and similar files: detects the separator and header, yields rows of strings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from plait.data.array_types import Int64Array
from plait.errors import InputError, MappingError
from plait.ingest.header_lines import are_lines_quoted, count_title_lines, unquoted_line
from plait.ingest.line_splitter import LINE_LIMIT, BadLine, shorten_blank_runs, without_bom
from plait.ingest.quoted_records import RecordStyle, read_first, read_records, split_line
from plait.ingest.rejects import Rejected, shortened
from plait.ingest.row_chunk import ROWS, FrameChunk
from plait.ingest.source_notes import ImportNote

__all__ = ["MISSING", "SEPARATORS", "CsvDialect", "column_names", "read_delimited", "sniff"]

SEPARATORS = ("\t", ",", ";", "|", "::")
"""The separators that are tried, in this order among equals."""

MISSING = ("", "NULL", "null", "\\N")
"""What stands for no value, by default."""

_UNIT = "\x1f"
"""Stands in for a separator of several characters."""

_EMPTY_LINES = re.compile(rb"\n\n+")
_blank_lines = re.compile(rb"\A(?:[ \t]*\n)+")
_excel_line = re.compile(rb'\A"?sep=(.)"?\n')
_TYPOGRAPHIC = re.compile("[“„”«»‟].*[“”«»‟]")


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The layout of a delimited file.

    Attributes:
        separator: What separates values; found out if empty.
        quote: What quotes values; "" reads quotes as they stand.
        escape: What stands before a quote inside a quoted value; found out if empty.
        columns: The columns of a file without a header.
        missing: What stands for no value.
        limit: The longest line and record in bytes.
    """

    separator: str = ""
    quote: str = '"'
    escape: str = ""
    columns: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    limit: int = LINE_LIMIT


def sniff(lines: Sequence[str], quote: str = '"') -> str:
    """Find the separator that gives the first line, and most others, the most values.

    Args:
        lines: The first lines of a file.
        quote: What quotes values.

    Returns:
        One of `SEPARATORS`; a comma if none separates anything.
    """
    best, chosen = (0.0, 0), ","
    for separator in SEPARATORS:
        mark = separator if len(separator) == 1 else _UNIT
        style = RecordStyle(mark, quote)
        widths = [len(split_line(line.replace(separator, mark), style)) for line in lines]
        if not widths or widths[0] < 2:
            continue
        width, count = Counter(widths).most_common(1)[0]
        score = (round(count / len(widths), 1) if width == widths[0] else 0.0, widths[0])
        if score > best:
            best, chosen = score, separator
    return chosen


def column_names(header: Sequence[str], source: str) -> list[str]:
    """Clean the names of columns.

    Args:
        header: The names as they stand in the source.
        source: The name of the source.

    Returns:
        The names without spaces around them; "" for a column without one.

    Raises:
        MappingError: If two names are the same.
    """
    names = [name.strip().lstrip("\ufeff").strip() for name in header]
    repeated = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if repeated:
        raise MappingError(
            f"{source} has the column {repeated[0]!r} more than once",
            hint="rename one of them in the file",
            field=repeated[0],
        )
    return names


def read_delimited(
    runs: Iterable[bytes | BadLine], name: str, dialect: CsvDialect
) -> Iterator[FrameChunk]:
    """Read a delimited file.

    Args:
        runs: Whole lines, see `plait.ingest.line_splitter.read_lines`.
        name: The name of the source.
        dialect: How the file is laid out.

    Returns:
        Chunks of string columns, null where missing.

    Raises:
        MappingError: If the header cannot be read.
    """
    return _DelimitedReader(name, dialect).chunks(runs)


class _DelimitedReader:
    """Reads one file; knows its header once it has seen the first lines."""

    def __init__(self, name: str, dialect: CsvDialect) -> None:
        self._name = name
        self._dialect = dialect
        self._separator = dialect.separator
        self._quote = dialect.quote
        self._columns: list[str] = []
        self._unread = b""
        self._row = 0
        self._are_lines_quoted = False
        self._notes: list[ImportNote] = []

    def chunks(self, runs: Iterable[bytes | BadLine]) -> Iterator[FrameChunk]:
        is_empty = True
        for chunk in self._chunks(runs):
            is_empty = False
            yield chunk
        if is_empty and not self._columns:
            raise InputError(f"{self._name} is empty", hint="expected at least a header")
        if is_empty:  # the columns are known all the same
            yield self._empty([])

    def _chunks(self, runs: Iterable[bytes | BadLine]) -> Iterator[FrameChunk]:
        for run in runs:
            if isinstance(run, BadLine):
                if not self._columns and not self._dialect.columns:
                    hint = f"expected {run.expected}"
                    raise MappingError(f"the header of {self._name} cannot be read", hint=hint)
                yield from self._parse(b"", last=True)
                yield self._refuse(run)
                continue
            if not self._columns:
                data = self._read_header(run)
            else:
                data = self._unquoted(run) if self._are_lines_quoted else run
            yield from self._parse(data, last=False)
        yield from self._parse(b"", last=True)

    @property
    def _style(self) -> RecordStyle:
        separator = self._separator if len(self._separator) == 1 else _UNIT
        return RecordStyle(separator, self._quote, self._dialect.escape)

    def _read_header(self, data: bytes) -> bytes:
        """Find separator, quote and columns; returns what follows the header."""
        data = _blank_lines.sub(b"", without_bom(data), count=1)
        if declared := _excel_line.match(data):
            self._separator = self._separator or declared[1].decode()
            data = data[data.index(b"\n") + 1 :]
        lines = _first_lines(data)
        if not lines[0]:
            return b""
        if not self._dialect.columns:
            data = self._without_wrapping(data, lines)
            lines = _first_lines(data)
        if not self._separator:
            self._separator = sniff(lines, self._quote)
        if self._dialect.columns:
            self._columns = column_names(self._dialect.columns, "the mapping of " + self._name)
            return data
        separator = self._separator
        if len(separator) > 1:
            lines = [line.replace(separator, _UNIT) for line in lines]
        if self._quote == '"':
            cells = map(str.strip, lines[0].split(self._style.separator))
            if all(len(cell) > 2 and cell[0] == cell[-1] == "'" for cell in cells):
                self._quote = "'"
        names, used = read_first(lines, self._style)
        self._columns = self._named([name.replace("\n", " ") for name in names], lines[used:])
        for _ in range(used):
            data = data[data.index(b"\n") + 1 :]
        return data

    def _named(self, names: Sequence[str], rows: Sequence[str]) -> list[str]:
        """The columns, with one without a name where each row ends with a separator."""
        columns = column_names(names, self._name)
        if len(columns) > 1 and all(map(_TYPOGRAPHIC.fullmatch, columns)):
            raise MappingError(
                f"the header of {self._name} stands in typographic quotes: {columns[0]}",
                hint="replace them in the file by straight ones",
            )
        cells = [split_line(row, self._style) for row in rows]
        if cells and all(len(row) == len(columns) + 1 and not row[-1] for row in cells):
            columns.append("")
        return columns

    def _without_wrapping(self, data: bytes, lines: Sequence[str]) -> bytes:
        """The text from its header on, without quotes around whole lines."""
        known = self._separator
        separators = [known] if known else [mark for mark in SEPARATORS if len(mark) == 1]
        if any(len(mark) > 1 for mark in separators):
            return data
        if are_lines_quoted(lines, separators, self._quote):
            self._are_lines_quoted = True
            message = "each line stands in quotes as a whole; they are removed"
            self._notes.append(ImportNote("quoted-lines", "", message))
            data = self._unquoted(data)
            lines = _first_lines(data)
        count = count_title_lines(lines, separators, self._quote)
        if count:
            shown = shortened(lines[0])
            message = f"lines before the header are left out, the first is {shown!r}"
            self._notes.append(ImportNote("title-lines", "", message, count))
        for _ in range(count):
            data = _blank_lines.sub(b"", data[data.index(b"\n") + 1 :], count=1)
        return data

    def _unquoted(self, data: bytes) -> bytes:
        lines = data.decode().split("\n")
        return "\n".join(unquoted_line(line, self._quote) for line in lines).encode()

    def _parse(self, data: bytes, *, last: bool) -> Iterator[FrameChunk]:
        data, self._unread = self._unread + data, b""
        if not data:
            return
        style = self._style
        if any(mark.encode() in data for mark in (style.quote, style.escape) if mark):
            data = shorten_blank_runs(data, self._dialect.limit)
        else:
            data = _EMPTY_LINES.sub(b"\n", data).removeprefix(b"\n")
        if len(self._separator) > 1:
            data = data.replace(self._separator.encode(), _UNIT.encode())
        frame = self._parse_simple(data, style)
        if frame is None:
            frame, rows, rejects = self._parse_quoted(data, style, last=last)
        else:
            rows = np.arange(self._row + 1, self._row + 1 + frame.height, dtype=np.int64)
            rejects = []
            self._row += frame.height
        # Columns without a name are left out.
        named = {f"column {index}": name for index, name in enumerate(self._columns) if name}
        frame = frame.select(pl.col(column).alias(name) for column, name in named.items())
        for start in range(0, max(frame.height, 1), ROWS):
            batch = slice(start, start + ROWS)
            chunk = FrameChunk(frame[batch], rows[batch], () if start else rejects, textual=True)
            chunk.notes.extend(self._notes)
            self._notes = []
            yield chunk

    def _parse_simple(self, data: bytes, style: RecordStyle) -> pl.DataFrame | None:
        """The frame, if there are no quotes, no blank lines and every line has all its values."""
        separator, width = style.separator, len(self._columns)
        count = data.count(b"\n")
        marks = [mark.encode() for mark in (style.quote, style.escape) if mark]
        if any(mark in data for mark in marks) or b"\n\n" in data or data.startswith(b"\n"):
            return None
        if data.count(separator.encode()) != count * (width - 1):
            return None
        try:
            frame = pl.read_csv(
                data,
                has_header=False,
                separator=separator,
                quote_char=None,
                schema={f"column {index}": pl.String for index in range(width)},
                null_values=list(self._dialect.missing),
            )
        except pl.exceptions.PolarsError:
            return None
        return frame if frame.height == count else None

    def _parse_quoted(
        self, data: bytes, style: RecordStyle, *, last: bool
    ) -> tuple[pl.DataFrame, Int64Array, list[Rejected]]:
        width, dialect = len(self._columns), self._dialect
        lines = data.decode().split("\n")[:-1]
        parsed = read_records(lines, width, style, last=last, limit=dialect.limit)
        self._unread = "".join(line + "\n" for line in parsed.unread).encode()
        rejects = [
            Rejected(
                self._name,
                self._row + 1 + record.position,
                "",
                shortened(record.line.replace(style.separator, self._separator)),
                f"{width} values, as many as there are columns, not {record.width}",
            )
            for record in parsed.malformed
        ]
        rows = np.array(parsed.indices, np.int64) + self._row + 1
        self._row += parsed.total
        columns = zip(*parsed.records, strict=True) if parsed.records else [[]] * width
        missing = set(dialect.missing)
        frame = pl.DataFrame(
            [
                pl.Series(
                    f"column {index}",
                    [None if value in missing else value for value in values],
                    pl.String,
                )
                for index, values in enumerate(columns)
            ]
        )
        if b'="' in data:  # a spreadsheet's way to keep zeros: ="0123"
            frame = frame.with_columns(pl.all().str.replace(r'^="([^"]*)"$', "${1}"))
        return frame, rows, rejects

    def _refuse(self, bad: BadLine) -> FrameChunk:
        self._row += 1
        return self._empty(
            [Rejected(self._name, self._row, "", shortened(bad.value), bad.expected)]
        )

    def _empty(self, rejects: list[Rejected]) -> FrameChunk:
        frame = pl.DataFrame(schema={name: pl.String for name in self._columns if name})
        return FrameChunk(frame, np.zeros(0, np.int64), rejects, textual=True)


def _first_lines(data: bytes) -> list[str]:
    """The first whole lines that are not blank; the beginning of the text if there is none."""
    lines = data[: 1 << 16].decode("utf-8", "ignore").split("\n")[:50]
    return [line for line in lines[:-1] if line.strip()] or lines[:1]
