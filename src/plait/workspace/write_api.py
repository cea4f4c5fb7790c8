"""The part of a workspace that writes: rows in bulk, items and users one at a time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from plait.data.catalogue import Catalogue
from plait.data.types import Event
from plait.errors import ConflictError, InputError, NotFoundError
from plait.eventlog import AppendResult, EventLog
from plait.ingest.importer import Importer
from plait.ingest.plain_values import plain_value
from plait.ingest.posted_rows import fields_text, merged_parts, parse_event_rows
from plait.ingest.rejects import forget
from plait.privacy.consent import ConsentPolicy
from plait.schema.event_bounds import id_problem
from plait.schema.missing_words import BLANKS, MISSING_WORDS
from plait.workspace.field_serialization import lost_fields, readable_fields
from plait.workspace.import_api import ImportApi
from plait.workspace.live_model import LiveModel
from plait.workspace.name_quota import BudgetSource, NameBounds
from plait.workspace.posted_event_warnings import PostNotes

__all__ = ["DELTA_WAIT", "DataApi", "id_text"]

Entity = Literal["item", "user"]

DELTA_WAIT = 1.0
"""Seconds that a change of an item waits for the stages to learn of it, so that the next query of
the writer finds it; the write itself is on disk by then."""


class DataApi(ImportApi):
    """Writes to the log and reads single entries; the next response knows of every write.

    Args:
        log: The log to read.
        importer: Appends to the log.
        host: Holds the state to look entries up in.
        consent: Names users as the log does (by pseudonyms, where these are on).
        rejects: The folder of rows that were refused, from which erased users are removed.

    Attributes:
        post_notes: Finds what looks wrong in posted events.
        name_bounds: Leaves out new fields and event types beyond a budget.
    """

    def __init__(
        self,
        log: EventLog,
        importer: Importer,
        host: LiveModel,
        consent: ConsentPolicy,
        rejects: Path,
    ) -> None:
        super().__init__(log, host, consent, rejects)
        self.post_notes = PostNotes(log)
        self.name_bounds = NameBounds(log)
        self._importer = importer

    def post(
        self, events: Sequence[Mapping[str, Any]], *, names: BudgetSource | None = None
    ) -> tuple[int, list[dict[str, Any]]]:
        """Append interactions; the next response of this process knows of them.

        Args:
            events: Rows as `POST /v1/events` has them: `id`, `kind`, `user`, `item`, `time`,
                `value`, `request_id`, `fields`. A row without an id gets one; without a time it
                happens now.
            names: Makes the budget of new fields and event types of the caller; None: any
                number may be new.

        Returns:
            The version that holds them, and a row {"id", "status", "error"} for each: "stored",
            "duplicate", "conflict" (the id is taken by another event) or "rejected". A row has
            "notes" too where something looks wrong: a misspelt kind, an unknown request_id; a
            stored row without some of its fields lists them in "lost".

        Raises:
            StorageError: If they cannot be stored.
        """
        posted: Any = events
        if isinstance(posted, str | bytes) or not isinstance(posted, Sequence):
            raise InputError("expected a list of rows", field="events")
        parsed = parse_event_rows(events)
        known = self.name_bounds.kinds
        if names is not None and any(
            event.fields or event.event_type not in known for event in parsed.events
        ):
            parsed = self.name_bounds.bound_rows(parsed, names)
        notes: dict[int, list[dict[str, Any]]] = {}
        rows: dict[int, dict[str, Any]] = {
            position: {
                "id": event_id,
                "status": "rejected",
                "error": f"{field}: {error}" if field else error,
            }
            for position, (event_id, field, error) in parsed.rejected.items()
        }
        result = AppendResult(self._log.version, []) if not parsed.events else None
        if result is None:
            if self._consent.required:
                self.host.sync()
            usual = self.post_notes.usual
            if any(event.event_type not in usual or event.request_id for event in parsed.events):
                notes = self.post_notes.find(parsed.events)
            result = self._importer.append(parsed.events)
            self.host.catch_up(result.version, result.chunk)
        for index, (position, row) in enumerate(zip(parsed.places, result.rows, strict=True)):
            error = f"{row.field}: {row.error}" if row.field and row.error else row.error
            rows[position] = {"id": row.id, "status": row.status, "error": error}
            if position in parsed.lost or row.lost:
                lost = [*parsed.lost.get(position, ()), *row.lost]
                rows[position]["lost"] = lost_fields(lost)
            if index in notes:
                rows[position]["notes"] = notes[index]
        return result.version, [rows[position] for position in range(len(events))]

    def put_item(
        self, item: str, fields: Mapping[str, Any], *, names: BudgetSource | None = None
    ) -> int:
        """Describe an item.

        Args:
            item: Its id.
            fields: All its fields.
            names: Makes the budget of new fields of the caller; None: any number may be new.

        Returns:
            The version that holds the change.

        Raises:
            InputError: If the id or a field cannot be stored; `field` names it.
        """
        return self._change("item", item, "put", fields_text(fields), names)

    def patch_item(
        self, item: str, fields: Mapping[str, Any], *, names: BudgetSource | None = None
    ) -> int:
        """Change some fields of an item (JSON merge patch, RFC 7396).

        Args:
            item: Its id.
            fields: The fields to change; None removes one.
            names: Makes the budget of new fields of the caller; None: any number may be new.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If the item is unknown.
            InputError: If a field cannot be stored; `field` names it.
        """
        return self._patch("item", item, fields, names)

    def get_item(self, item: str) -> dict[str, Any]:
        """Return what is known of an item.

        Args:
            item: Its id.

        Returns:
            `id` and `fields`.

        Raises:
            NotFoundError: If the item is unknown or deleted.
        """
        return {"id": item, "fields": readable_fields(*self._find("item", item))}

    def delete_item(self, item: str) -> int:
        """Delete an item from every response.

        Args:
            item: Its id.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If the item is unknown.
        """
        self._find("item", item)
        return self._change("item", item, "delete", None)

    def put_user(
        self, user: str, fields: Mapping[str, Any], *, names: BudgetSource | None = None
    ) -> int:
        """Describe a user.

        Args:
            user: The user's id.
            fields: All fields.
            names: Makes the budget of new fields of the caller; None: any number may be new.

        Returns:
            The version that holds the change.

        Raises:
            InputError: If the id or a field cannot be stored; `field` names it.
        """
        return self._change("user", user, "put", fields_text(fields), names)

    def patch_user(
        self, user: str, fields: Mapping[str, Any], *, names: BudgetSource | None = None
    ) -> int:
        """Change some fields of a user (JSON merge patch, RFC 7396).

        Args:
            user: The user's id.
            fields: The fields to change; None removes one.
            names: Makes the budget of new fields of the caller; None: any number may be new.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If the user is unknown.
            InputError: If a field cannot be stored; `field` names it.
        """
        return self._patch("user", user, fields, names)

    def get_user(self, user: str) -> dict[str, Any]:
        """Return what is known of a user.

        Args:
            user: The user's id.

        Returns:
            `id` and `fields`.

        Raises:
            NotFoundError: If the user is unknown.
        """
        return {"id": user, "fields": readable_fields(*self._find("user", user))}

    def erase_user(self, user: str) -> int:
        """Erase a user, all of the user's events, and the rejected rows that quote the id.

        Who was merged with the user is the same person, and is erased too.

        Args:
            user: The user's id.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If the user is unknown.
        """
        user = self._stored_id(user, "user")
        stored_id = self._consent.user_id(user)
        names = {user, stored_id, *self._log.other_ids_of(stored_id)}
        version = self._log.erase(stored_id)
        self.host.catch_up(version)
        for name in names:
            forget(self._rejects, name)
        return version

    def title(self, item: str) -> str:
        """Return the title of an item.

        Args:
            item: Its id.

        Returns:
            Its title or name, else its id.
        """
        catalogue = self.host.state().catalogue
        number = catalogue.number(item)
        values = readable_fields(catalogue, number) if number >= 0 else {}
        return str(values.get("title") or values.get("name") or item)

    def _patch(
        self,
        entity: Entity,
        external_id: str,
        fields: Mapping[str, Any],
        names: BudgetSource | None,
    ) -> int:
        text = fields_text(fields)
        catalogue, number = self._find(entity, external_id)
        text = merged_parts(text, catalogue.fields(number))
        return self._change(entity, external_id, "patch", text, names)

    def _change(
        self,
        entity: Entity,
        external_id: str,
        change: str,
        fields: str | None,
        names: BudgetSource | None = None,
    ) -> int:
        name = self._stored_id(external_id, entity)
        expected = "an id" if name.strip(BLANKS) in MISSING_WORDS else id_problem(name)
        if expected and change != "delete":  # whatever is stored can be deleted
            raise InputError(f"expected {expected}", field=entity)
        event = Event(
            entity,
            uuid.uuid4().hex,
            change,
            user=name if entity == "user" else None,
            item=name if entity == "item" else None,
            time=time.time_ns() // 1000,
            fields=fields,
        )
        for problem in self._log.schema().admit([event]).lost:  # the caller can correct it
            raise InputError(problem.error, field=problem.field)
        if names is not None:
            for lost in self.name_bounds.bound([event], names).lost.get(0, ()):
                raise InputError(f"expected {lost.expected}", field=lost.name)
        if self._consent.required:
            self.host.sync()
        result = self._importer.append([event])
        self.host.catch_up(result.version, result.chunk)
        row = result.rows[0]
        if row.status == "rejected":
            raise InputError(row.error, field=row.field)
        if row.status == "conflict":
            raise ConflictError(row.error, field=row.field)
        if entity == "item":
            self.host.wait_for_deltas(result.version, DELTA_WAIT)
        return result.version

    def _stored_id(self, external_id: Any, entity: Entity) -> str:
        """The id without blanks around it, as rows of events have it; any other that is stored."""
        name = id_text(external_id, entity)
        stripped = name.strip(BLANKS)
        if stripped in ("", name):
            return name
        state = self.host.state()
        catalogue = state.catalogue if entity == "item" else state.users
        stored = self._consent.user_id(name) if entity == "user" else name
        return stripped if catalogue.number(stored) < 0 else name

    def _find(self, entity: Entity, external_id: str) -> tuple[Catalogue, int]:
        """The catalogue and the number; reads the log before it reports an unknown id."""
        name = self._stored_id(external_id, entity)
        if entity == "user":
            name = self._consent.user_id(name)
        for attempt in range(2):
            state = self.host.state()
            catalogue = state.catalogue if entity == "item" else state.users
            number = catalogue.number(name)
            if number >= 0 and catalogue.alive[number]:
                return catalogue, number
            if not attempt:
                self.host.sync()
        raise NotFoundError(
            f"no {entity} {external_id!r}",
            hint=f"unknown or deleted; plait ingest --{entity}s and PUT /v1/{entity}s/{{id}} "
            "make one",
            field=entity,
        )


def id_text(external_id: Any, entity: str) -> str:
    """Return an id as text.

    Args:
        external_id: The id, also a whole number.
        entity: What it names, for the message of an error.

    Returns:
        The id.

    Raises:
        InputError: If it is no id.
    """
    external_id = plain_value(external_id)
    if isinstance(external_id, int) and not isinstance(external_id, bool):
        return str(external_id)
    if not isinstance(external_id, str) or not external_id:
        raise InputError(f"the id of the {entity} is {external_id!r}", field=entity)
    return external_id
