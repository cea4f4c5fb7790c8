"""Stops an import that would empty fields or remove items of more than a tenth of a catalogue."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

from plait.data.types import Event
from plait.errors import InputError
from plait.eventlog import EntityChange
from plait.ingest.catalogue_reconciliation import CatalogueLog
from plait.ingest.event_builder import EventBatch
from plait.ingest.source_notes import ImportNote
from plait.schema.cleared_parts import cleared_parts

__all__ = ["MAX_LOSS", "CatalogueEffect", "catalogue_effect"]

MAX_LOSS = 0.1
"""The largest share of a catalogue that an import may clear or remove unasked."""

_Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class CatalogueEffect:
    """What a source takes from a catalogue.

    Attributes:
        entity: "item" or "user".
        entries: How many items (users) are described before.
        having: By field how many of them have a value before.
        cleared: By field how many of those lose it.
        removed: The ids of the items that the source does not have, to be removed.
        unreadable: How many rows could not be read, so that their items may seem to be missing.
        deleted: How many items rows of the source delete.
    """

    entity: Literal["item", "user"]
    entries: int = 0
    having: Mapping[str, int] = field(default_factory=dict)
    cleared: Mapping[str, int] = field(default_factory=dict)
    removed: Sequence[str] = ()
    unreadable: int = 0
    deleted: int = 0

    def problems(self) -> list[ImportNote]:
        """Return why the import has to be confirmed; empty if it need not be."""
        problems = []
        what = f"{self.entity}s"
        for name, count in sorted(self.cleared.items(), key=lambda entry: (-entry[1], entry[0])):
            having = self.having[name]
            if count > MAX_LOSS * having:
                message = f"it would clear {name!r} of {count:,} of the {having:,} {what} with it"
                problems.append(ImportNote("clears-much", name, message, count))
        count = len(self.removed) + self.deleted
        if count > MAX_LOSS * self.entries:
            message = f"it would remove {count:,} of {self.entries:,} {what}"
            problems.append(ImportNote("removes-much", self.entity, message, count))
        if self.removed and self.unreadable:
            message = f"{self.unreadable:,} rows cannot be read, and their {what} would be removed"
            problems.append(ImportNote("removes-unread", self.entity, message, self.unreadable))
        return problems

    def require_small(self, source: str) -> None:
        """Check that the import takes little.

        Args:
            source: The name of the source.

        Raises:
            InputError: If it takes more than a tenth.
        """
        problems = self.problems()
        if problems:
            more = f" (and {len(problems) - 1} more fields)" if len(problems) > 1 else ""
            raise InputError(
                f"{source} was not imported: {problems[0].message}{more}",
                hint="--allow-loss goes on all the same; --dry-run shows "
                "everything; a file without a column leaves its field as it is",
                field=problems[0].field,
            )

    def removals(self) -> list[Event]:
        """Return the events that remove the items which the source does not have."""
        now = time.time_ns() // 1000
        return [
            Event("item", uuid.uuid4().hex, "delete", item=name, time=now) for name in self.removed
        ]


def catalogue_effect(
    batches: Sequence[EventBatch],
    log: CatalogueLog,
    entity: Literal["item", "user"],
    *,
    sync: bool = False,
    stored_id: Callable[[str], str] = str,
) -> CatalogueEffect:
    """Find out what the rows of a source take from the catalogue, before any is stored.

    Args:
        batches: All rows of the source.
        log: The log.
        entity: Whether these are items or users.
        sync: Whether items that the source does not have are to be removed.
        stored_id: The id under which a user is stored.

    Returns:
        The effect.
    """
    before = _fields_by_number(log.entity_changes(entity))
    if not before:
        return CatalogueEffect(entity)
    after: dict[int, _Names | None] = {}
    named: set[int] = set()
    for batch in batches:
        owners = [
            stored_id(event.user or "") if entity == "user" else event.item or ""
            for event in batch.events
        ]
        numbers = log.numbers(entity, owners)
        for event, owner in zip(batch.events, owners, strict=True):
            number = numbers.get(owner, -1)
            if number in before:
                current = after.get(number, before[number])
                after[number] = _changed_names(current, event.event_type, event.fields)
                if event.event_type != "delete":
                    named.add(number)
    having = Counter(name for names in before.values() for name in names or ())
    cleared = Counter(
        name
        for number, names in after.items()
        if names is not None
        for name in (before[number] or frozenset()) - names
    )
    living = [number for number, names in before.items() if names is not None]
    missing = [number for number in living if number not in named and number not in after]
    ids = log.item_ids() if sync and missing else ()
    removed = [ids[number] for number in missing] if ids else []
    unreadable = sum(len(batch.rejects) for batch in batches)
    deleted = sum(after.get(number, before[number]) is None for number in living)
    return CatalogueEffect(entity, len(living), having, cleared, removed, unreadable, deleted)


def _fields_by_number(changes: Iterable[EntityChange]) -> dict[int, _Names | None]:
    """By number the fields that have a value, None if the item is deleted; equal sets are one."""
    known: dict[_Names, _Names] = {}
    fields: dict[int, _Names | None] = {}
    for change in changes:
        names = _changed_names(fields.get(change.number), change.kind, change.fields)
        fields[change.number] = names if names is None else known.setdefault(names, names)
    return fields


def _changed_names(before: _Names | None, change: str, text: str | None) -> _Names | None:
    if change == "delete":
        return None
    fields = orjson.loads(text) if text else {}
    valued = frozenset(name for name, value in fields.items() if value not in (None, "", []))
    if change == "put" or not before:
        return valued
    return before.difference(fields, cleared_parts(fields, before)) | valued
