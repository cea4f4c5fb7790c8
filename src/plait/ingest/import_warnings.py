"""Warnings about a source whose rows can all be stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import polars as pl

from plait.ingest.column_synonyms import normalized_name
from plait.ingest.event_type_spelling import USUAL_EVENT_TYPES, misspelt, similar_name
from plait.ingest.guest_words import is_guest_word, is_number
from plait.ingest.id_warnings import odd_ids
from plait.ingest.source_notes import ImportNote
from plait.ingest.source_summary import ReferenceLog, SummaryCollector
from plait.ingest.time_format_proposals import proposed_formats
from plait.ingest.translated_event_types import usual_event_type
from plait.utils.timestamps import DAY, iso

__all__ = ["source_notes", "source_warnings"]

MIN_ROWS = 10
"""The least number of rows at which a column in which all values differ gives a warning."""

MANY_EVENT_TYPES = 200
"""Above this many event types a source has another column for them, most likely."""

_TOTAL_WORDS = (
    "total totals grandtotal subtotal sum totale totali totalgeneral totalgeral totalgenerale"
    " gesamt gesamtsumme summe zwischensumme somme soustotal subtotale suma soma totaal som"
)
_TOTALS = frozenset(_TOTAL_WORDS.split())

_CLOCK_WORDS = "time timeofday uhrzeit zeit heure hora horario ora orario tijd tijdstip godzina tid"
_CLOCKS = frozenset(_CLOCK_WORDS.split())
_DAYS = frozenset({"day", "tag", "jour", "fecha", "dia", "giorno", "dag", "dzien"})
"""Names of columns of times of day, and of days that have no "dat" in them."""

MAX_MIDNIGHTS = 2
"""Days alone begin at one or, in a zone with summer time, at two times of day in UTC."""

MANY_EVENTS, MOST_OF_A_USER = 100, 0.2
"""From so many events of a source on, a larger share than this of a user gives a warning."""

MANY_OF_A_NUMBER = 2.0
"""So many times the events of the average user make a number such as 0 a word for guests."""

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
        yield from _times_in_two_columns(source)
        yield from _columns_that_differ(source)
        yield from _odd_event_types(source, event_types)
        yield from (note for near, note in _absent_kinds(source) if near)
        yield from _translated_kinds(source)
        yield from _users_that_are_many(source)
        yield from _unknown_requests(source, log)
    yield from _unread_times(source)
    yield from odd_ids(source, log)
    yield from _totals(source)
    if source.kind in ("items", "users"):
        yield from _looks_like_a_log(source)


def _odd_times(source: SummaryCollector, is_first: bool) -> Iterator[ImportNote]:
    first, last = source.first_time, source.last_time
    if first is None or last is None:
        return
    column = source.column_of("time")
    if 0 <= first < 366 * DAY:
        message = (
            f"times begin at {iso(first)}: a number that is no unix time, such as 20261130 or a "
            "day of Excel, reads so; write time_format in a mapping"
        )
        yield ImportNote("times-in-1970", column, message)
    elif is_first and source.rows >= MIN_ROWS and last - first < DAY:
        message = f"all times lie within one day, {iso(first)} to {iso(last)}"
        yield ImportNote("one-day-span", column, message)


def _unread_times(source: SummaryCollector) -> Iterator[ImportNote]:
    """Times that are refused, and the format that reads them."""
    proposals = proposed_formats(source.unread_times) if source.unread_times else []
    if not proposals:
        return
    texts = [" or ".join(f'"{pattern}"' for pattern in patterns) for patterns in proposals]
    setting = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f"times that cannot be read fit a mapping's time_format = {setting}"
    yield ImportNote("unread-times", source.column_of("time"), message)


def _times_in_two_columns(source: SummaryCollector) -> Iterator[ImportNote]:
    """A column of times of day beside one of days, from which the times are read alone."""
    moments = [column for column, role in source.roles.items() if role == "time"]
    names = {column: normalized_name(column) for column in source.roles}
    clocks = [column for column, name in names.items() if name in _CLOCKS]
    if not clocks or len(source.times_of_day) > MAX_MIDNIGHTS:
        return
    clock = min(clocks, key=lambda name: name in moments)
    named_days = [column for column, name in names.items() if "dat" in name or name in _DAYS]
    days = [*moments, *named_days]
    day = next((name for name in days if name != clock), None)
    are_days = source.rows >= MIN_ROWS if clock not in moments else not source.rows
    if day is not None and are_days:
        message = (
            f"the time of day stands in {clock!r} and the day in {day!r}; a mapping joins them: "
            f'join = {{ moment = ["{day}", "{clock}"] }} and time = "moment"'
        )
        yield ImportNote("time-in-two-columns", clock, message)


def _columns_that_differ(source: SummaryCollector) -> Iterator[ImportNote]:
    counts = {"user": len(source.users), "item": len(source.items)}
    for role, count in counts.items():
        if source.rows >= MIN_ROWS and count == source.rows:
            message = (
                f"every row names another {role}: nothing can be learned from such events; is "
                f"another column the {role}?"
            )
            yield ImportNote("all-values-differ", source.column_of(role), message, count)


def _odd_event_types(source: SummaryCollector, known: Collection[str]) -> Iterator[ImportNote]:
    if len(source.kinds) > MANY_EVENT_TYPES:
        column = source.column_of("kind")
        message = f"there are {len(source.kinds):,} event types: is another column the event type?"
        yield ImportNote("many-kinds", column, message, len(source.kinds))
        return
    frequent = sorted(  # of equally frequent names the usual ones first
        source.kinds.items(), key=lambda kind: (-kind[1], kind[0] not in USUAL_EVENT_TYPES)
    )
    ranks = {name: rank for rank, (name, _) in enumerate(frequent)}
    names = [*known, *(name for name, _ in frequent if name not in known)]
    for name, meant in misspelt(source.kinds, names).items():
        if name in known and source.kinds[name] > source.kinds.get(meant, 0):
            continue
        if meant in ranks and ranks[meant] > ranks[name]:
            continue  # the rarer one of two similar names is the misspelling
        message = f"the event type {name!r} looks like a misspelling of {meant!r}"
        yield ImportNote("misspelt-kind", source.column_of("kind"), message, source.kinds[name])
    for name, count in source.kinds.items():
        if not all(letter.isalnum() or letter in " _-.:/" for letter in name):
            message = f"the event type {name!r} has signs that names rarely have"
            yield ImportNote("odd-kind", source.column_of("kind"), message, count)


def source_notes(source: SummaryCollector) -> list[ImportNote]:
    """Find what is worth knowing of a source as a whole, and nothing wrong.

    Args:
        source: What the source holds.

    Returns:
        A note for each finding.
    """
    return [note for near, note in _absent_kinds(source) if not near]


def _absent_kinds(source: SummaryCollector) -> Iterator[tuple[str, ImportNote]]:
    """Names in the mapping's table of event types that no row has, after the nearest there is."""
    if not source.rows:
        return
    column = source.column_of("kind")
    for name in sorted(source.absent_kinds):
        near = similar_name(name, sorted(source.unmapped_kinds))
        message = (
            f"no row has the event type {name!r}, which the mapping names in [{source.kind}.kinds]"
        )
        message += f"; {near!r} is near" if near else ""
        yield near, ImportNote("absent-kind", column, message)


