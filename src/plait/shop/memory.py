"""What was shown, remembered: why an answer was as it was, and what may follow it."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from plait.data.log import Impression
from plait.errors import NotFoundError

__all__ = ["Memory", "Recent", "Remembers"]

ARRIVAL = 1.0
"""Seconds in which the impressions of another process reach the store."""

RECENT = 1000


class Remembers(Protocol):
    """Keeps impressions: `plait.data.log.ImpressionBuffer`, or `Recent`."""

    def add(self, row: Impression) -> None:
        """Hand over one; returns at once."""

    def find(self, request_id: str) -> Impression | None:
        """The one of a request."""

    def flush(self) -> None:
        """Let every process find what was handed over."""

    def close(self) -> None:
        """Keep what waits, and stop."""


class Recent:
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


class Memory:
    """Finds impressions and the chains they form.

    The first answer of a chain has a plain id, what continues it that id with -1, -2, ..., so that
    every process finds all of a chain from any of its ids.
    """

    def __init__(self, rows: Remembers) -> None:
        self.rows = rows
        self.count = 0

    def add(self, row: Impression) -> None:
        """Remember an answer."""
        self.count += 1
        self.rows.add(row)

    def find(self, request_id: str) -> Impression:
        """The impression of a request; NotFoundError after a second in which none arrived."""
        found = self.rows.find(request_id)
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
        """All answers of the chain that a request belongs to, the first one first."""
        named = self.find(request_id)
        root = request_id.partition("-")[0]
        first = named if root == request_id else self.find(root)
        return [first, *self._followers(root)]

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


def _is_ours(request_id: str) -> bool:
    root, _, place = request_id.partition("-")
    return (
        len(root) == 32 and set(root) <= set("0123456789abcdef") and (not place or place.isdigit())
    )
