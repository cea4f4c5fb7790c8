"""Lines of separated values to records where quotes or wrong lengths make it a matter of care."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["MalformedRecord", "ParsedRecords", "read_records", "split_line"]


class MalformedRecord(NamedTuple):
    """A record with the wrong number of values: its place among the records, how it begins."""

    place: int
    line: str
    found: int


class ParsedRecords(NamedTuple):
    """Records with the right number of values, their places; the others; what waits for more."""

    records: list[list[str]]
    places: list[int]
    ragged: list[MalformedRecord]
    total: int
    rest: list[str]


def split_line(line: str, separator: str, quote: str) -> list[str]:
    """The values of one line, its quotes read as quotes if that can be."""
    if quote and quote in line:
        try:
            found = list(csv.reader([line], delimiter=separator, quotechar=quote, strict=True))
            return found[0] if len(found) == 1 else line.split(separator)
        except csv.Error:
            pass
    return line.split(separator)


def read_records(
    lines: Sequence[str], width: int, separator: str, quote: str, *, last: bool, limit: int
) -> ParsedRecords:
    """Records of `width` values; a quoted value may run over lines, of `limit` characters in all.

    Where quotes lead to no record of the right width, the line is taken as it stands. Blank lines
    do not count. `last`: nothing follows, so that what a quote left open is no longer waited for.
    """
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    whole = _all_at_once(lines, width, separator, quote)
    if whole is not None:
        return ParsedRecords(whole, list(range(len(whole))), [], len(whole), [])
    found = ParsedRecords([], [], [], 0, [])
    place = count = 0
    while place < len(lines):
        if not lines[place]:
            place += 1
            continue
        record, used = _one_record(lines, place, width, separator, quote, limit)
        if not used and not last:
            break
        record = record if used else lines[place].split(separator)
        if len(record) == width:
            found.records.append(record)
            found.places.append(count)
        else:
            found.ragged.append(MalformedRecord(count, lines[place], len(record)))
        place += used or 1
        count += 1
    return found._replace(total=count, rest=list(lines[place:]))


def _all_at_once(
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


def _one_record(
    lines: Sequence[str], place: int, width: int, separator: str, quote: str, limit: int
) -> tuple[list[str], int]:
    """The record that begins at `place` and how many lines it takes; 0: it waits for more."""
    line = lines[place]
    literal = line.split(separator)
    if not quote or quote not in line:
        return literal, 1
    feed = _Feed(lines, place, limit)
    reader = csv.reader(feed, delimiter=separator, quotechar=quote, strict=True)
    try:
        record = next(reader)
    except (csv.Error, StopIteration):
        waits = feed.exhausted and not feed.over
        return literal, 0 if waits and len(literal) != width else 1
    if len(record) != width and len(literal) == width:
        return literal, 1
    return record, feed.used


class _Feed:
    """Gives lines to a csv reader and counts them; ends when they are too many for one record."""

    def __init__(self, lines: Sequence[str], place: int, limit: int) -> None:
        self._lines, self._place, self._room = lines, place, limit
        self.used = 0
        self.exhausted = False
        self.over = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        at = self._place + self.used
        if at >= len(self._lines):
            self.exhausted = True
            raise StopIteration
        self._room -= len(self._lines[at]) + 1
        if self._room < 0 and self.used:
            self.over = True
            raise StopIteration
        self.used += 1
        return self._lines[at] + "\n"
