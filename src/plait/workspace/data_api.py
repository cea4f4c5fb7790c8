"""The half of a workspace that writes: rows in bulk, items and users one at a time."""

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
from plait.ingest.posted_rows import fields_text, parse_event_rows
from plait.ingest.rejects import forget
from plait.privacy.consent import ConsentPolicy
from plait.schema.event_bounds import id_problem
from plait.utils.no_op import ignore
from plait.workspace.fit import Progress
from plait.workspace.ingest import ImportReport, ingest
from plait.workspace.item_fields import readable_fields
from plait.workspace.live_model import LiveModel

__all__ = ["DELTA_WAIT", "DataApi", "id_text"]

Entity = Literal["item", "user"]

DELTA_WAIT = 1.0
"""Seconds that a change of an item waits for the stages to learn of it, so that the next query of
the writer finds it; the write itself is on disk by then."""


class DataApi:
    """Writes to the log and reads single entries; the next response knows of every write.

    Args:
        log: The log to read.
        importer: Appends to the log.
        host: Holds the state to look entries up in.
        consent: Names users as the log does (by pseudonyms, where these are on).
        rejects: The folder of rows that were refused, from which erased users are removed.
    """

    def __init__(
        self,
        log: EventLog,
        importer: Importer,
        host: LiveModel,
        consent: ConsentPolicy,
        rejects: Path,
    ) -> None:
        self.host = host
        self._log = log
        self._importer = importer
        self._consent = consent
        self._rejects = rejects

    def ingest(
        self,
        events: Any = None,
        items: Any = None,
        users: Any = None,
        facts: Any = None,
        map: Any = None,  # noqa: A002
        progress: Progress | None = None,
    ) -> ImportReport:
        """Append files, DataFrames (polars or pandas) or lists of dicts; see docs/data-formats.md.

        Bad rows are counted in the report and written to HOME/rejects; the others are stored.
        Ingesting the same rows again changes nothing.

        Args:
            events: What users did.
            items: Descriptions of items.
            users: Descriptions of users.
            facts: Triples about items.
            map: Which column is what, where that cannot be inferred.
            progress: Told the source, how much of it is done, and how much there is.

        Returns:
            What became of the rows of each kind.

        Raises:
            InputError: If a source cannot be understood at all.
        """
        sources = {"events": events, "items": items, "users": users, "facts": facts}
        if self._consent.required:
            self.host.sync()
        importer = Importer(self._log, self._consent, rejects=self._rejects)
        report = ingest(importer, self._consent, sources, map, progress or ignore)
        self.host.catch_up(report.version)
        return report

    def post(self, events: Sequence[Mapping[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
        """Append interactions; the next response of this process knows of them.

        Args:
            events: Rows as `POST /v1/events` has them: `id`, `kind`, `user`, `item`, `time`,
                `value`, `request_id`, `fields`. A row without an id gets one; without a time it
                happens now.

        Returns:
            The version that holds them, and a row {"id", "status", "error"} for each: "stored",
            "duplicate", "conflict" (the id is taken by another event) or "rejected".

        Raises:
            StorageError: If they cannot be stored.
        """
        parsed = parse_event_rows(events)
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
            result = self._importer.append(parsed.events)
            self.host.catch_up(result.version, result.chunk)
        for position, row in zip(parsed.places, result.rows, strict=True):
            error = f"{row.field}: {row.error}" if row.field and row.error else row.error
            rows[position] = {"id": row.id, "status": row.status, "error": error}
        return result.version, [rows[position] for position in range(len(events))]

    def put_item(self, item: str, fields: Mapping[str, Any]) -> int:
        """Describe an item.

        Args:
            item: Its id.
            fields: All its fields.

        Returns:
            The version that holds the change.

        Raises:
            InputError: If the id or a field cannot be stored; `field` names it.
        """
        return self._change("item", item, "put", fields_text(fields))

    def patch_item(self, item: str, fields: Mapping[str, Any]) -> int:
        """Change some fields of an item (JSON merge patch, RFC 7396).

        Args:
            item: Its id.
            fields: The fields to change; None removes one.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If the item is unknown.
            InputError: If a field cannot be stored; `field` names it.
        """
        return self._patch("item", item, fields)

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

    def put_user(self, user: str, fields: Mapping[str, Any]) -> int:
        """Describe a user.

        Args:
            user: The user's id.
            fields: All fields.

        Returns:
            The version that holds the change.

        Raises:
            InputError: If the id or a field cannot be stored; `field` names it.
        """
        return self._change("user", user, "put", fields_text(fields))

    def patch_user(self, user: str, fields: Mapping[str, Any]) -> int:
        """Change some fields of a user (JSON merge patch, RFC 7396).

        Args:
            user: The user's id.
            fields: The fields to change; None removes one.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If the user is unknown.
            InputError: If a field cannot be stored; `field` names it.
        """
        return self._patch("user", user, fields)

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
        stored_id = self._consent.user_id(id_text(user, "user"))
        state = self.host.sync()
        person = state.merges.person(state.users.number(stored_id))
        names = {user, *(state.users.ids[number] for number in person if number >= 0)}
        version = self._log.erase(stored_id)
        self.host.catch_up(version)
        for name in filter(None, names):
            forget(self._rejects, name)
        return version

    def title(self, item: str) -> str:
        """Return what an item is called.

        Args:
            item: Its id.

        Returns:
            Its title or name, else its id.
        """
        catalogue = self.host.state().catalogue
        number = catalogue.number(item)
        values = readable_fields(catalogue, number) if number >= 0 else {}
        return str(values.get("title") or values.get("name") or item)

    def _patch(self, entity: Entity, external_id: str, fields: Mapping[str, Any]) -> int:
        text = fields_text(fields)
        self._find(entity, external_id)
        return self._change(entity, external_id, "patch", text)

    def _change(self, entity: Entity, external_id: str, change: str, fields: str | None) -> int:
        name = id_text(external_id, entity)
        expected = id_problem(name)
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

    def _find(self, entity: Entity, external_id: str) -> tuple[Catalogue, int]:
        """The catalogue and the number; reads the log before it reports an unknown id."""
        name = id_text(external_id, entity)
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
    if isinstance(external_id, int) and not isinstance(external_id, bool):
        return str(external_id)
    if not isinstance(external_id, str) or not external_id:
        raise InputError(f"the id of the {entity} is {external_id!r}", field=entity)
    return external_id
