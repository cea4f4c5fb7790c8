"""Appends again the catalogue rows whose event ids are stored but whose values are not current.

A row about an item (or a user) without time and id has an id derived from its content. When a file
goes back to values that it had before, its rows have ids that the log has already, and yet they
change something. So the current state of the item decides: such a row counts as a duplicate only
if the rows of its source, one after the other, leave the item as it is.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import orjson

from plait.data.catalogue import FieldType
from plait.data.types import Event
from plait.eventlog import AppendResult, EntityChange, RowStatus
from plait.eventlog.retraction import ImportSource
from plait.ingest.source_summary import ReferenceLog
from plait.privacy.consent import is_yes
from plait.schema.cleared_parts import cleared_parts
from plait.schema.schema import Schema

__all__ = ["CatalogueLog", "ReassertedEvent", "Reconciler"]

Entity = Literal["item", "user"]
Fields = dict[str, Any] | None
"""The fields of an item or user by name; None: it does not exist."""


@runtime_checkable
class CatalogueLog(ReferenceLog, Protocol):
    """A log of items and users that can be read again; `plait.eventlog.EventLog` is one."""

    def append(
        self,
        events: Sequence[Event],
        *,
        source: ImportSource | None = None,
        types: Mapping[tuple[str, str], FieldType] | None = None,
    ) -> AppendResult:
        """Store a batch in one transaction.

        Args:
            events: The batch.
            source: The import that it belongs to.
            types: Declared types of fields.

        Raises:
            ConflictError: If a field is stored as another type.
        """

    def entity_changes(self, entity: Entity) -> Iterator[EntityChange]:
        """Read every put, patch and delete, by offset.

        Args:
            entity: Of items or of users.
        """

    def numbers(self, entity: Entity, ids: Iterable[str]) -> dict[str, int]:
        """Look up item (or user) numbers.

        Args:
            entity: Of items or of users.
            ids: External ids; those without a number are left out.
        """

    def item_ids(self, first: int = 0) -> Sequence[str]:
        """Return the external ids of items.

        Args:
            first: The number of the first item.
        """

    def kinds(self, first: int = 0) -> Sequence[str]:
        """Return the names of event types, of changes and of relations.

        Args:
            first: The number of the first name.
        """

    def has_interactions(self) -> bool:
        """Return whether there is any interaction."""


class ReassertedEvent(NamedTuple):
    """An event to be appended again, under a new id.

    Attributes:
        event: The event.
        duplicate: Whether it was counted as a duplicate.
    """

    event: Event
    duplicate: bool


class Reconciler:
    """Follows one source of items or users.

    Memory: eight bytes for each item of the log, and the rows of the items that are not what their
    rows state; nothing as long as every row is new.

    Args:
        log: The log.
        stored_user_id: The id under which a user is stored.
    """

    def __init__(self, log: CatalogueLog, stored_user_id: Callable[[str], str] = str) -> None:
        self._log = log
        self._stored_user_id = stored_user_id
        self._entity: Entity = "item"
        self._hashes: _FieldHashes | None = None
        self._pending: dict[str, list[ReassertedEvent]] = {}

    def note(self, events: Sequence[Event], rows: Sequence[RowStatus]) -> None:
        """Take up the outcome of a batch.

        Args:
            events: The batch.
            rows: The status of each event.
        """
        if self._hashes is None and all(row.status != "duplicate" for row in rows):
            return
        accepted = [
            ReassertedEvent(event, row.status == "duplicate")
            for event, row in zip(events, rows, strict=True)
            if row.status in ("stored", "duplicate")
        ]
        duplicates = [entry.event for entry in accepted if entry.duplicate]
        if self._hashes is None:
            self._entity = "user" if duplicates[0].record_type == "user" else "item"
            self._hashes = _FieldHashes(self._log.entity_changes(self._entity))
        texts = iter(_canonical_fields(self._log.schema(), duplicates))
        ids = [
            self._stored_user_id(event.user or "")
            if event.record_type == "user"
            else event.item or ""
            for event, _ in accepted
        ]
        numbers = self._log.numbers(self._entity, ids)
        for external_id, entry in zip(ids, accepted, strict=True):
            text = next(texts) if entry.duplicate else None
            self._follow(self._hashes, external_id, entry, numbers.get(external_id, -1), text)

    def _follow(
        self,
        hashes: _FieldHashes,
        external_id: str,
        entry: ReassertedEvent,
        number: int,
        text: str | None,
    ) -> None:
        current = hashes.matches(number, entry.event.event_type, text)
        if entry.event.event_type != "patch":  # earlier rows have no effect any more
            self._pending.pop(external_id, None)
        if external_id in self._pending:
            self._pending[external_id].append(entry)
        elif entry.duplicate and not current:
            self._pending[external_id] = [entry]
        if not entry.duplicate:
            hashes.invalidate(number)

    def reasserted(self) -> Iterator[ReassertedEvent]:
        """Give the events to append again, at the end of the source.

        The new id names the change that it follows: two imports that do the same at the same time
        store it once. No duplicate row gives a consent that was never given or was withdrawn.
        """
        if not self._pending:
            return
        current = self._current_fields()
        events = [entry.event for entries in self._pending.values() for entry in entries]
        texts = iter(_canonical_fields(self._log.schema(), events))
        for external_id, entries in self._pending.items():
            before, offset = current.get(external_id, (None, 0))
            after = before
            for entry in entries:
                after = _apply_change(after, entry.event.event_type, next(texts))
            if after != before and not (_consents(after) and not _consents(before)):
                for event, duplicate in entries:
                    renamed = event._replace(id=f"{event.id}@{offset}")
                    yield ReassertedEvent(renamed, duplicate)

    def _current_fields(self) -> Mapping[str, tuple[Fields, int]]:
        """The fields of the items in question, and the offset of their latest change."""
        numbers = self._log.numbers(self._entity, self._pending)
        ids = {number: external_id for external_id, number in numbers.items()}
        current: dict[str, tuple[Fields, int]] = {}
        for change in self._log.entity_changes(self._entity):
            external_id = ids.get(change.number)
            if external_id is not None:
                before, _ = current.get(external_id, (None, 0))
                after = _apply_change(before, change.kind, change.fields)
                current[external_id] = after, change.offset
        return current


class _FieldHashes:
    """By number a hash of the last change of an item, 0 where the log must be read to know it."""

    def __init__(self, changes: Iterable[EntityChange]) -> None:
        self._hashes = array("q")
        for change in changes:
            missing = change.number + 1 - len(self._hashes)
            if missing > 0:
                self._hashes.frombytes(bytes(8 * missing))
            self._hashes[change.number] = _hash(change.kind, change.fields)

    def matches(self, number: int, change: str, text: str | None) -> bool:
        """Whether this was the last change, so that its fields hold."""
        is_known = 0 <= number < len(self._hashes) and change in ("put", "patch")
        return is_known and self._hashes[number] == _hash(change, text)

    def invalidate(self, number: int) -> None:
        if 0 <= number < len(self._hashes):
            self._hashes[number] = 0


def _hash(change: str, text: str | None) -> int:
    return hash((change, text or "{}")) or 1


def _canonical_fields(schema: Schema, events: Sequence[Event]) -> list[str | None]:
    """The fields as the log stores them."""
    return [
        admitted.fields if isinstance(admitted, Event) else event.fields
        for event, admitted in zip(events, schema.admit(events).events, strict=True)
    ]


def _apply_change(before: Fields, change: str, text: str | None) -> Fields:
    if change == "delete":
        return None
    fields = orjson.loads(text) if text else {}
    if change == "patch" and before:
        parts = dict.fromkeys(cleared_parts(fields, before))
        merged = {**before, **parts, **fields}
    else:
        merged = fields
    return {name: value for name, value in merged.items() if value is not None}


def _consents(fields: Fields) -> bool:
    return fields is not None and is_yes(fields.get("consent"))
