"""The interfaces of the log that other packages use: one to read, one to append."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from plait.data.types import Event
from plait.eventlog.append_result import AppendResult
from plait.eventlog.read_columns import EventChunk
from plait.schema.schema import Schema

__all__ = ["EventLogReader", "EventLogWriter"]


class EventLogWriter(Protocol):
    """Stores events: an `EventLog`, or a `GroupCommitWriter` in front of one."""

    def append(self, events: Sequence[Event]) -> AppendResult:
        """Store a batch in one transaction, see `EventLog.append`.

        Args:
            events: The events.

        Returns:
            The log's last offset, and a status for every event.
        """


class EventLogReader(Protocol):
    """Reads events and the names behind their numbers; `EventLog` does."""

    @property
    def version(self) -> int:
        """The last offset, 0 for an empty log."""

    def read(self, after: int = 0, until: int | None = None) -> Iterator[EventChunk]:
        """Read events in chunks.

        Args:
            after: The offset before the first event.
            until: The offset of the last event; None: the last there is.

        Returns:
            The chunks in the order of the offsets.
        """

    def item_ids(self, first: int = 0) -> Sequence[str]:
        """Return the external ids of items.

        Args:
            first: The number of the first item.

        Returns:
            The ids of the item numbers from `first` on.
        """

    def user_ids(self, first: int = 0) -> Sequence[str]:
        """Return the external ids of users.

        Args:
            first: The number of the first user.

        Returns:
            The ids of the user numbers from `first` on, "" for erased users.
        """

    def kinds(self, first: int = 0) -> Sequence[str]:
        """Return the names of event types.

        Args:
            first: The number of the first name.

        Returns:
            The names of the numbers from `first` on: event types, changes and relations.
        """

    def schema(self) -> Schema:
        """Return the types of all fields."""
