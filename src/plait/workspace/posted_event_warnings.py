"""Warnings about posted events that are stored all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plait.data.types import Event
from plait.eventlog import EventLog
from plait.ingest.event_type_spelling import USUAL_EVENT_TYPES, similar_name
from plait.ingest.source_notes import ImportNote
from plait.workspace.impression_pagination import ImpressionStore

__all__ = ["PostNotes"]

_MAX_NAMES = 10_000
"""How many event types are remembered."""


class PostNotes:
    """Finds misspelt event types and request ids of no recorded answer.

    Args:
        log: The log that the events go to.

    Attributes:
        usual: The event types about which nothing is to be said.
        answers: The recorded answers; None: they are not recorded, so nothing is said of them.
    """

    def __init__(self, log: EventLog) -> None:
        self.answers: ImpressionStore | None = None
        self._log = log
        self.usual = frozenset(USUAL_EVENT_TYPES)
        self._similar = dict.fromkeys(USUAL_EVENT_TYPES, "")

    def find(self, events: Sequence[Event]) -> dict[int, list[dict[str, Any]]]:
        """Find what looks wrong; to be called before the events are stored.

        Args:
            events: Posted events.

        Returns:
            By the index of an event its notes: code, field and message.
        """
        notes: dict[int, list[dict[str, Any]]] = {}
        kinds = {event.event_type for event in events}
        unheard = kinds - self._similar.keys()
        if unheard:
            self._look_up(unheard)
        similar = {kind: self._similar[kind] for kind in kinds if self._similar[kind]}
        names = {event.request_id for event in events if event.request_id is not None}
        unknown = self._unknown_requests(names) if names else set()
        if not similar and not unknown:
            return notes
        for index, event in enumerate(events):
            if event.event_type in similar:
                message = f"{event.event_type!r} looks like a misspelling of"
                meant = similar[event.event_type]
                note = ImportNote("misspelt-kind", "kind", f"{message} {meant!r}")
                notes.setdefault(index, []).append(_plain(note))
            if event.request_id in unknown:
                message = f"no answer with the request_id {event.request_id!r} is recorded"
                note = ImportNote("unknown-request", "request_id", message)
                notes.setdefault(index, []).append(_plain(note))
        return notes

    def _look_up(self, kinds: set[str]) -> None:
        """Note the known event type that each is probably a misspelling of, "" for none."""
        if len(self._similar) > _MAX_NAMES:
            self._similar = dict.fromkeys([*USUAL_EVENT_TYPES, *kinds], "")
        known = self._log.kinds()
        for kind in kinds:
            others = [] if kind in known else [name for name in known if name != kind]
            self._similar[kind] = similar_name(kind, [*USUAL_EVENT_TYPES, *others])

    def _unknown_requests(self, names: set[str]) -> set[str]:
        if self.answers is None:
            return set()
        missing = names - self._log.known_requests(names)
        return {name for name in missing if self.answers.find(name) is None}


def _plain(note: ImportNote) -> dict[str, Any]:
    return {"code": note.code, "field": note.field, "message": note.message}
