"""Items and users one at a time: put, patch, get, delete, erase; and interactions in batches."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from plait.data.catalogue import Catalogue
from plait.data.types import Event
from plait.errors import ConflictError, InputError, NotFoundError
from plait.eventlog import AppendResult, EventLog
from plait.ingest.event_rows import fields_text, parse_event_rows
from plait.schema.coercion import id_problem
from plait.utils.timestamps import iso
from plait.workspace.model_host import ModelHost

__all__ = ["CatalogueApi", "readable"]

Entity = Literal["item", "user"]

DELTA_WAIT = 1.0
"""Seconds that a change of an item waits for the stages to learn of it, so that whoever wrote it
finds it; the write itself is on disk by then."""


class CatalogueApi:
    """Writes by `append`, then lets this process's next answer know of it.

    `name_of` is what a user's outside id is called in the log, which `append` sees to itself.
    """

    def __init__(
        self,
        log: EventLog,
        append: Callable[[Sequence[Event]], AppendResult],
        engine: ModelHost,
        *,
        name_of: Callable[[str], str] = str,
    ) -> None:
        self._log = log
        self._append = append
        self._engine = engine
        self._name_of = name_of

    def put(self, entity: Entity, outside: str, fields: Mapping[str, Any]) -> int:
        """Describe an item or user: all its fields. The offset of the event."""
        return self._change(entity, outside, "put", fields_text(fields))

    def patch(self, entity: Entity, outside: str, fields: Mapping[str, Any]) -> int:
        """Change some fields (JSON merge patch); NotFoundError for whom nobody has heard of."""
        text = fields_text(fields)
        self._find(entity, outside)
        return self._change(entity, outside, "patch", text)

    def get(self, entity: Entity, outside: str) -> dict[str, Any]:
        """{"id", "fields"}; NotFoundError for whom nobody has heard of."""
        catalogue, number = self._find(entity, outside)
        return {"id": outside, "fields": readable(catalogue, number)}

    def delete(self, outside: str) -> int:
        """Take an item away; NotFoundError if it is not there."""
        self._find("item", outside)
        return self._change("item", outside, "delete", None)

    def erase(self, user: str) -> int:
        """Forget a user and everything of theirs; NotFoundError for an unknown one."""
        version = self._log.erase(self._name_of(_checked(user, "user")))
        self._engine.fold_now(version)
        return version

    def append_events(self, rows: Sequence[Any]) -> tuple[int, list[dict[str, Any]]]:
        """Append interactions; the version, and {"id", "status", "error"} for every row."""
        posted = parse_event_rows(rows)
        events = posted.events
        done = self._written(events) if events else AppendResult(self._log.version, [])
        told: dict[int, dict[str, Any]] = {
            place: {"id": outside, "status": "rejected", "error": _sentence(field, why)}
            for place, (outside, field, why) in posted.rejected.items()
        }
        for place, row in zip(posted.places, done.rows, strict=True):
            error = _sentence(row.field, row.error)
            told[place] = {"id": row.id, "status": row.status, "error": error}
        return done.version, [told[place] for place in range(len(rows))]

    def _change(self, entity: Entity, outside: str, kind: str, text: str | None) -> int:
        name = _checked(outside, entity)
        expected = id_problem(name)
        if expected and kind != "delete":  # what was once stored can always be taken away
            raise InputError(f"expected {expected}", field=entity)
        now = time.time_ns() // 1000
        event = Event(
            entity,
            uuid.uuid4().hex,
            kind,
            user=name if entity == "user" else None,
            item=name if entity == "item" else None,
            time=now,
            fields=text,
        )
        done = self._written([event])
        row = done.rows[0]
        if row.status == "rejected":
            raise InputError(row.error, field=row.field)
        if row.status == "conflict":
            raise ConflictError(row.error, field=row.field)
        if entity == "item":
            self._engine.wait_for_deltas(done.version, DELTA_WAIT)
        return done.version

    def _written(self, events: Sequence[Event]) -> AppendResult:
        done = self._append(events)
        self._engine.fold_now(done.version)
        return done

    def _find(self, entity: Entity, outside: str) -> tuple[Catalogue, int]:
        """The catalogue and the number; looks into the log before it says that there is nobody."""
        name = _checked(outside, entity)
        name = self._name_of(name) if entity == "user" else name
        for attempt in range(2):
            state = self._engine.state()
            catalogue = state.catalogue if entity == "item" else state.users
            number = catalogue.number(name)
            if number >= 0 and catalogue.alive[number]:
                return catalogue, number
            if not attempt:
                self._engine.fold_now(self._log.version)
        hint = f"unknown or deleted; plait ingest --{entity}s and PUT /v1/{entity}s/{{id}} make one"
        raise NotFoundError(f"no {entity} {outside!r}", hint=hint, field=entity)


def readable(catalogue: Catalogue, number: int) -> dict[str, Any]:
    """The fields of an entry as JSON says them, and as `put` takes them again."""
    types = catalogue.types()
    return {name: _plain(types[name], one) for name, one in catalogue.fields(number).items()}


def _plain(kind: str, value: Any) -> Any:
    if kind == "time":
        return iso(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def _checked(outside: Any, entity: str) -> str:
    if isinstance(outside, int) and not isinstance(outside, bool):
        return str(outside)
    if not isinstance(outside, str) or not outside:
        raise InputError(f"the id of the {entity} is {outside!r}", field=entity)
    return outside


def _sentence(field: str, why: str) -> str:
    return f"{field}: {why}" if field and why else why
