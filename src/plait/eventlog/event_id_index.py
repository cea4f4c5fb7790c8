"""Finding the events whose ids the log has, in a log of any size.

The index of ids lies in runs of 2**20 offsets, and only the newest still grows. For large batches
the others are kept in memory, as the upper halves of their hashes (4 MB a run): nearly all ids of a
batch are new, and none of these has to be looked for in the database. What an erase takes out
of a run only costs a look in vain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from plait.eventlog.store import Store
from plait.eventlog.tables import run_of

__all__ = ["EventIdIndex"]

LARGE = 10_000
"""From this many ids on it pays to remember runs."""

MAX_RUNS = 64
"""How many runs are remembered: 256 MB."""

_Tops = npt.NDArray[np.uint32]


class EventIdIndex:
    """Looks ids up by their hashes; used inside one transaction at a time."""

    def __init__(self) -> None:
        self._tops: dict[int, _Tops] = {}

    def find(
        self, store: Store, connection: Connection, hashes: Sequence[int], last: int
    ) -> dict[str, bytes]:
        """The ids (and the digests of their events) that have one of `hashes`.

        `last` is the last offset of the log. Other ids of the same hash may be among them.
        """
        newest = run_of(last)
        ordered = np.sort(np.array(hashes, np.int64))
        if len(ordered) < LARGE:
            return dict(_stored(store, connection, range(newest + 1), ordered))
        self._remember_one_more(store, connection, newest)
        unknown = [run for run in range(newest + 1) if run not in self._tops]
        found = dict(_stored(store, connection, unknown, ordered))
        halves = _upper(ordered)
        for run, tops in self._tops.items():
            places = np.minimum(np.searchsorted(tops, halves), len(tops) - 1)
            found.update(_stored(store, connection, [run], ordered[tops[places] == halves]))
        return found

    def _remember_one_more(self, store: Store, connection: Connection, newest: int) -> None:
        """One run a batch, so that no batch waits for all of them."""
        missing = next((run for run in range(newest) if run not in self._tops), None)
        if missing is None or len(self._tops) >= MAX_RUNS:
            return
        sql = "SELECT hash FROM event_ids WHERE run = ? ORDER BY hash"
        rows = store.rows(connection, sql, missing)
        tops = _upper(np.fromiter((row[0] for row in rows), np.int64))
        if len(tops):
            self._tops[missing] = tops


def _upper(ordered: npt.NDArray[np.int64]) -> _Tops:
    """The upper halves of sorted hashes, still sorted."""
    return ((ordered >> 32) + 2**31).astype(np.uint32)


def _stored(
    store: Store,
    connection: Connection,
    runs: Sequence[int],
    ordered: npt.NDArray[np.int64],
) -> Iterator[tuple[str, bytes]]:
    if not len(runs) or not len(ordered):
        return iter(())
    in_runs, run_keys = store.in_clause(list(runs))
    among, keys = store.in_clause(ordered.tolist())
    joined = "SELECT e.id, e.digest FROM event_ids i JOIN events e ON e.seq = i.seq"
    return store.rows(
        connection, f"{joined} WHERE i.run {in_runs} AND i.hash {among}", run_keys, keys
    )
