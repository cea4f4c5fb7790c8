"""Splits delimited lines into records where quotes or missing values need care."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from plait.ingest.lenient_quotes import (
    has_blank_before_quote,
    read_escaped,
    read_outer_quotes,
    split_and_unquote,
)

__all__ = [
    "MalformedRecord",
    "ParsedRecords",
    "RecordStyle",
    "read_first",
    "read_records",
    "split_line",
]

_BACKSLASH = "\\"
"""The sign that is tried where none is declared."""


class MalformedRecord(NamedTuple):
    """A record with the wrong number of values.

    Attributes:
        position: Its index among the records.
        line: Its first line.
        width: How many values it has.
    """

    position: int
    line: str
    width: int


@dataclass(slots=True)
class ParsedRecords:
    """Records of some lines.

    Attributes:
        records: The records with the right number of values.
        indices: The index of each among all records.
        malformed: The other records.
        total: How many records there are.
        unread: The last lines, which wait for more to be a record.
    """

    records: list[list[str]] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    malformed: list[MalformedRecord] = field(default_factory=list)
    total: int = 0
    unread: Sequence[str] = ()


class RecordStyle(NamedTuple):
    """How the values of a record are written.

    Attributes:
        separator: What separates them, one character.
        quote: What quotes them; "" if nothing does.
        escape: What stands before a quote inside a quoted value; "": found out for each record.
    """

    separator: str
    quote: str = '"'
    escape: str = ""


def split_line(line: str, style: RecordStyle) -> list[str]:
    """Split one line into its values.

    Args:
        line: The line.
        style: How the values are written.

    Returns:
        The values; quotes that cannot be read as quotes stay as they are.
    """
    separator, quote, escape = style
    if not quote or quote not in line:
        return line.split(separator)
    if not escape:
        record, _ = _read_by_the_book([line], 0, style, len(line), skip_blanks=True)
        if record is not None:
            return record
    return (
        read_escaped(line, separator, quote, escape or _BACKSLASH, bare=bool(escape))
        or read_outer_quotes(line, separator, quote)
        or split_and_unquote(line, separator, quote)
    )


def read_first(lines: Sequence[str], style: RecordStyle) -> tuple[list[str], int]:
    """Read the first record, of any width.

    Args:
        lines: The lines, at least one.
        style: How the values are written.

    Returns:
        Its values, and how many lines it takes.
    """
    record, used = _read_by_the_book(lines, 0, style, sum(map(len, lines)) + len(lines))
    if record is not None and used > 1:
        return record, used
    return split_line(lines[0], style), 1


def read_records(
    lines: Sequence[str], width: int, style: RecordStyle, *, last: bool, limit: int
) -> ParsedRecords:
    """Parse lines into records; blank lines do not count.

    A quoted value may run over several lines. Where quotes lead to no record of the right width,
    other ways to write them are tried, see `plait.ingest.lenient_quotes`; the last is to take the
    line literally.

    Args:
        lines: The lines.
        width: The number of values of a record.
        style: How the values are written.
        last: Whether nothing follows, so that an open quote waits for no more lines.
        limit: The most characters of one record.

    Returns:
        The records.
    """
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    records = _read_all(lines, width, style)
    if records is not None:
        return ParsedRecords(records, list(range(len(records))), total=len(records))
    parsed = ParsedRecords()
    start = 0
    while start < len(lines):
        if not lines[start]:
            start += 1
            continue
        record, used = _read_one(lines, start, width, style, limit, last=last)
        if not used:
            break
        if len(record) == width:
            parsed.records.append(record)
            parsed.indices.append(parsed.total)
        else:
            malformed = MalformedRecord(parsed.total, lines[start], len(record))
            parsed.malformed.append(malformed)
        start += used
        parsed.total += 1
    parsed.unread = lines[start:]
    return parsed


def _read_all(lines: Sequence[str], width: int, style: RecordStyle) -> list[list[str]] | None:
    """All records, if nothing about them is odd."""
    separator, quote, escape = style
    if escape and any(escape in line for line in lines):
        return None
    if not quote:
        records = [line.split(separator) for line in lines if line]
    else:
        ended = [line + "\n" for line in lines]
        reader = csv.reader(ended, delimiter=separator, quotechar=quote, strict=True)
        try:
            records = [record for record in reader if record]
        except csv.Error:
            return None
        blank = f" {quote}"
        if any(blank in line for line in lines) and any(
            has_blank_before_quote(record, quote) for record in records
        ):
            return None
    return records if all(len(record) == width for record in records) else None


def _read_one(
    lines: Sequence[str], start: int, width: int, style: RecordStyle, limit: int, *, last: bool
) -> tuple[list[str], int]:
    """The record that begins at `start` and how many lines it takes; 0: it is incomplete."""
    line = lines[start]
    separator, quote, escape = style
    marks = [mark for mark in (quote, escape) if mark]
    if not any(mark in line for mark in marks):
        return line.split(separator), 1
    malformed: tuple[list[str], int] | None = None
    for read in (_read_by_the_book, _read_behind_blanks, _read_with_escapes):
        record, used = read(lines, start, style, limit)
        if not used and not last:
            return [], 0
        if record is not None and len(record) == width:
            return record, used
        malformed = malformed or (None if record is None else (record, used))
    for values in (
        read_outer_quotes(line, separator, quote) if quote else None,
        split_and_unquote(line, separator, quote),
    ):
        if values is not None and len(values) == width:
            return values, 1
    return malformed or (line.split(separator), 1)


def _read_by_the_book(
    lines: Sequence[str], start: int, style: RecordStyle, limit: int, *, skip_blanks: bool = False
) -> tuple[list[str] | None, int]:
    """A record of RFC 4180; None if it is none, 0 lines if lines are missing."""
    if style.escape or not style.quote:
        return None, 1
    feed = _LineFeed(lines, start, limit)
    reader = csv.reader(
        feed,
        delimiter=style.separator,
        quotechar=style.quote,
        strict=True,
        skipinitialspace=skip_blanks,
    )
    try:
        record = next(reader)
    except (csv.Error, StopIteration):
        return None, 0 if feed.exhausted and not feed.too_long else 1
    if not skip_blanks and has_blank_before_quote(record, style.quote):
        return None, 1
    return record, feed.used


def _read_behind_blanks(
    lines: Sequence[str], start: int, style: RecordStyle, limit: int
) -> tuple[list[str] | None, int]:
    """The same where a space stands between a separator and a quote."""
    if f" {style.quote}" not in lines[start]:
        return None, 1
    return _read_by_the_book(lines, start, style, limit, skip_blanks=True)


def _read_with_escapes(
    lines: Sequence[str], start: int, style: RecordStyle, limit: int
) -> tuple[list[str] | None, int]:
    """A record with signs before quotes; the csv module finds out how many lines it has."""
    separator, quote, escape = style
    if not quote or not (escape or _BACKSLASH + quote in lines[start]):
        return None, 1
    feed = _LineFeed(lines, start, limit)
    sign = escape or _BACKSLASH
    reader = csv.reader(
        feed,
        delimiter=separator,
        quotechar=quote,
        escapechar=sign,
        strict=True,
        skipinitialspace=True,
    )
    try:
        next(reader)
    except (csv.Error, StopIteration):
        return None, 0 if feed.exhausted and not feed.too_long else 1
    record = "\n".join(lines[start : start + feed.used])
    return read_escaped(record, separator, quote, sign, bare=bool(escape)), feed.used


class _LineFeed:
    """Gives lines to a csv reader and counts them; ends when they are too many for one record."""

    def __init__(self, lines: Sequence[str], start: int, limit: int) -> None:
        self._lines, self._start, self._remaining = lines, start, limit
        self.used = 0
        self.exhausted = False
        self.too_long = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        index = self._start + self.used
        if index >= len(self._lines):
            self.exhausted = True
            raise StopIteration
        self._remaining -= len(self._lines[index]) + 1
        if self._remaining < 0 and self.used:
            self.too_long = True
            raise StopIteration
        self.used += 1
        return self._lines[index] + "\n"
