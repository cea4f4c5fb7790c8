"""Warnings about a source whose rows can all be stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from plait.ingest.event_type_names import misspelt
from plait.ingest.source_notes import ImportNote
from plait.ingest.source_summary import ReferenceLog, SummaryCollector
from plait.utils.timestamps import DAY, iso

__all__ = ["source_warnings"]

MIN_ROWS = 10
"""The least number of rows at which a column in which all values differ gives a warning."""

MANY_ROWS_AN_ID = 2.0
"""The least number of rows for each item at which a file of items looks like a log."""


def source_warnings(
    source: SummaryCollector, log: ReferenceLog | None, event_types: Collection[str], is_first: bool
) -> Iterator[ImportNote]:
    """Find what looks wrong.

    Args:
        source: What the source holds.
        log: The log after the import; None if it cannot be read.
        event_types: The event types that the log knew before.
        is_first: Whether the log had no interaction before.

    Yields:
        A note for each finding.
    """
    if source.kind == "events":
        yield from _odd_times(source, is_first)
        yield from _columns_that_differ(source)
        yield from _odd_event_types(source, event_types)
        yield from _unknown_requests(source, log)
    elif source.kind in ("items", "users"):
        yield from _looks_like_a_log(source)


def _odd_times(source: SummaryCollector, is_first: bool) -> Iterator[ImportNote]:
    first, last = source.first_time, source.last_time
    if first is None or last is None:
        return
    column = _column_of(source, "time")
    if 0 <= first < 366 * DAY:
        message = (
            f"times begin at {iso(first)}: a number that is no unix time, such as 20261130 or a "
            "day of Excel, reads so; write time_format in a mapping"
        )
        yield ImportNote("times-in-1970", column, message)
    elif is_first and source.rows >= MIN_ROWS and last - first < DAY:
        message = f"all times lie within one day, {iso(first)} to {iso(last)}"
        yield ImportNote("one-day-span", column, message)


def _columns_that_differ(source: SummaryCollector) -> Iterator[ImportNote]:
    counts = {"user": len(source.users), "item": len(source.items)}
    for role, count in counts.items():
        if source.rows >= MIN_ROWS and count == source.rows:
            message = (
                f"every row names another {role}: nothing can be learned from such events; is "
                f"another column the {role}?"
            )
            yield ImportNote("all-values-differ", _column_of(source, role), message, count)


def _odd_event_types(source: SummaryCollector, known: Collection[str]) -> Iterator[ImportNote]:
    frequent = source.kinds.most_common()
    names = [*known, *(name for name, _ in frequent if name not in known)]
    for name, meant in misspelt(source.kinds, names).items():
        if name in known and source.kinds[name] > source.kinds.get(meant, 0):
            continue
        if meant in source.kinds and source.kinds[meant] < source.kinds[name]:
            continue  # the rarer one of two similar names is the misspelling
        message = f"the event type {name!r} looks like a misspelling of {meant!r}"
        yield ImportNote("misspelt-kind", _column_of(source, "kind"), message, source.kinds[name])
    for name, count in source.kinds.items():
        if not all(letter.isalnum() or letter in " _-.:/" for letter in name):
            message = f"the event type {name!r} has signs that names rarely have"
            yield ImportNote("odd-kind", _column_of(source, "kind"), message, count)


def _unknown_requests(source: SummaryCollector, log: ReferenceLog | None) -> Iterator[ImportNote]:
    if not source.requests or log is None:
        return
    unknown = source.requests.keys() - log.known_requests(source.requests)
    if unknown:
        count = sum(source.requests[name] for name in unknown)
        message = f"no recorded answer has the request_id {min(unknown)!r}, or that of other rows"
        yield ImportNote("unknown-request", _column_of(source, "request_id"), message, count)


def _looks_like_a_log(source: SummaryCollector) -> Iterator[ImportNote]:
    what = source.kind[:-1]
    count = len(source.users) if source.kind == "users" else len(source.items)
    if source.rows >= MIN_ROWS and source.rows >= MANY_ROWS_AN_ID * count:
        message = (
            f"{source.rows:,} rows describe only {count:,} {what}s, and the last row of each "
            f"{what} counts: is this a log of events? plait undo takes it back"
        )
        yield ImportNote("many-rows-an-id", _column_of(source, what), message, source.rows)


def _column_of(source: SummaryCollector, role: str) -> str:
    return next((column for column, name in source.roles.items() if name == role), role)