def _translated_kinds(source: SummaryCollector) -> Iterator[ImportNote]:
    """Event types that are other words for usual ones, which no recipe knows."""
    for name, count in source.kinds.items():
        usual = usual_event_type(name)
        if usual and usual != name:
            message = (
                f"the event type {name!r} looks like {usual!r} and counts as a kind of its own, "
                f'unless a mapping says [events.kinds] "{name}" = "{usual}"'
            )
            yield ImportNote("translated-kind", source.column_of("kind"), message, count)


def _totals(source: SummaryCollector) -> Iterator[ImportNote]:
    """Lines of totals, which exports end with, among the ids."""
    for role, ids in (("item", source.items), ("user", source.users)):
        for name in _without_digits(ids):
            if normalized_name(name) not in _TOTALS:
                continue
            column = source.column_of(role)
            message = (
                f"the {role} {name!r} looks like a line of totals; a mapping leaves it out: "
                f'where = "{column} is not {name}"'
            )
            yield ImportNote("totals-row", column, message, ids[name])


def _without_digits(ids: Iterable[str]) -> list[str]:
    names = pl.Series(list(ids), dtype=pl.String)
    plain: list[str] = names.filter(~names.str.contains("[0-9]")).to_list()
    return plain


def _users_that_are_many(source: SummaryCollector) -> Iterator[ImportNote]:
    """Words for guests among the users, and an id that has much of the events."""
    column = source.column_of("user")
    guests = {
        name: count
        for name, count in source.users.items()
        if is_guest_word(name)
        and (not is_number(name) or count * len(source.users) > MANY_OF_A_NUMBER * source.rows)
    }
    for name, count in sorted(guests.items(), key=lambda entry: (-entry[1], entry[0])):
        message = (
            f"{count / source.rows:.0%} of the events are of the user {name!r}, which looks like "
            "the word for guests: they count as one customer, unless a mapping says "
            f"anonymous = {[name]!r} in [events]"
        )
        yield ImportNote("guest-word", column, message, count)
    name, count = source.users.most_common(1)[0] if source.users else ("", 0)
    if (
        name not in guests
        and len(source.users) >= MIN_ROWS
        and source.rows >= MANY_EVENTS
        and count > MOST_OF_A_USER * source.rows
    ):
        message = (
            f"{count / source.rows:.0%} of the events are of the user {name!r}: if it stands for "
            f"all who are not known, say anonymous = {[name]!r} in the mapping's [events]"
        )
        yield ImportNote("user-dominates", column, message, count)


def _unknown_requests(source: SummaryCollector, log: ReferenceLog | None) -> Iterator[ImportNote]:
    if not source.requests or log is None:
        return
    unknown = source.requests.keys() - log.known_requests(source.requests)
    if unknown:
        count = sum(source.requests[name] for name in unknown)
        message = f"no recorded answer has the request_id {min(unknown)!r}, or that of other rows"
        yield ImportNote("unknown-request", source.column_of("request_id"), message, count)


def _looks_like_a_log(source: SummaryCollector) -> Iterator[ImportNote]:
    what = source.kind[:-1]
    count = len(source.users) if source.kind == "users" else len(source.items)
    if source.rows >= MIN_ROWS and source.rows >= MANY_ROWS_AN_ID * count:
        message = (
            f"{source.rows:,} rows describe only {count:,} {what}s, and the last row of each "
            f"{what} counts: is this a log of events? plait undo takes it back"
        )
        yield ImportNote("many-rows-an-id", source.column_of(what), message, source.rows)
