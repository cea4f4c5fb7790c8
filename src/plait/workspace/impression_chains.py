"""What was shown, remembered: why an answer was as it was, and what may follow it."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from plait.errors import InputError, NotFoundError
from plait.eventlog import Impression

__all__ = ["ImpressionChains", "ImpressionStore", "InMemoryImpressions"]

ARRIVAL = 1.0
"""Seconds in which the impressions of another process reach the store."""

RECENT = 1000

LONGEST_CHAIN = 1000
"""The most answers that may follow one."""

TURNS = 64
"""Locks that all chains share."""


class ImpressionStore(Protocol):
    """Keeps impressions: `plait.eventlog.ImpressionBuffer`, or `Recent`."""

    def add(self, row: Impression) -> None:
        """Hand over one; returns at once."""

    def find(self, request_id: str) -> Impression | None:
        """The one of a request."""

    def flush(self) -> None:
        """Let every process find what was handed over."""

    def close(self) -> None:
        """Keep what waits, and stop."""


class InMemoryImpressions:
    """The last thousand impressions of this process: where none are to be stored."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, Impression] = OrderedDict()

    def add(self, row: Impression) -> None:
        self._rows[row.request_id] = row
        while len(self._rows) > RECENT:
            self._rows.popitem(last=False)

    def find(self, request_id: str) -> Impression | None:
        return self._rows.get(request_id)

    def flush(self) -> None:
        """There is nobody else to tell."""

    def close(self) -> None:
        self._rows.clear()


class ImpressionChains:
    """Finds impressions and the chains they form.

    The first answer of a chain has a plain id, what continues it that id with -1, -2, ..., so that
    every process finds all of a chain from any of its ids, and that of two which go on at the same
    place only one is kept: the store takes an id once.
    """

    def __init__(self, rows: ImpressionStore, *, longest: int = LONGEST_CHAIN) -> None:
        self.rows = rows
        self.count = 0
        self._longest = longest
        self._turns = [threading.Lock() for _ in range(TURNS)]
        self._unsettled = False

    def add(self, row: Impression) -> None:
        """Remember an answer."""
        self.count += 1
        self.rows.add(row)

    def turn(self, request_id: str) -> threading.Lock:
        """What a thread of this process holds while it continues the chain of a request."""
        return self._turns[hash(_root(request_id)) % TURNS]

    def settle(self, row: Impression) -> bool:
        """Remember a continuation for every process; False if another has taken its place.

        Raises StorageError if that cannot be stored: then nobody was shown anything.
        """
        self.rows.add(row)
        self._unsettled = True
        self.rows.flush()
        self._unsettled = False
        kept = self.rows.find(row.request_id)
        won = kept is None or (kept.time, kept.payload) == (row.time, row.payload)
        self.count += won
        return won

    def find(self, request_id: str) -> Impression:
        """The impression of a request; NotFoundError after a second in which none arrived."""
        # What no answer can be called is not looked for: PostgreSQL refuses a NUL, for one.
        found = self.rows.find(request_id) if request_id.isprintable() else None
        deadline = time.monotonic() + (ARRIVAL if _is_ours(request_id) else 0)
        while found is None and time.monotonic() < deadline:
            time.sleep(0.02)
            found = self.rows.find(request_id)
        if found is None:
            raise NotFoundError(
                f"no request {request_id!r}",
                hint="impressions are kept for a limited time; ask again",
                field="request_id",
            )
        return found

    def chain(self, request_id: str) -> list[Impression]:
        """All answers of the chain that a request belongs to, the first one first.

        Raises NotFoundError, InputError for a chain of more than `longest` answers.
        """
        if self._unsettled:  # what waits may have lost its place to another process
            self.rows.flush()
        named = self.find(request_id)
        root = _root(request_id)
        first = named if root == request_id else self.find(root)
        found = [first, *self._followers(root)]
        if len(found) > self._longest:
            raise InputError(
                f"{self._longest} answers have followed this one",
                hint="ask the question again",
                field="request_id",
            )
        return found

    def _followers(self, root: str) -> Iterator[Impression]:
        place = 1
        while (found := self.rows.find(f"{root}-{place}")) is not None:
            yield found
            place += 1


def told(row: Impression) -> dict[str, Any]:
    """The payload of an impression."""
    found: dict[str, Any] = json.loads(row.payload)
    return found


def shown_ids(row: Impression) -> list[str]:
    """The items that an answer showed."""
    items: list[Mapping[str, Any]] = told(row)["items"]
    return [str(one["id"]) for one in items]


def _root(request_id: str) -> str:
    return request_id.partition("-")[0]


def _is_ours(request_id: str) -> bool:
    root, _, place = request_id.partition("-")
    return (
        len(root) == 32 and set(root) <= set("0123456789abcdef") and (not place or place.isdigit())
    )
