"""A chunk of rows to a batch of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import orjson
import polars as pl

from plait.data.arrays import Int64Array
from plait.data.catalogue import FieldType
from plait.data.types import Event, RecordType
from plait.ingest.column_parsers import (
    RowErrors,
    parse_event_types,
    parse_integers,
    parse_numbers,
)
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.event_ids import EventIdFactory, content_of
from plait.ingest.event_schema import (
    EXPECTED_NUMBER,
    EXPECTED_TIME,
    EXPECTED_TYPE,
    expected_id_of,
)
from plait.ingest.extra_fields import fields_of
from plait.ingest.rejects import Rejected
from plait.ingest.row_chunk import RowChunk
from plait.ingest.timestamps import parse_times
from plait.schema.event_rules import MAX_ID_LENGTH

__all__ = ["EventBatch", "EventBuilder"]

_RECORD_TYPES: Mapping[str, RecordType] = {
    "events": "interaction",
    "items": "item",
    "users": "user",
    "facts": "fact",
}
_CHANGES = ("put", "patch", "delete")
_CONTENT = ("kind", "user", "item", "time", "position", "value", "request_id", "fields")
"""The attributes of an event after its id, in their order, by their names in a file."""


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """Events of at most 50,000 rows.

    Attributes:
        source: The name of the source.
        events: The events.
        rows: The row of the source that each event came from, int64 [len(events)].
        rejects: The rows that were refused.
        repeated: How many rows repeated what the row before stated of the same item.
        types: The field types that the mapping declares, by (entity, field).
        untimed: Whether these are items or users of a source without times and event ids.
        consumed: How many bytes of the file (rows of a table) are read.
        size: How many there are; None if unknown.
    """

    source: str
    events: list[Event]
    rows: Int64Array
    rejects: list[Rejected] = field(default_factory=list)
    repeated: int = 0
    types: Mapping[tuple[str, str], FieldType] = field(default_factory=dict)
    untimed: bool = False
    consumed: int = 0
    size: int | None = None


class _EventColumns:
    """The attributes of N events by name; an attribute that no event has is left out."""

    def __init__(self) -> None:
        self.columns: dict[str, pl.Series | list[Any]] = {}

    def select(self, indices: Int64Array) -> None:
        """Keep only these rows."""
        self.columns = {
            name: column[indices]
            if isinstance(column, pl.Series)
            else [column[index] for index in indices]
            for name, column in self.columns.items()
        }

    def series(self, name: str) -> pl.Series | None:
        column = self.columns.get(name)
        return column if isinstance(column, pl.Series) else None

    def content(self) -> list[str]:
        """All that each event states, as one text."""
        columns = [self.columns.get(name, [None]) for name in _CONTENT]
        return content_of(
            [
                column if isinstance(column, pl.Series) else pl.Series(column, dtype=pl.String)
                for column in columns
            ]
        )

    def events(self, record_type: RecordType, ids: Sequence[str]) -> list[Event]:
        columns: list[Any] = [self.columns.get(name, repeat(None)) for name in _CONTENT]
        rows = zip(
            repeat(record_type),
            ids,
            *(column.to_list() if isinstance(column, pl.Series) else column for column in columns),
        )
        return list(map(tuple.__new__, repeat(Event), rows))


class EventBuilder:
    """Makes batches of the chunks of one source; remembers which contents came before.

    Args:
        roles: What each column is.
        event_ids: Makes the ids of events that have none.
        now: The current time in microseconds since 1970 UTC.
        aliases: Other ids of heads and tails, by the id that the file has.
    """

    def __init__(
        self,
        roles: ColumnRoles,
        event_ids: EventIdFactory,
        *,
        now: int,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.roles = roles
        self._record_type = _RECORD_TYPES[roles.kind]
        self._event_ids = event_ids
        self._now = now
        self._aliases = aliases or {}

    def build(self, chunk: RowChunk) -> EventBatch:
        """Build the events of a chunk.

        Args:
            chunk: The rows.

        Returns:
            Their events and the rows that were refused.
        """
        roles = self.roles
        errors = RowErrors(chunk, roles.name)
        events = _EventColumns()
        if roles.kind == "events":
            self._add_interactions(chunk, errors, events)
        elif roles.kind == "facts":
            self._add_triples(chunk, errors, events)
        else:
            self._add_changes(chunk, errors, events)
        rows = chunk.rows
        if errors.indices:
            accepted = np.delete(np.arange(len(rows)), errors.indices)
            events.select(accepted)
            rows = rows[accepted]
        repeated = 0
        if not roles.most_frequent:  # else these events are only counted
            accepted = self._unrepeated(events, len(rows))
            repeated = len(rows) - len(accepted)
            if repeated:
                events.select(accepted)
                rows = rows[accepted]
        ids = [""] * len(rows) if roles.most_frequent else self._ids(events)
        return EventBatch(
            roles.name,
            events.events(self._record_type, ids),
            rows,
            [*chunk.rejects, *errors.rejects],
            repeated,
            {(self._record_type, name): dtype for name, dtype in roles.types.items()},  # type: ignore[misc]
            roles.kind in ("items", "users") and not {"time", "id"} & roles.roles.keys(),
        )

    def _add_interactions(self, chunk: RowChunk, errors: RowErrors, events: _EventColumns) -> None:
        roles, columns = self.roles.roles, events.columns
        columns["kind"] = self._event_types(chunk, errors)
        columns["user"] = self._users(chunk, errors)
        columns["item"] = self._required_ids(chunk, errors, "item")
        times = self._add_times(chunk, errors, events)
        if times is not None and "position" not in roles:
            errors.refuse(times.is_null(), "time", roles["time"], EXPECTED_TIME)
        if "position" in roles:
            positions, invalid = parse_integers(chunk.raw(roles["position"]))
            errors.refuse(invalid, "position", roles["position"], "a whole number")
            columns["position"] = positions
        if "value" in roles:
            values, invalid = parse_numbers(chunk.raw(roles["value"]))
            errors.refuse(invalid, "value", roles["value"], EXPECTED_NUMBER)
            columns["value"] = values
        if "request_id" in roles:
            columns["request_id"] = errors.ids(roles["request_id"], "request_id")
        self._add_ids_and_fields(chunk, errors, events)

    def _add_changes(self, chunk: RowChunk, errors: RowErrors, events: _EventColumns) -> None:
        changes = events.columns["kind"] = self._event_types(chunk, errors)
        column = self.roles.roles.get("kind", "")
        errors.refuse(~changes.is_in(_CHANGES), "kind", column, "put, patch or delete")
        role = self._record_type
        events.columns[role] = self._required_ids(chunk, errors, role)
        self._add_times(chunk, errors, events)
        self._add_ids_and_fields(chunk, errors, events)

    def _add_triples(self, chunk: RowChunk, errors: RowErrors, events: _EventColumns) -> None:
        roles, columns = self.roles, events.columns
        columns["item"] = self._entities(chunk, errors, "head", roles.mapping.head_prefix)
        tails = self._entities(chunk, errors, "tail", roles.mapping.tail_prefix)
        if "relation" in roles.roles:
            columns["kind"] = self._required_ids(chunk, errors, "relation")
        else:
            columns["kind"] = pl.repeat(roles.kind_default, len(chunk.rows), eager=True)
        self._add_times(chunk, errors, events)
        self._add_ids_and_fields(chunk, errors, events)
        columns["fields"] = [
            orjson.dumps(
                {**(orjson.loads(text) if text else {}), "tail": tail}, option=orjson.OPT_SORT_KEYS
            ).decode()
            for text, tail in zip(columns["fields"], tails.to_list(), strict=True)
        ]

    def _required_ids(self, chunk: RowChunk, errors: RowErrors, role: str) -> pl.Series:
        column = self.roles.roles[role]
        ids = errors.ids(column, role)
        if not self.roles.most_frequent:
            errors.refuse(ids.is_null(), role, column, expected_id_of(role))
        return ids

    def _entities(self, chunk: RowChunk, errors: RowErrors, role: str, prefix: str) -> pl.Series:
        """Heads or tails of triples."""
        ids = self._required_ids(chunk, errors, role)
        if self._aliases:
            ids = ids.replace(list(self._aliases), list(self._aliases.values()))
        return pl.select(pl.lit(prefix) + ids).to_series() if prefix else ids

    def _users(self, chunk: RowChunk, errors: RowErrors) -> pl.Series:
        """Users; a row without one belongs to an anonymous session, if it names one."""
        roles = self.roles.roles
        if "user" in roles:
            users = errors.ids(roles["user"], "user")
        else:
            users = pl.Series([None] * len(chunk.rows), dtype=pl.String)
        if "session" in roles and users.null_count():
            sessions = errors.ids(roles["session"], "session")
            users = users.zip_with(users.is_not_null(), "session:" + sessions)
            too_long = (users.str.len_chars() > MAX_ID_LENGTH).fill_null(False)
            errors.refuse(too_long, "session", roles["session"], "a shorter id of the session")
        column = roles.get("user", roles.get("session", ""))
        errors.refuse(users.is_null(), "user", column, expected_id_of("user"))
        return users

    def _event_types(self, chunk: RowChunk, errors: RowErrors) -> pl.Series:
        roles = self.roles
        if "kind" in roles.roles:
            column = roles.roles["kind"]
            types, invalid = parse_event_types(chunk.raw(column), roles.kinds, roles.kind_default)
            errors.refuse(invalid, "kind", column, EXPECTED_TYPE)
        else:
            types = pl.repeat(roles.kind_default, len(chunk.rows), dtype=pl.String, eager=True)
        for event_type, rules in reversed(roles.rules):
            holds = pl.repeat(False, len(chunk.rows), eager=True)
            for rule in rules:
                holds = holds | rule.holds(chunk)
            types = types.set(holds, event_type) if holds.any() else types
        return types

    def _add_times(
        self, chunk: RowChunk, errors: RowErrors, events: _EventColumns
    ) -> pl.Series | None:
        column, mapping = self.roles.roles.get("time"), self.roles.mapping
        if column is None:
            return None
        times, invalid = parse_times(
            chunk.raw(column),
            timezone=mapping.timezone,
            pattern=mapping.time_format,
            now=self._now,
        )
        errors.refuse(invalid, "time", column, EXPECTED_TIME)
        events.columns["time"] = times
        return times

    def _add_ids_and_fields(
        self, chunk: RowChunk, errors: RowErrors, events: _EventColumns
    ) -> None:
        if "id" in self.roles.roles:
            events.columns["id"] = errors.ids(self.roles.roles["id"], "id")
        events.columns["fields"] = fields_of(chunk, self.roles, errors)

    def _ids(self, events: _EventColumns) -> list[str]:
        ids = events.series("id")
        if ids is not None and not ids.null_count():
            own_ids: list[str] = ids.to_list()
            return own_ids
        numbered = self.roles.kind != "facts"  # the same triple twice is one triple
        derived = self._event_ids.ids(events.content(), events.series("time"), repeat=numbered)
        if ids is None:
            return derived
        return [own or other for own, other in zip(ids.to_list(), derived, strict=True)]

    def _unrepeated(self, events: _EventColumns, count: int) -> Int64Array:
        """The rows that state something new: of an item or user, something else than before."""
        if self.roles.kind == "events" or "id" in events.columns or not count:
            return np.arange(count)
        content = events.content()
        if self.roles.kind == "facts":
            first = {text: index for index, text in reversed(list(enumerate(content)))}
            return np.array(sorted(first.values()), np.int64)
        latest: dict[str, str] = {}
        changed = []
        ids = events.columns[self._record_type]
        for index, (external_id, text) in enumerate(zip(ids, content, strict=True)):
            if latest.get(external_id) != text:
                latest[external_id] = text
                changed.append(index)
        return np.array(changed, np.int64)
