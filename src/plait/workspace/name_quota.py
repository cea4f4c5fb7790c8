"""Bounds on the names of fields and event types that a request may bring for the first time.

Names are never given back, so what a client makes up (a field for every user, say) would use up the
places of everybody. A row beyond the bound loses the field; a row of an event type beyond it is
rejected. Names that are reserved are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from plait.data.types import Event
from plait.eventlog import EventLog
from plait.ingest.field_values import LostField
from plait.ingest.posted_rows import ParsedRows
from plait.schema.schema import ENTITIES

__all__ = ["BoundedEvents", "BudgetSource", "NameBounds", "NameBudget"]

_TOO_MANY = "no more new {what} than the request or its key may bring"


class NameBudget(Protocol):
    """How many new names a caller may bring."""

    def left(self) -> tuple[int, int]:
        """Return how many fields, and how many event types, may still be new."""

    def spend(self, fields: int, kinds: int) -> None:
        """Count names that were let in.

        Args:
            fields: How many fields.
            kinds: How many event types.
        """


BudgetSource = Callable[[], NameBudget]
"""Makes the budget of a request; called only where a name is new."""


@dataclass(frozen=True, slots=True)
class BoundedEvents:
    """Events without the names that were too many.

    Attributes:
        events: The events, as many as there were.
        rejected: By the index of an event what was expected of its event type.
        lost: By the index of an event the fields that were left out of it.
    """

    events: list[Event]
    rejected: dict[int, str] = field(default_factory=dict)
    lost: dict[int, list[LostField]] = field(default_factory=dict)


class NameBounds:
    """Knows the names that are no longer new.

    Args:
        log: The log that the events are to be stored in.

    Attributes:
        kinds: The event types that are known or reserved, as far as they were looked up.
    """

    def __init__(self, log: EventLog) -> None:
        self.kinds = log.reserved_kinds
        self._fields: frozenset[tuple[str, str]] = frozenset()
        self._log = log

    def bound(self, events: Sequence[Event], budget: BudgetSource) -> BoundedEvents:
        """Leave out what is new beyond a budget.

        Args:
            events: The events of one request.
            budget: Makes the budget of the sender.

        Returns:
            The events, and what was left out.
        """
        fields, kinds = self._new(events)
        if fields or kinds:
            schema = self._log.schema()
            self._fields = frozenset(schema.types) | schema.retired  # the log refuses these itself
            self.kinds = self._log.reserved_kinds.union(self._log.kinds())
            fields, kinds = self._new(events)
        if not (fields or kinds):
            return BoundedEvents(list(events))
        budget_left = budget()
        n_fields, n_kinds = budget_left.left()
        budget_left.spend(min(len(fields), n_fields), min(len(kinds), n_kinds))
        return _without(events, set(fields[n_fields:]), set(kinds[n_kinds:]))

    def bound_rows(self, parsed: ParsedRows, budget: BudgetSource) -> ParsedRows:
        """Leave out of posted rows what is new beyond a budget.

        Args:
            parsed: The rows of one request.
            budget: Makes the budget of the sender.

        Returns:
            The rows; those of too many event types are rejected.
        """
        bounded = self.bound(parsed.events, budget)
        for index, lost in bounded.lost.items():
            parsed.lost.setdefault(parsed.places[index], []).extend(lost)
        for index, error in bounded.rejected.items():
            parsed.rejected[parsed.places[index]] = (parsed.events[index].id, "kind", error)
        admitted = [index for index in range(len(parsed.events)) if index not in bounded.rejected]
        return parsed._replace(
            events=[bounded.events[index] for index in admitted],
            places=[parsed.places[index] for index in admitted],
        )

    def _new(self, events: Sequence[Event]) -> tuple[list[tuple[str, str]], list[str]]:
        """The fields and the event types that are not known, in the order of the events."""
        fields = {
            (event.record_type, name): None
            for event in events
            if event.fields is not None and event.record_type in ENTITIES
            for name, value in orjson.loads(event.fields).items()
            if value is not None and (event.record_type, name) not in self._fields
        }
        kinds = {
            event.event_type: None
            for event in events
            if event.record_type == "interaction" and event.event_type not in self.kinds
        }
        return list(fields), list(kinds)


def _without(
    events: Sequence[Event], fields: set[tuple[str, str]], kinds: set[str]
) -> BoundedEvents:
    """Events without some of their fields, and without those of some event types."""
    bounded = BoundedEvents(list(events))
    for index, event in enumerate(events):
        if event.record_type == "interaction" and event.event_type in kinds:
            bounded.rejected[index] = f"expected {_TOO_MANY.format(what='event types')}"
        elif fields and event.fields is not None:
            values = orjson.loads(event.fields)
            names = [name for name in values if (event.record_type, name) in fields]
            if names:
                expected = _TOO_MANY.format(what="fields")
                lost = [LostField(name, values.pop(name), expected) for name in names]
                bounded.lost[index] = lost
                text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()
                bounded.events[index] = event._replace(fields=text)
    return bounded
