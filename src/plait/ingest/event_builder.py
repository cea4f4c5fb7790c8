"""Builds a batch of events from a chunk of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import repeat
from typing import Any

import numpy as np
import orjson
import polars as pl

from plait.data.array_types import Float32Array, Int64Array
from plait.data.catalogue import NO_TIME, FieldType
from plait.data.types import Event, RecordType
from plait.eventlog.memory_log import InteractionColumns
from plait.ingest.cleared_fields import with_cleared_fields
from plait.ingest.column_notation import ColumnSurvey
from plait.ingest.column_parsers import (
    parse_event_types,
    parse_integers,
    parse_numbers,
)
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.event_ids import EventIdFactory, content_of
from plait.ingest.extra_fields import fields_of, has_plain_fields
from plait.ingest.rejects import Rejected
from plait.ingest.row_chunk import RowChunk
from plait.ingest.row_errors import RowErrors
from plait.ingest.scalar_parsers import EXPECTED, expected_id_of
from plait.ingest.source_notes import ImportNote
from plait.ingest.timestamps import parse_times
from plait.schema.event_bounds import MAX_ID_LENGTH

__all__ = ["RECORD_TYPES", "EventBatch", "EventBuilder"]

RECORD_TYPES: Mapping[str, RecordType] = {
    "events": "interaction",
    "items": "item",
    "users": "user",
    "facts": "fact",
}
"""By what a file holds the type of its records."""
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
        notes: What to know about the values of these rows.
        losses: Fields that were left out of rows which are stored without them.
        roles: What each column is: "user", "time", ..., "field <name>", or "" if it is not read.
        absent_kinds: Names in the mapping's `kinds` that no row up to here has.
        unmapped_kinds: Names of event types that it does not mention, as long as some are absent.
        columns: The events as columns without fields, in place of `events`; None: there are none.
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
    notes: Sequence[ImportNote] = ()
    losses: Sequence[Rejected] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    absent_kinds: frozenset[str] = frozenset()
    unmapped_kinds: frozenset[str] = frozenset()
    columns: InteractionColumns | None = None


_Columns = dict[str, pl.Series]
"""Attributes of N events by name; one that no event has is left out."""


def _select(columns: _Columns, rows: Int64Array) -> _Columns:
    return {name: column[rows] for name, column in columns.items()}


def _content(columns: _Columns) -> list[str]:
    """All that each event states, as one text."""
    missing = pl.Series([None], dtype=pl.String)
    return content_of([columns.get(name, missing) for name in _CONTENT])


def _events(record_type: RecordType, ids: Sequence[str], columns: _Columns) -> list[Event]:
    attributes = [columns[name].to_list() if name in columns else repeat(None) for name in _CONTENT]
    rows = zip(repeat(record_type), ids, *attributes)
    return list(map(tuple.__new__, repeat(Event), rows))


def _integers(columns: _Columns, name: str) -> Int64Array:
    """A column of times or positions, `NO_TIME` for none."""
    if name not in columns:
        return np.full(len(columns["user"]), NO_TIME, np.int64)
    return columns[name].fill_null(NO_TIME).to_numpy().astype(np.int64)


def _numbers(columns: _Columns, name: str) -> Float32Array:
    """A column of values, NaN for none."""
    if name not in columns:
        return np.full(len(columns["user"]), np.nan, np.float32)
    return columns[name].cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float32)


class EventBuilder:
    """Makes batches of the chunks of one source; stores which contents came before.

    Args:
        roles: What each column is.
        event_ids: Makes the ids of events that have none.
        survey: How the times and amounts of the source are written.
        now: The current time in microseconds since 1970 UTC.
        aliases: Other ids of heads and tails, by the id that the file has.
        merge: Whether an empty cell of an item or a user clears the field.
        takes_columns: Returns whether interactions of these event types are wanted as columns;
            their fields are not read then. None: they never are.
    """

    def __init__(
        self,
        roles: ColumnRoles,
        event_ids: EventIdFactory,
        survey: ColumnSurvey,
        *,
        now: int,
        aliases: Mapping[str, str] | None = None,
        merge: bool = False,
        takes_columns: Callable[[Iterable[str]], bool] | None = None,
    ) -> None:
        self.roles = roles
        self._merge = merge
        self._takes_columns = takes_columns
        self._record_type = RECORD_TYPES[roles.kind]
        self._event_ids = event_ids
        self._survey = survey
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
        columns: _Columns = {}
        if "id" in roles.roles:
            columns["id"] = errors.ids(roles.roles["id"], "id")
        if roles.kind == "events":
            self._add_interactions(chunk, errors, columns)
        elif roles.kind == "facts":
            self._add_triples(chunk, errors, columns)
        else:
            self._add_changes(chunk, errors, columns)
        accepted = np.delete(np.arange(len(chunk.rows)), errors.indices)
        columns = _select(columns, accepted)
        repeated = 0
        if not roles.most_frequent:  # else these events are only counted
            distinct = self._distinct_rows(columns, len(accepted))
            repeated = len(accepted) - len(distinct)
            columns, accepted = _select(columns, distinct), accepted[distinct]
        as_columns = self._as_columns(chunk, columns)
        if roles.most_frequent or as_columns is not None:
            ids = [""] * len(accepted)
        else:
            ids = self._ids(columns)
        return EventBatch(
            roles.name,
            [] if as_columns is not None else _events(self._record_type, ids, columns),
            chunk.rows[accepted],
            [*chunk.rejects, *errors.rejects],
            repeated,
            {(self._record_type, name): dtype for name, dtype in roles.types.items()},  # type: ignore[misc]
            roles.kind in ("items", "users") and not {"time", "id"} & roles.roles.keys(),
            notes=[*chunk.notes, *self._survey.take_notes()],
            losses=errors.lost_fields,
            roles=dict.fromkeys(chunk.names, "") | roles.by_column(),
            absent_kinds=frozenset(self._survey.absent_kinds),
            unmapped_kinds=frozenset(self._survey.unmapped_kinds),
            columns=as_columns,
        )

    def _add_interactions(self, chunk: RowChunk, errors: RowErrors, columns: _Columns) -> None:
        roles = self.roles.roles
        columns["kind"] = self._event_types(chunk, errors)
        columns["user"] = self._users(chunk, errors)
        columns["item"] = self._required_ids(errors, "item")
        self._add_times(chunk, errors, columns)
        if "time" in columns and "position" not in roles:
            errors.refuse(columns["time"].is_null(), "time", roles["time"], EXPECTED["time"])
        if "position" in roles:
            columns["position"], invalid = parse_integers(chunk.raw(roles["position"]))
            errors.refuse(invalid, "position", roles["position"], "a whole number")
        if "value" in roles:
            numbers = self._survey.numbers(roles["value"])
            decimal = numbers if numbers == "," or numbers == "." else None
            columns["value"], invalid = parse_numbers(chunk.raw(roles["value"]), decimal)
            errors.refuse(invalid, "value", roles["value"], EXPECTED["value"])
        if "request_id" in roles:
            columns["request_id"] = errors.ids(roles["request_id"], "request_id")
        if self._skips_fields(chunk):
            columns["fields"] = pl.repeat(None, len(chunk.rows), dtype=pl.String, eager=True)
        else:
            columns["fields"] = fields_of(chunk, self.roles, errors, self._survey)

    def _skips_fields(self, chunk: RowChunk) -> bool:
        """Whether the fields of these rows can neither refuse a row nor be asked for."""
        return self._takes_columns is not None and has_plain_fields(chunk, self.roles)

    def _as_columns(self, chunk: RowChunk, columns: _Columns) -> InteractionColumns | None:
        """The interactions as columns, where the caller takes these."""
        if self._takes_columns is None or self.roles.kind != "events":
            return None
        kinds = columns["kind"].unique(maintain_order=True).to_list()
        is_named = all(kind and "\0" not in kind for kind in kinds)
        if not (is_named and self._skips_fields(chunk) and self._takes_columns(kinds)):
            return None
        return InteractionColumns(
            columns["user"].to_list(),
            columns["item"].to_list(),
            columns["kind"].to_list(),
            _integers(columns, "time"),
            _integers(columns, "position"),
            _numbers(columns, "value"),
            self._ids(columns) if "id" in columns else None,
        )

    def _add_changes(self, chunk: RowChunk, errors: RowErrors, columns: _Columns) -> None:
        columns["kind"] = self._event_types(chunk, errors)
        invalid, column = ~columns["kind"].is_in(_CHANGES), self.roles.roles.get("kind", "")
        errors.refuse(invalid, "kind", column, "put, patch or delete")
        columns[self._record_type] = self._required_ids(errors, self._record_type)
        self._add_times(chunk, errors, columns)
        fields = fields_of(chunk, self.roles, errors, self._survey)
        columns["fields"] = (
            with_cleared_fields(fields, chunk, self.roles) if self._merge else fields
        )

    def _add_triples(self, chunk: RowChunk, errors: RowErrors, columns: _Columns) -> None:
        roles = self.roles
        columns["item"] = self._entities(errors, "head", roles.mapping.head_prefix)
        tails = self._entities(errors, "tail", roles.mapping.tail_prefix)
        if "relation" in roles.roles:
            columns["kind"] = self._required_ids(errors, "relation")
        else:
            columns["kind"] = pl.repeat(roles.kind_default, len(chunk.rows), eager=True)
        self._add_times(chunk, errors, columns)
        texts = []
        for text, tail in zip(fields_of(chunk, roles, errors, self._survey), tails, strict=True):
            fields = {**(orjson.loads(text) if text else {}), "tail": tail}
            texts.append(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode())
        columns["fields"] = pl.Series(texts, dtype=pl.String)

    def _required_ids(self, errors: RowErrors, role: str) -> pl.Series:
        column = self.roles.roles[role]
        ids = errors.ids(column, role)
        if not self.roles.most_frequent:
            errors.refuse(ids.is_null(), role, column, expected_id_of(role))
        return ids

    def _entities(self, errors: RowErrors, role: str, prefix: str) -> pl.Series:
        """Heads or tails of triples."""
        ids = self._required_ids(errors, role)
        if self._aliases:
            ids = ids.replace(list(self._aliases), list(self._aliases.values()))
        return pl.select(pl.lit(prefix) + ids).to_series() if prefix else ids

    def _users(self, chunk: RowChunk, errors: RowErrors) -> pl.Series:
        """Users; a row without one belongs to an anonymous session, if it names one."""
        roles = self.roles.roles
        no_users = pl.repeat(None, len(chunk.rows), dtype=pl.String, eager=True)
        users = errors.ids(roles["user"], "user") if "user" in roles else no_users
        is_guest = self._are_guests(users)
        users = users.set(is_guest, None) if is_guest.any() else users
        if "session" in roles and users.null_count():
            sessions = errors.ids(roles["session"], "session")
            users = users.zip_with(users.is_not_null(), "session:" + sessions)
            too_long = (users.str.len_chars() > MAX_ID_LENGTH).fill_null(False)
            errors.refuse(too_long, "session", roles["session"], "a shorter id of the session")
        if is_guest.any():
            users = users.zip_with(~(is_guest & users.is_null()), self._own_sessions(chunk))
        column = roles.get("user", roles.get("session", ""))
        errors.refuse(users.is_null(), "user", column, expected_id_of("user"))
        return users

    def _are_guests(self, users: pl.Series) -> pl.Series:
        """Where a word stands for a user who is not known."""
        words = [word.strip().lower() for word in self.roles.mapping.anonymous]
        if not words:
            return users.is_null() & False
        return users.str.to_lowercase().is_in(words).fill_null(False)

    def _own_sessions(self, chunk: RowChunk) -> pl.Series:
        """A session for each row, which follows from its item and its time (or its place)."""
        roles = self.roles.roles
        names = [roles[role] for role in ("item", "time", "position") if role in roles]
        columns = [chunk.column(name).to_list() for name in names]
        if "time" not in roles:
            columns.append(chunk.rows.tolist())
        texts = (repr(row).encode(errors="backslashreplace") for row in zip(*columns, strict=True))
        hashes = (blake2b(text, digest_size=8).hexdigest() for text in texts)
        return pl.Series([f"session:guest-{digest}" for digest in hashes], dtype=pl.String)

    def _event_types(self, chunk: RowChunk, errors: RowErrors) -> pl.Series:
        roles = self.roles
        if "kind" in roles.roles:
            column = roles.roles["kind"]
            raw = chunk.raw(column)
            self._survey.note_kinds(raw)
            types, invalid = parse_event_types(raw, roles.kinds, roles.kind_default)
            errors.refuse(invalid, "kind", column, EXPECTED["kind"])
        else:
            types = pl.repeat(roles.kind_default, len(chunk.rows), dtype=pl.String, eager=True)
        for event_type, rules in reversed(roles.rules):
            holds = pl.repeat(False, len(chunk.rows), eager=True)
            for rule in rules:
                holds = holds | rule.holds(chunk)
            types = types.set(holds, event_type) if holds.any() else types
        return types

    def _add_times(self, chunk: RowChunk, errors: RowErrors, columns: _Columns) -> None:
        column, mapping = self.roles.roles.get("time"), self.roles.mapping
        if column is not None:
            columns["time"], invalid = parse_times(
                chunk.raw(column),
                mapping.timezone,
                mapping.time_format,
                self._now,
                self._survey.reading(column),
            )
            errors.refuse(invalid, "time", column, EXPECTED["time"])

    def _ids(self, columns: _Columns) -> list[str]:
        own: list[Any] = (
            columns["id"].to_list() if "id" in columns else [None] * len(columns["fields"])
        )
        if None not in own:
            return own
        numbered = self.roles.kind != "facts"  # the same triple twice is one triple
        derived = self._event_ids.ids(
            _content(columns), columns.get("time"), is_repeatable=numbered
        )
        return [event_id or other for event_id, other in zip(own, derived, strict=True)]

    def _distinct_rows(self, columns: _Columns, count: int) -> Int64Array:
        """The rows that state something new: of an item or user, something else than before."""
        if self.roles.kind == "events" or "id" in columns or not count:
            return np.arange(count)
        if self.roles.kind != "facts" and columns[self._record_type].n_unique() == count:
            return np.arange(count)
        content = _content(columns)
        if self.roles.kind == "facts":
            first = {text: row for row, text in reversed(list(enumerate(content)))}
            return np.array(sorted(first.values()), np.int64)
        latest: dict[str, str] = {}
        changed = []
        for row, (entity, text) in enumerate(zip(columns[self._record_type], content, strict=True)):
            if latest.get(entity) != text:
                latest[entity] = text
                changed.append(row)
        return np.array(changed, np.int64)
