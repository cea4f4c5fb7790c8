"""A chunk of rows to a batch of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from plait.data.catalogue import FieldType
from plait.data.types import Event, RecordType
from plait.ingest.column_parsers import RowErrors, kinds_of, numbers_of, wholes_of
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.event_ids import EventIdFactory, content_of
from plait.ingest.extra_fields import fields_of
from plait.ingest.rejects import Rejected
from plait.ingest.row_chunk import RowChunk
from plait.ingest.timestamps import EXPECTED, micros_of

__all__ = ["EventBatch", "EventBuilder"]

_TYPES: Mapping[str, RecordType] = {
    "events": "interaction",
    "items": "item",
    "users": "user",
    "facts": "fact",
}
_CHANGES = ("put", "patch", "delete")


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """Events of at most 50,000 rows.

    `rows` int64 [len(events)] are the rows of the file they came from; `rejects` those that were
    refused; `repeated` counts rows that said again what the row before had said of the same item.
    `types`: the field types that the mapping declares, by (entity, field). `untimed`: these are
    items or users of a source that has neither times nor ids of events. `consumed` of `size` bytes
    of the file (rows of a table) are read; None where the size is unknown.
    """

    source: str
    events: list[Event]
    rows: npt.NDArray[np.int64]
    rejects: list[Rejected] = field(default_factory=list)
    repeated: int = 0
    types: Mapping[tuple[str, str], FieldType] = field(default_factory=dict)
    untimed: bool = False
    consumed: int = 0
    size: int | None = None


class _Columns:
    """The parts of N events; what is one value for all is kept once."""

    def __init__(self, kind: RecordType) -> None:
        self.type = kind
        self.parts: dict[str, pl.Series | list[Any]] = {}

    def keep(self, places: npt.NDArray[np.int64]) -> None:
        """Only the rows at `places`."""
        self.parts = {
            name: part[places] if isinstance(part, pl.Series) else [part[at] for at in places]
            for name, part in self.parts.items()
        }

    def series(self, name: str) -> pl.Series | None:
        part = self.parts.get(name)
        return part if isinstance(part, pl.Series) else None

    def events(self, ids: Sequence[str]) -> list[Event]:
        def listed(name: str) -> Any:
            part = self.parts.get(name)
            if part is None:
                return repeat(None)
            return part.to_list() if isinstance(part, pl.Series) else part

        names = ("kind", "user", "item", "time", "position", "value", "request_id", "fields")
        rows = zip(repeat(self.type), ids, *map(listed, names))
        return list(map(tuple.__new__, repeat(Event), rows))


class EventBuilder:
    """Makes batches of the chunks of one source; remembers what came before.

    `now`: microseconds since 1970. `untimed`: an interaction without a time where there should be
    one is rejected ("reject") or happens now ("now").
    """

    def __init__(
        self,
        plan: ColumnRoles,
        identity: EventIdFactory,
        *,
        now: int,
        untimed: str = "reject",
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.plan = plan
        self._identity = identity
        self._now = now
        self._untimed = untimed
        self._aliases = aliases or {}

    def build(self, chunk: RowChunk) -> EventBatch:
        """The events of a chunk and the rows that were refused."""
        checks = RowErrors(chunk, self.plan.name)
        columns = _Columns(_TYPES[self.plan.kind])
        filler = {
            "events": self._interactions,
            "items": self._changes,
            "users": self._changes,
            "facts": self._facts,
        }[self.plan.kind]
        filler(chunk, checks, columns)
        rows = chunk.rows
        rejects = [*chunk.rejects, *checks.rejects]
        if checks.places:
            kept = np.delete(np.arange(len(rows)), checks.places)
            columns.keep(kept)
            rows = rows[kept]
        repeated = 0
        if not self.plan.most_frequent:  # else these events are only counted
            rows, repeated = self._once(columns, rows)
        ids = [""] * len(rows) if self.plan.most_frequent else self._ids(columns)
        events, untimed = columns.events(ids), self._untimed_entities()
        return EventBatch(self.plan.name, events, rows, rejects, repeated, self._types(), untimed)

    def _untimed_entities(self) -> bool:
        return self.plan.kind in ("items", "users") and not {"time", "id"} & self.plan.roles.keys()

    def _types(self) -> Mapping[tuple[str, str], FieldType]:
        entity: str = _TYPES[self.plan.kind]
        return {(entity, name): kind for name, kind in self.plan.types.items()}  # type: ignore[misc]

    # -- by kind of file

    def _interactions(self, chunk: RowChunk, checks: RowErrors, columns: _Columns) -> None:
        roles, parts = self.plan.roles, columns.parts
        parts["kind"] = self._kinds(chunk, checks)
        parts["user"] = self._users(chunk, checks)
        parts["item"] = self._required(chunk, checks, "item")
        self._time(chunk, checks, columns, needed=True)
        self._numbers(chunk, checks, columns)
        if "request_id" in roles:
            parts["request_id"] = checks.ids(roles["request_id"], "request_id")
        self._rest(chunk, checks, columns)

    def _changes(self, chunk: RowChunk, checks: RowErrors, columns: _Columns) -> None:
        role = _TYPES[self.plan.kind]
        kinds = columns.parts["kind"] = self._kinds(chunk, checks)
        wrong = ~kinds.is_in(_CHANGES)
        checks.refuse(wrong, "kind", self.plan.roles.get("kind", ""), "put, patch or delete")
        columns.parts[role] = self._required(chunk, checks, role)
        self._time(chunk, checks, columns, needed=False)
        self._rest(chunk, checks, columns)

    def _facts(self, chunk: RowChunk, checks: RowErrors, columns: _Columns) -> None:
        plan = self.plan
        columns.parts["item"] = self._named(chunk, checks, "head", plan.mapping.head_prefix)
        tails = self._named(chunk, checks, "tail", plan.mapping.tail_prefix)
        if "relation" in plan.roles:
            columns.parts["kind"] = self._required(chunk, checks, "relation")
        else:
            columns.parts["kind"] = pl.repeat(plan.kind_default, len(chunk.rows), eager=True)
        self._time(chunk, checks, columns, needed=False)
        self._rest(chunk, checks, columns)
        columns.parts["fields"] = _with_tails(list(columns.parts["fields"]), tails.to_list())

    # -- parts

    def _required(self, chunk: RowChunk, checks: RowErrors, role: str) -> pl.Series:
        column = self.plan.roles[role]
        found = checks.ids(column, role)
        if not self.plan.most_frequent:
            checks.refuse(found.is_null(), role, column, f"the id of the {role}")
        return found

    def _named(self, chunk: RowChunk, checks: RowErrors, role: str, prefix: str) -> pl.Series:
        found = self._required(chunk, checks, role)
        if self._aliases:
            found = found.replace(list(self._aliases), list(self._aliases.values()))
        return pl.select(pl.lit(prefix) + found).to_series() if prefix else found

    def _users(self, chunk: RowChunk, checks: RowErrors) -> pl.Series:
        """Users; a row without one belongs to an anonymous session, if it names one."""
        roles = self.plan.roles
        empty = pl.Series([None] * len(chunk.rows), dtype=pl.String)
        found = checks.ids(roles["user"], "user") if "user" in roles else empty
        if "session" in roles and found.null_count():
            session = checks.ids(roles["session"], "session")
            found = found.zip_with(found.is_not_null(), "session:" + session)
            session_long = (found.str.len_chars() > 512).fill_null(False)
            checks.refuse(session_long, "session", roles["session"], "a shorter id of the session")
        column = roles.get("user", roles.get("session", ""))
        checks.refuse(found.is_null(), "user", column, "the id of the user")
        return found

    def _kinds(self, chunk: RowChunk, checks: RowErrors) -> pl.Series:
        plan = self.plan
        if "kind" in plan.roles:
            column = plan.roles["kind"]
            found, wrong = kinds_of(chunk.column(column), plan.kinds, plan.kind_default)
            checks.refuse(wrong, "kind", column, "a kind of at most 128 characters")
        else:
            found = pl.repeat(plan.kind_default, len(chunk.rows), dtype=pl.String, eager=True)
        for kind, rules in reversed(plan.rules):
            holds = pl.repeat(False, len(chunk.rows), eager=True)
            for rule in rules:
                holds = holds | rule.holds(chunk)
            found = found.set(holds, kind) if holds.any() else found
        return found

    def _time(self, chunk: RowChunk, checks: RowErrors, columns: _Columns, *, needed: bool) -> None:
        roles, mapping = self.plan.roles, self.plan.mapping
        late = needed and self._untimed == "now" and "position" not in roles
        if "time" in roles:
            column = roles["time"]
            found, wrong = micros_of(
                chunk.column(column),
                timezone=mapping.timezone,
                pattern=mapping.time_format,
                now=self._now,
            )
            checks.refuse(wrong, "time", column, EXPECTED)
            if needed and not late and "position" not in roles:
                checks.refuse(found.is_null(), "time", column, EXPECTED)
            columns.parts["time"] = found.fill_null(self._now) if late else found
        elif late:
            columns.parts["time"] = pl.repeat(self._now, len(chunk.rows), eager=True)

    def _numbers(self, chunk: RowChunk, checks: RowErrors, columns: _Columns) -> None:
        roles = self.plan.roles
        if "position" in roles:
            found, wrong = wholes_of(chunk.column(roles["position"]))
            checks.refuse(wrong, "position", roles["position"], "a whole number")
            columns.parts["position"] = found
        if "value" in roles:
            found, wrong = numbers_of(chunk.column(roles["value"]))
            checks.refuse(wrong, "value", roles["value"], "a finite number")
            columns.parts["value"] = found

    def _rest(self, chunk: RowChunk, checks: RowErrors, columns: _Columns) -> None:
        if "id" in self.plan.roles:
            columns.parts["id"] = checks.ids(self.plan.roles["id"], "id")
        columns.parts["fields"] = fields_of(chunk, self.plan, checks)

    # -- ids

    def _content(self, columns: _Columns) -> list[str]:
        parts: list[pl.Series] = []
        for name in ("kind", "user", "item", "time", "position", "value", "request_id", "fields"):
            part = columns.parts.get(name)
            if part is None:
                part = pl.Series([None], dtype=pl.String)
            parts.append(part if isinstance(part, pl.Series) else pl.Series(part, dtype=pl.String))
        return content_of(parts)

    def _ids(self, columns: _Columns) -> list[str]:
        given = columns.series("id")
        if given is not None and not given.null_count():
            found: list[str] = given.to_list()
            return found
        whole = self.plan.kind != "facts"  # a fact that is told twice is one fact
        ids = self._identity.ids(self._content(columns), columns.series("time"), repeat=whole)
        if given is None:
            return ids
        return [one or other for one, other in zip(given.to_list(), ids, strict=True)]

    def _once(
        self, columns: _Columns, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], int]:
        """Leave out rows that say again what is known: of items and users what was said last."""
        if self.plan.kind == "events" or "id" in columns.parts or not len(rows):
            return rows, 0
        content = self._content(columns)
        if self.plan.kind == "facts":
            first = {one: at for at, one in reversed(list(enumerate(content)))}
            kept = sorted(first.values())
        else:
            role = _TYPES[self.plan.kind]
            last: dict[str, str] = {}
            kept = []
            for at, (one, said) in enumerate(zip(columns.parts[role], content, strict=True)):
                if last.get(one) != said:
                    last[one] = said
                    kept.append(at)
        if len(kept) == len(rows):
            return rows, 0
        columns.keep(np.array(kept, np.int64))
        return rows[kept], len(rows) - len(kept)


def _with_tails(fields: Sequence[str | None], tails: Sequence[str]) -> list[str | None]:
    """The fields of facts: the tail, and what else the row says."""
    sort = orjson.OPT_SORT_KEYS
    return [
        orjson.dumps({**(orjson.loads(said) if said else {}), "tail": tail}, option=sort).decode()
        for said, tail in zip(fields, tails, strict=True)
    ]
