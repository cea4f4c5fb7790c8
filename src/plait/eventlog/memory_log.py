"""A log in memory, for data that is read once: the rules of `EventLog`, no database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plait.data.array_types import Float32Array, Int64Array
from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog.append import EventBatch
from plait.eventlog.append_result import AppendResult
from plait.eventlog.event_admission import admit_events, event_rows, fields_without_values
from plait.eventlog.event_id_index import StoredEvent
from plait.eventlog.id_allocation import EventTypeTable
from plait.eventlog.read_columns import EventChunk, chunk_from_rows
from plait.eventlog.stored_schema import StoredSchema
from plait.eventlog.tables import TYPE_CODES
from plait.schema.schema import Schema

__all__ = ["InteractionColumns", "MemoryLog"]


@dataclass(frozen=True, slots=True, eq=False)
class InteractionColumns:
    """N interactions that a parser has checked, without fields.

    Attributes:
        users: N external ids of users.
        items: N external ids of items.
        kinds: N event types.
        times: int64 [N], microseconds since 1970 UTC, `NO_TIME` for none.
        positions: int64 [N], `NO_TIME` for none.
        values: float32 [N], NaN for none.
        ids: N external ids of events; None: every row is an event of its own.
    """

    users: Sequence[str]
    items: Sequence[str]
    kinds: Sequence[str]
    times: Int64Array
    positions: Int64Array
    values: Float32Array
    ids: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Sequence[int]) -> InteractionColumns:
        """Select interactions.

        Args:
            rows: The indices of M interactions.

        Returns:
            These interactions, without ids.
        """
        if len(rows) == len(self):
            return replace(self, ids=None)
        users, items, kinds = (
            [column[row] for row in rows] for column in (self.users, self.items, self.kinds)
        )
        index = np.array(rows, np.int64)
        arrays = self.times[index], self.positions[index], self.values[index]
        return InteractionColumns(users, items, kinds, *arrays)


class MemoryLog:
    """Takes interactions, items, users and triples, and gives what an `EventLog` would give.

    Numbers and offsets are those of a new `EventLog`. Fields of interactions may be left out, as
    no data set holds them.
    """

    def __init__(self) -> None:
        self._chunks: list[EventChunk] = []
        self._numbers: dict[str, dict[str, int]] = {"items": {}, "users": {}}
        self._event_types = EventTypeTable()
        self._events: dict[str, StoredEvent] = {}
        self._schema = StoredSchema()
        self._types = Schema({})
        self._version = 0

    @property
    def version(self) -> int:
        """The last offset, 0 for an empty log."""
        return self._version

    def append(
        self,
        events: Sequence[Event],
        types: Mapping[tuple[str, str], FieldType] | None = None,
    ) -> AppendResult:
        """Take a batch of interactions, items, users or triples.

        Args:
            events: The events.
            types: Declared types of fields.

        Returns:
            A status for every event, in their order.

        Raises:
            ConflictError: If a field has another type already.
            InputError: If a type, entity or name is not valid.
        """
        batch = EventBatch(events)
        self._schema.reset()
        self._schema.declare(types or {})
        batch.mark_known(self._events)
        admitted = admit_events(batch, self._schema, self._event_types)
        batch.mark_repeats()
        for index in batch.pending:
            self._events[batch.events[index].id] = StoredEvent(batch.digests[index])
        unused = fields_without_values(types, admitted) if types else ()
        self._types = self._schema.keep(unused)
        items = self._assign("items", (event.item for event in admitted))
        users = self._assign("users", (event.user for event in admitted))
        kinds = self._kind_numbers([event.event_type for event in admitted])
        if admitted:
            rows = event_rows(batch, admitted, kinds, users, items, self._version + 1)
            self._add(chunk_from_rows(rows))
        return batch.result(self._version)

    def has_place_for(self, kinds: Iterable[str]) -> bool:
        """Return whether there is a number for each event type.

        Args:
            kinds: Event types.
        """
        return not self._event_types.without_place(kinds, (), 0)

    def append_interactions(self, columns: InteractionColumns) -> int:
        """Take interactions that are known to be valid.

        Args:
            columns: N interactions, for whose event types there is a place.

        Returns:
            How many are stored: all but those whose id is taken.
        """
        if columns.ids is not None:
            columns = columns.take(self._unknown_rows(columns.ids))
        size = len(columns)
        if not size:
            return 0
        items, users = self._assign("items", columns.items), self._assign("users", columns.users)
        kinds = self._kind_numbers(columns.kinds)
        self._add(
            EventChunk(
                np.arange(self._version + 1, self._version + size + 1),
                np.full(size, TYPE_CODES["interaction"], np.int8),
                np.fromiter(map(kinds.__getitem__, columns.kinds), np.int16, size),
                np.array(users, np.int32),
                np.array(items, np.int32),
                columns.times,
                columns.positions,
                columns.values,
                [None] * size,
            )
        )
        return size

    def read(self, after: int = 0, until: int | None = None) -> Iterator[EventChunk]:
        """Read the events in chunks.

        Args:
            after: Not used: a log in memory is read from its beginning.
            until: Not used: it is read to its end.

        Returns:
            The chunks in the order of the offsets.
        """
        return iter(self._chunks)

    def item_ids(self, first: int = 0) -> Sequence[str]:
        """Return the external ids of the item numbers from `first` on.

        Args:
            first: The number of the first item.
        """
        return list(self._numbers["items"])[first:]

    def user_ids(self, first: int = 0) -> Sequence[str]:
        """Return the external ids of the user numbers from `first` on.

        Args:
            first: The number of the first user.
        """
        return list(self._numbers["users"])[first:]

    def kinds(self, first: int = 0) -> Sequence[str]:
        """Return the names of event types, changes and relations from number `first` on.

        Args:
            first: The number of the first name.
        """
        return list(self._event_types.numbers)[first:]

    def schema(self) -> Schema:
        """Return the types of all fields."""
        return self._types

    def _add(self, chunk: EventChunk) -> None:
        self._chunks.append(chunk)
        self._version += len(chunk)

    def _assign(self, table: str, ids: Iterable[str | None]) -> list[int | None]:
        """The number of every id, None for None; new ids get the next ones."""
        numbers = self._numbers[table]
        names = list(ids)
        for name in dict.fromkeys(names):
            if name is not None and name not in numbers:
                numbers[name] = len(numbers)
        return [None if name is None else numbers[name] for name in names]

    def _kind_numbers(self, kinds: Sequence[str]) -> Mapping[str, int]:
        """The numbers of all event types, with these."""
        numbers = self._event_types.numbers
        numbers.update(
            {name: len(numbers) + i for i, name in enumerate(self._event_types.unknown(kinds))}
        )
        return numbers

    def _unknown_rows(self, ids: Sequence[str]) -> list[int]:
        """The rows whose ids are new, the first of each."""
        rows = []
        for row, event_id in enumerate(ids):
            if event_id not in self._events:
                self._events[event_id] = StoredEvent(b"")
                rows.append(row)
        return rows
