"""Lines of separated values to records, where quotes or missing values need care."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["MalformedRecord", "ParsedRecords", "read_records", "split_line"]


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


def split_line(line: str, separator: str, quote: str) -> list[str]:
    """Split one line into its values.

    Args:
        line: The line.
        separator: One character.
        quote: What quotes values; "" if nothing does.

    Returns:
        The values; if the quotes cannot be read as quotes, they stay as they are.
    """
    if quote and quote in line:
        try:
            records = list(csv.reader([line], delimiter=separator, quotechar=quote, strict=True))
            return records[0] if len(records) == 1 else line.split(separator)
        except csv.Error:
            pass
    return line.split(separator)


def read_records(
    lines: Sequence[str], width: int, separator: str, quote: str, *, last: bool, limit: int
) -> ParsedRecords:
    """Parse lines into records; blank lines do not count.

    A quoted value may run over several lines. Where quotes lead to no record of the right width,
    the line is taken literally.

    Args:
        lines: The lines.
        width: The number of values of a record.
        separator: One character.
        quote: What quotes values; "" if nothing does.
        last: Whether nothing follows, so that an open quote waits for no more lines.
        limit: The most characters of one record.

    Returns:
        The records.
    """
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    records = _read_all(lines, width, separator, quote)
    if records is not None:
        return ParsedRecords(records, list(range(len(records))), total=len(records))
    parsed = ParsedRecords()
    start = 0
    while start < len(lines):
        if not lines[start]:
            start += 1
            continue
        record, used = _read_one(lines, start, width, separator, quote, limit)
        if not used and not last:
            break
        record = record if used else lines[start].split(separator)
        if len(record) == width:
            parsed.records.append(record)
            parsed.indices.append(parsed.total)
        else:
            malformed = MalformedRecord(parsed.total, lines[start], len(record))
            parsed.malformed.append(malformed)
        start += used or 1
        parsed.total += 1
    parsed.unread = lines[start:]
    return parsed


def _read_all(
    lines: Sequence[str], width: int, separator: str, quote: str
) -> list[list[str]] | None:
    """All records, if nothing about them is odd."""
    if not quote:
        records = [line.split(separator) for line in lines if line]
    else:
        ended = [line + "\n" for line in lines]
        reader = csv.reader(ended, delimiter=separator, quotechar=quote, strict=True)
        try:
            records = [record for record in reader if record]
        except csv.Error:
            return None
    return records if all(len(record) == width for record in records) else None


def _read_one(
    lines: Sequence[str], start: int, width: int, separator: str, quote: str, limit: int
) -> tuple[list[str], int]:
    """The record that begins at `start` and how many lines it takes; 0: it waits for more."""
    line = lines[start]
    literal = line.split(separator)
    if not quote or quote not in line:
        return literal, 1
    feed = _LineFeed(lines, start, limit)
    reader = csv.reader(feed, delimiter=separator, quotechar=quote, strict=True)
    try:
        record = next(reader)
    except (csv.Error, StopIteration):
        waits = feed.exhausted and not feed.too_long
        return literal, 0 if waits and len(literal) != width else 1
    if len(record) != width and len(literal) == width:
        return literal, 1
    return record, feed.used


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
