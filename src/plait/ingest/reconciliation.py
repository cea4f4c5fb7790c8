"""Rows of a catalogue that the log knows, but that hold no longer: they are said again.

A row about an item (or a user) that came without time and id has the id of its content. When a file
goes back to values that it had before, its rows have ids that the log knows, and yet they say
something new. So what an item is now decides: a known row counts as a duplicate only if the rows of
its source, one after the other, leave the item as it is.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import orjson

from plait.data.types import Event
from plait.eventlog import EntityChange, RowStatus
from plait.privacy.consent import is_yes
from plait.schema.schema import Schema

__all__ = ["Knows", "ReassertedEvent", "Reconciler"]

Entity = Literal["item", "user"]
Fields = dict[str, Any] | None
"""What is known of somebody by field name; None: not there."""


@runtime_checkable
class Knows(Protocol):
    """A log that can tell what was said; `plait.eventlog.Log` does."""

    def entity_changes(self, entity: Entity) -> Iterator[EntityChange]:
        """Every put, patch and delete, by offset."""

    def numbers(self, entity: Entity, ids: Iterable[str]) -> dict[str, int]:
        """The numbers of those outside ids that have one."""

    def schema(self) -> Schema:
        """The types of all fields."""


class ReassertedEvent(NamedTuple):
    """An event to be appended again, under a new id; `known`: it was counted as a duplicate."""

    event: Event
    known: bool


class Reconciler:
    """Follows one source of items or users. `name_of`: under which name a user is stored.

    In memory it holds eight bytes for each item of the log, and the rows of the items that are
    not what their rows say; nothing as long as every row is new.
    """

    def __init__(self, log: Knows, name_of: Callable[[str], str] = str) -> None:
        self._log = log
        self._name_of = name_of
        self._entity: Entity = "item"
        self._marks: _FieldHashes | None = None
        self._trail: dict[str, list[ReassertedEvent]] = {}

    def note(self, events: Sequence[Event], rows: Sequence[RowStatus]) -> None:
        """See what became of a batch in the log."""
        told = [
            ReassertedEvent(event, row.status == "duplicate")
            for event, row in zip(events, rows, strict=True)
            if row.status in ("stored", "duplicate")
        ]
        known = [one.event for one in told if one.known]
        if self._marks is None:
            if not known:
                return
            self._entity = "user" if known[0].record_type == "user" else "item"
            self._marks = _FieldHashes(self._log.entity_changes(self._entity))
        texts = iter(_canonical(self._log.schema(), known))
        names = [self._name(one.event) for one in told]
        numbers = self._log.numbers(self._entity, names)
        for name, one in zip(names, told, strict=True):
            self._follow(name, one, numbers[name], next(texts) if one.known else None)

    def _follow(self, name: str, one: ReassertedEvent, number: int, text: str | None) -> None:
        assert self._marks is not None
        put = one.event.event_type == "put"
        if one.event.event_type != "patch":  # what came before does not matter any more
            self._trail.pop(name, None)
        if name in self._trail:
            self._trail[name].append(one)
        elif one.known and not (put and self._marks.holds(number, text)):
            self._trail[name] = [one]
        if not one.known:
            self._marks.forget(number)

    def again(self) -> Iterator[ReassertedEvent]:
        """What must be said again, at the end of the source.

        The new id names the change that it follows: whoever does the same at the same time says it
        once. No row that is known gives a consent that was not there or was taken back.
        """
        if not self._trail:
            return
        now = self._now()
        every = [one.event for told in self._trail.values() for one in told]
        texts = iter(_canonical(self._log.schema(), every))
        for name, told in self._trail.items():
            before, offset = now.get(name, (None, 0))
            after = before
            for one in told:
                after = _changed(after, one.event.event_type, next(texts))
            if after != before and not (_consents(after) and not _consents(before)):
                for one in told:
                    yield one._replace(event=one.event._replace(id=f"{one.event.id}@{offset}"))

    def _now(self) -> Mapping[str, tuple[Fields, int]]:
        """What is known now of those in question, and the offset at which it was said."""
        numbers = self._log.numbers(self._entity, self._trail)
        names = {number: name for name, number in numbers.items()}
        found: dict[str, tuple[Fields, int]] = {}
        for said in self._log.entity_changes(self._entity):
            name = names.get(said.number)
            if name is not None:
                before, _ = found.get(name, (None, 0))
                found[name] = _changed(before, said.kind, said.fields), said.offset
        return found

    def _name(self, event: Event) -> str:
        if event.record_type == "user":
            return self._name_of(event.user or "")
        return event.item or ""


class _FieldHashes:
    """By number a hash of all the fields that somebody has, 0 where only more work can tell."""

    def __init__(self, said: Iterable[EntityChange]) -> None:
        self._hashes = array("q")
        for one in said:
            missing = one.number + 1 - len(self._hashes)
            if missing > 0:
                self._hashes.frombytes(bytes(8 * missing))
            self._hashes[one.number] = _hash(one.fields) if one.kind == "put" else 0

    def holds(self, number: int, text: str | None) -> bool:
        """Whether these are the fields; now and then False although they are."""
        return number < len(self._hashes) and self._hashes[number] == _hash(text)

    def forget(self, number: int) -> None:
        if number < len(self._hashes):
            self._hashes[number] = 0


def _hash(text: str | None) -> int:
    return hash(text or "{}") or 1


def _canonical(schema: Schema, events: Sequence[Event]) -> list[str | None]:
    """The fields as the log stores them."""
    return [
        one.fields if isinstance(one, Event) else event.fields
        for event, one in zip(events, schema.admit(events)[1], strict=True)
    ]


def _changed(before: Fields, kind: str, text: str | None) -> Fields:
    if kind == "delete":
        return None
    said = orjson.loads(text) if text else {}
    merged = {**(before or {}), **said} if kind == "patch" else said
    return {name: value for name, value in merged.items() if value is not None}


def _consents(fields: Fields) -> bool:
    return fields is not None and is_yes(fields.get("consent"))
