"""CSV, TSV and their kin: the separator found, the header read, rows as frames of strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from plait.errors import MappingError
from plait.ingest.line_splitter import LINE_LIMIT, BadLine
from plait.ingest.quoted_records import read_records, split_line
from plait.ingest.rejects import Rejected, shortened
from plait.ingest.row_chunk import ROWS, FrameChunk

__all__ = ["MISSING", "SEPARATORS", "CsvDialect", "column_names", "read_delimited", "sniff"]

SEPARATORS = ("\t", ",", ";", "|", "::")
"""What is tried, in this order among equals."""

MISSING = ("", "NULL", "null", "\\N")
"""What stands for no value, by default."""

_UNIT = "\x1f"
"""Stands in for a separator of several characters."""


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a delimited file is laid out; empty parts are found out.

    `columns` names those of a file without a header. `quote` "" reads quotes as they stand.
    """

    separator: str = ""
    quote: str = '"'
    columns: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    limit: int = LINE_LIMIT


def sniff(lines: Sequence[str], quote: str = '"') -> str:
    """The separator that gives the first line, and most others, the most values; else a comma."""
    best, chosen = (0.0, 0), ","
    for one in SEPARATORS:
        mark = one if len(one) == 1 else _UNIT
        widths = [len(split_line(line.replace(one, mark), mark, quote)) for line in lines]
        if not widths or widths[0] < 2:
            continue
        width, count = Counter(widths).most_common(1)[0]
        score = (round(count / len(widths), 1) if width == widths[0] else 0.0, widths[0])
        if score > best:
            best, chosen = score, one
    return chosen


def column_names(found: Sequence[str], name: str) -> list[str]:
    """Names of columns, stripped; "" for a column without one.

    Raises MappingError if two are the same.
    """
    names = [one.strip().lstrip("\ufeff").strip() for one in found]
    twice = sorted(one for one, count in Counter(names).items() if one and count > 1)
    if twice:
        raise MappingError(
            f"{name} has the column {twice[0]!r} more than once",
            hint="rename one of them in the file",
            field=twice[0],
        )
    return names


def read_delimited(
    runs: Iterable[bytes | BadLine], name: str, layout: CsvDialect
) -> Iterator[FrameChunk]:
    """Rows as chunks of string columns, null where missing.

    Raises MappingError if the header cannot be read.
    """
    return _Reader(name, layout).chunks(runs)


class _Reader:
    """Reads one file; knows its header once it has seen the first lines."""

    def __init__(self, name: str, layout: CsvDialect) -> None:
        self._name = name
        self._layout = layout
        self._separator = layout.separator
        self._columns: list[str] = []
        self._rest = b""
        self._row = 0

    def chunks(self, runs: Iterable[bytes | BadLine]) -> Iterator[FrameChunk]:
        for run in runs:
            if isinstance(run, BadLine):
                if not self._columns and not self._layout.columns:
                    expected = f"the header is not {run.expected}"
                    raise MappingError(f"the header of {self._name} cannot be read", hint=expected)
                yield from self._parse(b"", last=True)
                yield self._refused(run)
                continue
            data = run.replace(b"\r\n", b"\n") if b"\r" in run else run
            if not self._columns:
                data = self._begin(data)
            yield from self._parse(data, last=False)
        yield from self._parse(b"", last=True)

    def _begin(self, data: bytes) -> bytes:
        """Find separator and columns; returns what follows the header."""
        head = data[: 1 << 16].decode("utf-8", "ignore").lstrip("\ufeff")
        lines = [line for line in head.split("\n")[:50] if line.strip()]
        if not lines:
            return b""
        sample = lines[:-1] if len(data) > 1 << 16 and len(lines) > 1 else lines
        self._separator = self._separator or sniff(sample, self._layout.quote)
        if self._layout.columns:
            self._columns = column_names(self._layout.columns, "the mapping of " + self._name)
            return data.removeprefix(b"\xef\xbb\xbf")
        separator = self._separator
        if len(separator) > 1:
            lines[0], separator = lines[0].replace(separator, _UNIT), _UNIT
        names = split_line(lines[0].rstrip("\r"), separator, self._layout.quote)
        self._columns = column_names(names, self._name)
        data = data.lstrip(b"\n")
        return data[data.index(b"\n") + 1 :]

    def _parse(self, data: bytes, *, last: bool) -> Iterator[FrameChunk]:
        data, self._rest = self._rest + data, b""
        if not data:
            return
        separator = self._separator
        if len(separator) > 1:
            data, separator = data.replace(separator.encode(), _UNIT.encode()), _UNIT
        first = self._row + 1
        frame = self._quick(data, separator)
        rejects: list[Rejected] = []
        rows = np.arange(first, first + (0 if frame is None else frame.height), dtype=np.int64)
        if frame is None:
            frame, rows, rejects = self._slow(data, separator, last=last)
        else:
            self._row += frame.height
        frame = frame.select([one for one in self._columns if one])
        for start in range(0, max(frame.height, 1), ROWS):
            piece = slice(start, start + ROWS)
            kept = () if start else rejects
            yield FrameChunk(frame[piece], rows[piece], kept, textual=True)

    def _quick(self, data: bytes, separator: str) -> pl.DataFrame | None:
        """The frame, if there are no quotes, no blank lines and every line has all its values."""
        quote, width = self._layout.quote, len(self._columns)
        count = data.count(b"\n")
        if (quote and quote.encode() in data) or b"\n\n" in data or data.startswith(b"\n"):
            return None
        if data.count(separator.encode()) != count * (width - 1) or b"\r" in data:
            return None
        try:
            frame = pl.read_csv(
                data,
                has_header=False,
                separator=separator,
                quote_char=None,
                schema=dict.fromkeys(self._places(), pl.String),
                null_values=list(self._layout.missing),
            )
        except pl.exceptions.PolarsError:
            return None
        return self._named(frame) if frame.height == count else None

    def _slow(
        self, data: bytes, separator: str, *, last: bool
    ) -> tuple[pl.DataFrame, np.ndarray[tuple[int], np.dtype[np.int64]], list[Rejected]]:
        width, layout = len(self._columns), self._layout
        lines = data.decode().split("\n")[:-1]
        found = read_records(lines, width, separator, layout.quote, last=last, limit=layout.limit)
        self._rest = "".join(line + "\n" for line in found.rest).encode()
        rejects = [
            Rejected(
                self._name,
                self._row + 1 + one.place,
                "",
                shortened(one.line.replace(separator, self._separator)),
                f"{width} values, as many as there are columns, not {one.found}",
            )
            for one in found.ragged
        ]
        rows = np.array(found.places, np.int64) + self._row + 1
        self._row += found.total
        columns = zip(*found.records, strict=True) if found.records else [[]] * width
        missing = set(layout.missing)
        frame = pl.DataFrame(
            [
                pl.Series(name, [None if one in missing else one for one in values], pl.String)
                for name, values in zip(self._places(), columns, strict=True)
            ]
        )
        return self._named(frame), rows, rejects

    def _places(self) -> list[str]:
        return [f"column {place}" for place in range(len(self._columns))]

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns by their names; those without one keep a number, and are dropped later."""
        pairs = zip(self._places(), self._columns, strict=True)
        return frame.select([pl.col(place).alias(name) for place, name in pairs if name])

    def _refused(self, bad: BadLine) -> FrameChunk:
        self._row += 1
        reject = Rejected(self._name, self._row, "", shortened(bad.value), bad.expected)
        empty = pl.DataFrame(schema=dict.fromkeys([one for one in self._columns if one], pl.String))
        return FrameChunk(empty, np.zeros(0, np.int64), [reject], textual=True)
