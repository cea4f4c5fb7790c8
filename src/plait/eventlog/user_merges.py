"""Merges of users in the log: how they are written, read, and followed by an erasure.

A row of the type "merge" has the number of the merged user, and as fields the number of the user
that it became, `{"into": 17}`, or null where the two are apart again: no id of one user stands in
a row of another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import Connection

from plait.data.array_types import Int32Array
from plait.data.event import Event
from plait.data.user_merges import UserMerges
from plait.eventlog.base_store import Store
from plait.eventlog.id_allocation import IdAllocator, find_numbers
from plait.eventlog.log_counters import read_head
from plait.eventlog.read_columns import EventChunk, read_merges
from plait.eventlog.tables import TYPE_CODES

__all__ = ["MergeHistory", "apply_merges", "targets_of", "with_target_numbers"]

_MERGE, _ERASE = TYPE_CODES["merge"], TYPE_CODES["erase"]


def apply_merges(
    merges: UserMerges, chunk: EventChunk, until_time: int | None = None
) -> UserMerges:
    """Apply the merges and erasures of a chunk, in their order.

    Args:
        merges: The merges before the chunk.
        chunk: Events of the log.
        until_time: Microseconds since 1970 UTC; later merges do not count. None: all count.

    Returns:
        The merges after the chunk.
    """
    if not len(merges) and not (chunk.types == _MERGE).any():
        return merges
    for index in np.flatnonzero((chunk.types == _MERGE) | (chunk.types == _ERASE)).tolist():
        number = int(chunk.users[index])
        if chunk.types[index] == _ERASE:
            merges = merges.without((number,))
        elif until_time is None or chunk.times[index] < until_time:
            merges = merges.merged(number, _target(chunk.fields[index]))
    return merges


def targets_of(chunk: EventChunk) -> tuple[Int32Array, npt.NDArray[np.int8]]:
    """Return the users that others became in a chunk.

    Args:
        chunk: Events of the log.

    Returns:
        Their numbers, int32 [M], and the type code of a merge for each, int8 [M].
    """
    rows = np.flatnonzero(chunk.types == _MERGE).tolist()
    targets = (_target(chunk.fields[row]) for row in rows)
    numbers = np.array([target for target in targets if target is not None], np.int32)
    return numbers, np.full(len(numbers), _MERGE, np.int8)


def with_target_numbers(
    store: Store,
    connection: Connection,
    events: Sequence[Event],
    users: IdAllocator,
    n_users: int,
) -> list[Event]:
    """Replace the ids of the users that others became by their numbers, new ones included.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        events: Events of any type; `item` of a merge is the id of the other user, None if the two
            are apart again.
        users: Gives the numbers.
        n_users: How many numbers were given before.

    Returns:
        The events, in which a merge has fields and no item.
    """
    targets = [event.item for event in events if event.record_type == "merge" and event.item]
    assigned = users.assign(store, connection, targets, n_users)
    numbers = dict(zip(targets, assigned, strict=True))
    return [
        event._replace(
            item=None,
            fields=orjson.dumps(
                {"into": None if event.item is None else numbers[event.item]}
            ).decode(),
        )
        if event.record_type == "merge"
        else event
        for event in events
    ]


class MergeHistory:
    """The merges of a log, read as it grows: each of its rows once. Safe among threads.

    Args:
        store: The database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read = (0, UserMerges())  # up to which offset, and what there is

    def other_ids_of(self, ids: Collection[str]) -> list[str]:
        """Find under which other ids some users are known.

        Args:
            ids: External ids of users.

        Returns:
            The ids of the users with whom they were merged, without those of `ids`.

        Raises:
            StorageError: If the log cannot be read.
        """
        with self._store.scanning() as connection:
            numbers = find_numbers(self._store, connection, "users", ids)
            if not numbers:
                return []
            merges = self._merges(connection)
            person = {other for number in numbers.values() for other in merges.person(number)}
            others = sorted(person - set(numbers.values()))
            if not others:
                return []
            in_numbers, parameter = self._store.in_clause(others)
            sql = f"SELECT id FROM users WHERE number {in_numbers} AND erased = 0 ORDER BY number"  # noqa: S608 ours
            return [row[0] for row in self._store.rows(connection, sql, parameter)]

    def _merges(self, connection: Connection) -> UserMerges:
        """The merges now. Two threads may read the same rows, and then come to the same."""
        seen, merges = self._read
        head = read_head(self._store, connection).seq
        for chunk in read_merges(self._store, connection, seen, head):
            merges = apply_merges(merges, chunk)
        if head > seen:
            self._read = head, merges
        return merges


def _target(fields: str | None) -> int | None:
    target = orjson.loads(fields or "{}").get("into")
    return None if target is None else int(target)
