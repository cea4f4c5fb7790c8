"""Continues earlier responses and explains them, from their stored impressions."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import OrderedDict
from itertools import count
from typing import Any, Protocol

from plait.errors import InputError, NotFoundError
from plait.eventlog import Impression

__all__ = ["ImpressionChains", "ImpressionStore", "InMemoryImpressions"]

ARRIVAL = 1.0
"""Seconds within which the impressions of another process reach the store."""

MAX_RECENT = 1000
"""How many impressions are kept in memory where none are stored."""

MAX_RECENT_BYTES = 32 * 1024 * 1024
"""How many bytes their payloads may have together."""

MAX_CHAIN = 1000
"""The most responses that may continue one."""

N_LOCKS = 64
"""Locks that all chains share."""

_OWN_ID = re.compile(r"[0-9a-f]{32}(-[0-9]+)?\Z")


class ImpressionStore(Protocol):
    """Keeps impressions: `plait.eventlog.ImpressionBuffer`, or `InMemoryImpressions`."""

    def add(self, row: Impression) -> None:
        """Hand over an impression; returns at once.

        Args:
            row: The impression.
        """

    def find(self, request_id: str) -> Impression | None:
        """Return the impression of a request.

        Args:
            request_id: The request.

        Returns:
            Its impression, None if there is none.
        """

    def flush(self) -> None:
        """Let every process find what was handed over."""

    def close(self) -> None:
        """Store what waits, and stop."""


class InMemoryImpressions:
    """The last thousand impressions of this process, in limited memory: where none are stored."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, Impression] = OrderedDict()
        self._size = 0

    def add(self, row: Impression) -> None:
        self._rows[row.request_id] = row
        self._size += len(row.payload)
        while len(self._rows) > MAX_RECENT or self._size > MAX_RECENT_BYTES:
            _, oldest = self._rows.popitem(last=False)
            self._size -= len(oldest.payload)

    def find(self, request_id: str) -> Impression | None:
        return self._rows.get(request_id)

    def flush(self) -> None:
        """Do nothing: no other process can see them."""

    def close(self) -> None:
        self._rows.clear()


class ImpressionChains:
    """Finds impressions and the chains they form.

    The first response of a chain has a plain id, what continues it that id with -1, -2, ..., so
    that every process finds all of a chain from any of its ids, and only one of two continuations
    of the same response is kept: the store takes an id once.

    Args:
        rows: Where impressions are kept.
        max_length: The most responses of a chain.

    Attributes:
        rows: Where impressions are kept.
        count: How many impressions were added.
    """

    def __init__(self, rows: ImpressionStore, *, max_length: int = MAX_CHAIN) -> None:
        self.rows = rows
        self.count = 0
        self._max_length = max_length
        self._locks = [threading.Lock() for _ in range(N_LOCKS)]
        self._has_unstored_claims = False

    def add(self, row: Impression) -> None:
        """Remember a response.

        Args:
            row: Its impression.
        """
        self.count += 1
        self.rows.add(row)

    def chain_lock(self, request_id: str) -> threading.Lock:
        """Return the lock that a thread of this process holds while it continues a chain.

        Args:
            request_id: Any request of the chain.

        Returns:
            The lock, which other chains may share.
        """
        return self._locks[hash(_root(request_id)) % N_LOCKS]

    def claim_continuation(self, row: Impression) -> bool:
        """Remember a continuation for every process.

        Args:
            row: Its impression.

        Returns:
            False if another process has already continued the chain at this position.

        Raises:
            StorageError: If it cannot be stored; then it must not be shown.
        """
        self.rows.add(row)
        self._has_unstored_claims = True
        self.rows.flush()
        self._has_unstored_claims = False
        stored = self.rows.find(row.request_id)
        is_ours = stored is None or (stored.time, stored.payload) == (row.time, row.payload)
        self.count += is_ours
        return is_ours

    def find(self, request_id: str) -> Impression:
        """Return the impression of a request.

        Args:
            request_id: The request.

        Returns:
            Its impression.

        Raises:
            NotFoundError: If no process has stored it within a second.
        """
        request_id = str(request_id)
        # PostgreSQL refuses a NUL, for one: such an id is never looked up.
        row = self.rows.find(request_id) if request_id.isprintable() else None
        deadline = time.monotonic() + (ARRIVAL if _OWN_ID.match(request_id) else 0)
        while row is None and time.monotonic() < deadline:
            time.sleep(0.02)
            row = self.rows.find(request_id)
        if row is None:
            raise NotFoundError(
                f"no request {request_id!r}",
                hint="impressions are kept for a limited time; ask again",
                field="request_id",
            )
        return row

    def context_of(self, request_id: str) -> dict[str, Any] | None:
        """Return the context of the query that a request answered; never waits.

        Args:
            request_id: The request.

        Returns:
            The context, {} where the query has none; None for an unknown request.
        """
        row = self.rows.find(request_id) if request_id.isprintable() else None
        return None if row is None else dict(json.loads(row.payload)["query"].get("context") or {})

    def chain(self, request_id: str) -> list[Impression]:
        """Return all responses of a chain, the first one first.

        Args:
            request_id: Any request of the chain.

        Returns:
            Their impressions.

        Raises:
            NotFoundError: If the request is unknown.
            InputError: If the chain has reached its greatest length.
        """
        if self._has_unstored_claims:  # another process may have been faster
            self.rows.flush()
        named = self.find(request_id)
        root = _root(request_id)
        chain = [named if root == request_id else self.find(root)]
        for position in count(1):
            continuation = self.rows.find(f"{root}-{position}")
            if continuation is None:
                break
            chain.append(continuation)
        if len(chain) > self._max_length:
            raise InputError(
                f"this response has been continued {self._max_length} times",
                hint="ask the question again",
                field="request_id",
            )
        return chain


def _root(request_id: str) -> str:
    return request_id.partition("-")[0]
