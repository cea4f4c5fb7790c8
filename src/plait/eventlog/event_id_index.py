"""Finds the events whose ids the log has, in a log of any size.

The index of ids consists of runs of 2**20 offsets, and only the newest run grows. For large batches
the other runs are cached as the upper halves of their hashes (4 MB a run): nearly all ids of a
batch are new, and for those no look-up in the database is necessary. An id that was erased after
its run was cached costs a look-up that finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from plait.data.array_types import Int64Array, UInt32Array
from plait.eventlog.base_store import Store
from plait.eventlog.tables import RUN_BITS

__all__ = ["EventIdIndex", "StoredEvent"]

LARGE = 10_000
"""The smallest batch for which runs are cached."""

MAX_RUNS = 64
"""How many runs are cached at most: 256 MB."""


class StoredEvent(NamedTuple):
    """An event of the log.

    Attributes:
        digest: The digest of its content.
        offset: Its offset; -1 if it is not stored yet.
    """

    digest: bytes
    offset: int = -1


class EventIdIndex:
    """Looks up event ids by their hashes; used inside one transaction at a time."""

    def __init__(self) -> None:
        self._upper_halves: dict[int, UInt32Array] = {}

    def find(
        self, store: Store, connection: Connection, hashes: Sequence[int], last: int
    ) -> Mapping[str, StoredEvent]:
        """Look up the events that have some hashes.

        Args:
            store: The database.
            connection: The connection of the open transaction.
            hashes: Hashes of event ids, see `plait.eventlog.event_validation.id_hash`.
            last: The last offset of the log.

        Returns:
            The events by id; others whose ids have the same hashes may be among them.
        """
        newest = last >> RUN_BITS
        sorted_hashes = np.sort(np.array(hashes, np.int64))
        if len(sorted_hashes) < LARGE:
            return _stored(store, connection, range(newest + 1), sorted_hashes)
        self._cache_next_run(store, connection, newest)
        uncached = [run for run in range(newest + 1) if run not in self._upper_halves]
        events = _stored(store, connection, uncached, sorted_hashes)
        wanted_halves = _upper(sorted_hashes)
        for run, halves in self._upper_halves.items():
            indices = np.minimum(np.searchsorted(halves, wanted_halves), len(halves) - 1)
            candidates = sorted_hashes[halves[indices] == wanted_halves]
            events.update(_stored(store, connection, [run], candidates))
        return events

    def _cache_next_run(self, store: Store, connection: Connection, newest: int) -> None:
        """Cache one run for each batch, so that no batch waits for all of them."""
        uncached = (run for run in range(newest) if run not in self._upper_halves)
        run = next(uncached, None)
        if run is None or len(self._upper_halves) >= MAX_RUNS:
            return
        sql = "SELECT hash FROM event_ids WHERE run = ? ORDER BY hash"
        rows = store.rows(connection, sql, run)
        halves = _upper(np.fromiter((row[0] for row in rows), np.int64))
        if len(halves):
            self._upper_halves[run] = halves


def _upper(sorted_hashes: Int64Array) -> UInt32Array:
    """The upper halves of sorted hashes, still sorted."""
    return ((sorted_hashes >> 32) + 2**31).astype(np.uint32)


def _stored(
    store: Store, connection: Connection, runs: Sequence[int], sorted_hashes: Int64Array
) -> dict[str, StoredEvent]:
    if not len(runs) or not len(sorted_hashes):
        return {}
    in_runs, run_parameter = store.in_clause(list(runs))
    in_hashes, hash_parameter = store.in_clause(sorted_hashes.tolist())
    sql = (
        "SELECT e.id, e.digest, e.seq FROM event_ids i JOIN events e ON e.seq = i.seq"  # noqa: S608 ours
        f" WHERE i.run {in_runs} AND i.hash {in_hashes}"
    )
    rows = store.rows(connection, sql, run_parameter, hash_parameter)
    return {event_id: StoredEvent(digest, offset) for event_id, digest, offset in rows}
