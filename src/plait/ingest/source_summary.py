"""Summarises a source for the receipt of its import: columns, times, and new ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, Protocol

from plait.data.types import Event
from plait.eventlog import AppendResult
from plait.ingest.event_builder import EventBatch
from plait.ingest.rejects import Rejected
from plait.ingest.scalar_parsers import EXPECTED
from plait.ingest.source_notes import ImportNote
from plait.schema.schema import Schema
from plait.utils.timestamps import DAY

__all__ = [
    "ColumnSummary",
    "ReferenceLog",
    "SourceSummary",
    "SummaryCollector",
    "UncataloguedItems",
]

MOST_FREQUENT = 5
"""How many ids outside the catalogue are named."""

_FEW = 1000
"""Of so many events the times of day are looked at."""

_UNREAD_TIMES = 50
"""So many refused times are looked at to find their format."""

_ROLE_TYPES = {
    "time": "time",
    "value": "number",
    "position": "number",
    "kind": "event type",
    "relation": "relation",
    "fields": "object",
}
_ENTITIES = {"events": "interaction", "items": "item", "users": "user"}
_kind, _user, _item, _time, _request = (itemgetter(index) for index in (2, 3, 4, 5, 8))


class ReferenceLog(Protocol):
    """What a log can tell about the names in a source; `EventLog` is one."""

    def schema(self) -> Schema:
        """Return the types of all fields."""

    def has_catalogue(self) -> bool:
        """Return whether any item has a row of its own."""

    def described_items(self, item_ids: Iterable[str]) -> set[str]:
        """Find out which items a catalogue has named.

        Args:
            item_ids: External ids.
        """

    def item_ids(self, first: int = 0) -> Sequence[str]:
        """Return the external ids of items.

        Args:
            first: The number of the first item.
        """

    def known_requests(self, request_ids: Iterable[str]) -> set[str]:
        """Find out which requests have a recorded answer.

        Args:
            request_ids: Ids of requests.
        """


class ColumnSummary(NamedTuple):
    """What a column was taken for.

    Attributes:
        column: Its name in the source.
        role: "user", "item", "time", ...; "field" for a field; "" if it is not read.
        field: The name of the field, "" for another role.
        type: The type of its values: "id", "time", "number", "text", "category", ...; "" if no
            value is known.
    """

    column: str
    role: str
    field: str
    type: str


@dataclass(frozen=True, slots=True)
class UncataloguedItems:
    """Events that name items which no catalogue has.

    Attributes:
        events: How many events.
        share: Their share of all events of the source.
        items: How many items.
        most_frequent: The ids with the most events, with their counts.
    """

    events: int
    share: float
    items: int
    most_frequent: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """What an import understood of a source.

    Attributes:
        columns: What each column was taken for.
        first_time: The earliest time, microseconds since 1970 UTC; None if there are no times.
        last_time: The latest time.
        new_items: How many items the log did not know.
        new_users: How many users it did not know.
        new_kinds: The event types (relations, of facts) that it did not know.
        kinds: How many rows there are of each event type.
        ids: How many different items (users, of a file of users) the rows are about.
        uncatalogued: Events of items that no catalogue has; None if there is no catalogue.
        cleared: By field how many items or users lose its value.
        removed: How many items were removed because the source does not have them.
        warnings: What looks wrong.
    """

    columns: tuple[ColumnSummary, ...] = ()
    first_time: int | None = None
    last_time: int | None = None
    new_items: int = 0
    new_users: int = 0
    new_kinds: tuple[str, ...] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    ids: int = 0
    uncatalogued: UncataloguedItems | None = None
    cleared: Mapping[str, int] = field(default_factory=dict)
    removed: int = 0
    warnings: tuple[ImportNote, ...] = ()


class SummaryCollector:
    """Adds up what the batches of one source hold.

    Memory: each different id of an item and a user.

    Args:
        kind: What the rows are.

    Attributes:
        kind: What the rows are.
        rows: How many events there were.
        items: How many events name each item.
        users: The users that are named.
        kinds: How many events there are of each type.
        requests: The requests that are named.
        roles: What each column was taken for.
        first_time: The earliest time.
        last_time: The latest time.
        times_of_day: Times of day among the first events, microseconds since midnight UTC.
        unread_times: Some of the texts that were refused as times.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rows = 0
        self.items: Counter[str] = Counter()
        self.users: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.roles: dict[str, str] = {}
        self.absent_kinds: frozenset[str] = frozenset()
        self.unmapped_kinds: frozenset[str] = frozenset()
        self.first_time: int | None = None
        self.last_time: int | None = None
        self.times_of_day: set[int] = set()
        self.unread_times: list[str] = []
        self._uncatalogued_items: Counter[str] | None = None
        self._new_items = self._new_users = 0
        self._new_kinds: list[str] = []

    def add(self, batch: EventBatch, result: AppendResult | None) -> None:
        """Take up a batch.

        Args:
            batch: The batch.
            result: What became of it.
        """
        self.roles |= batch.roles
        self.absent_kinds, self.unmapped_kinds = batch.absent_kinds, batch.unmapped_kinds
        self._add_unread_times(batch.rejects)
        events = batch.events
        if not events or result is None:
            return
        self.rows += len(events)
        self._add_times(events)
        self._new_items += result.new.items
        self._new_users += result.new.users
        if self.kind in ("events", "facts"):
            self._new_kinds += result.new.kinds
            self.kinds.update(map(_kind, events))
        if self.kind in ("events", "items"):
            self.items.update(filter(None, map(_item, events)))
        if self.kind in ("events", "users"):
            self.users.update(filter(None, map(_user, events)))
        if self.kind == "events" and "request_id" in batch.roles.values():
            self.requests.update(name for name in map(_request, events) if name is not None)

    def _add_unread_times(self, rejects: Sequence[Rejected]) -> None:
        room = _UNREAD_TIMES - len(self.unread_times)
        refused = (bad.value for bad in rejects if bad.expected == EXPECTED["time"] and bad.value)
        self.unread_times += islice(refused, room)

    def _add_times(self, events: Sequence[Event]) -> None:
        try:
            first, last = min(map(_time, events)), max(map(_time, events))
        except TypeError:  # some have none, or all
            times = set(map(_time, events)) - {None}
            if not times:
                return
            first, last = min(times), max(times)
        if self.first_time is None:
            times_of_few = filter(None, map(_time, events[:_FEW]))
            self.times_of_day = {time % DAY for time in times_of_few}
        self.first_time = first if self.first_time is None else min(first, self.first_time)
        self.last_time = last if self.last_time is None else max(last, self.last_time)

    def summary(self, log: ReferenceLog | None) -> SourceSummary:
        """Return what is known at the end of the source.

        Args:
            log: The log after the import; None if it cannot be read.

        Returns:
            The summary, without warnings and effects on the catalogue.
        """
        return SourceSummary(
            columns=self._columns(None if log is None else log.schema()),
            first_time=self.first_time,
            last_time=self.last_time,
            new_items=self._new_items,
            new_users=self._new_users,
            new_kinds=tuple(self._new_kinds),
            kinds=dict(self.kinds.most_common()),
            ids=len(self.users) if self.kind == "users" else len(self.items),
            uncatalogued=None if log is None else self._uncatalogued(log),
        )

    def column_of(self, role: str) -> str:
        """Return the column that has a role; the role itself if none has.

        Args:
            role: The role.
        """
        return next((column for column, name in self.roles.items() if name == role), role)

    def uncatalogued_items(self, log: ReferenceLog) -> Counter[str]:
        """Return the items that no catalogue has, with their numbers of events.

        Args:
            log: The log after the import.

        Returns:
            The counts; empty if there is no catalogue, or the source is none of events.
        """
        if self._uncatalogued_items is None:
            missing: Collection[str] = ()
            if self.kind == "events" and self.items and log.has_catalogue():
                missing = self.items.keys() - log.described_items(self.items)
            self._uncatalogued_items = Counter({name: self.items[name] for name in missing})
        return self._uncatalogued_items

    def _columns(self, schema: Schema | None) -> tuple[ColumnSummary, ...]:
        types = {} if schema is None else schema.types
        entity = _ENTITIES.get(self.kind, "")
        columns = []
        objects = {
            ".".join(column.split(".")[:end])
            for column in self.roles
            for end in range(1, column.count(".") + 1)
        }
        for column, role in self.roles.items():
            if role.startswith("field "):
                name = role.removeprefix("field ")
                dtype = types.get((entity, name), "")
                is_shared = list(self.roles.values()).count(role) > 1
                if column in objects and (is_shared or not dtype):
                    continue  # its parts are the fields
                columns.append(ColumnSummary(column, "field", name, dtype))
            else:
                dtype = _ROLE_TYPES.get(role, "id") if role else ""
                columns.append(ColumnSummary(column, role, "", dtype))
        return tuple(columns)

    def _uncatalogued(self, log: ReferenceLog) -> UncataloguedItems | None:
        if self.kind != "events" or not self.items or not log.has_catalogue():
            return None
        counts = self.uncatalogued_items(log)
        events = counts.total()
        ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return UncataloguedItems(
            events, events / self.rows, len(counts), tuple(ranked[:MOST_FREQUENT])
        )
