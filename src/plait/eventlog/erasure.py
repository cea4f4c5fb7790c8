"""Erases users: their rows are overwritten in place, and no offset changes.

A page of SQLite keeps stale copies of rows that were moved within it or off it. So no row moves:
rows grow only at the end of their tables, no index contains the text of a user's id, and what
overwrites a row is about as long as the row was. `secure_delete` zeroes the rest.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, bindparam, delete, update

from plait.data.event import Event
from plait.eventlog.base_store import Store
from plait.eventlog.event_validation import id_hash
from plait.eventlog.id_allocation import find_numbers
from plait.eventlog.log_counters import read_head
from plait.eventlog.tables import ERASED, RUN_BITS, TYPE_CODES, impressions, users

__all__ = ["UserRowOffsets", "erase_event", "erase_users", "find_traces", "new_id"]

BATCH_SIZE = 20_000
"""How many rows are overwritten at a time."""

_MANY_ROWS = 2000
"""From so many rows in a run of the index of ids on, the run is read as a whole."""

_MAX_NOISE = 400
"""How many bytes of a long value its replacement keeps."""


class UserRowOffsets(NamedTuple):
    """Where the rows of some users are, up to an offset.

    Attributes:
        numbers: The users' numbers.
        offsets: The offsets of their rows.
        seen: The offset up to which the log was searched.
    """

    numbers: frozenset[int] = frozenset()
    offsets: Sequence[int] = ()
    seen: int = 0


def new_id() -> str:
    """Return a random event id, which reveals nothing."""
    return f"erased-{secrets.token_hex(12)}"


def erase_event(user_id: str) -> Event:
    """Return the event that erases a user now.

    Args:
        user_id: The external id of the user.
    """
    return Event("erase", new_id(), user=user_id, time=time.time_ns() // 1000)


def find_traces(store: Store, ids: Iterable[str]) -> UserRowOffsets:
    """Search the log for the rows of users, before the transaction: others can still write.

    Args:
        store: The database.
        ids: The users' external ids.

    Returns:
        The numbers and the rows of those users that are known.
    """
    with store.scanning() as connection:
        seen = read_head(store, connection).seq
        numbers = frozenset(find_numbers(store, connection, "users", ids).values())
        return UserRowOffsets(numbers, _offsets_of(store, connection, numbers, 0, seen), seen)


def erase_users(
    store: Store, connection: Connection, users_to_erase: Sequence[int], traces: UserRowOffsets
) -> None:
    """Overwrite everything that belongs to users; their erase events stay.

    Args:
        store: The database.
        connection: The connection of the open transaction.
        users_to_erase: The users' numbers.
        traces: The rows that were found before the transaction.
    """
    if traces.numbers == set(users_to_erase):
        newer = _offsets_of(store, connection, users_to_erase, traces.seen)
        offsets = [*traces.offsets, *newer]
    else:  # another process has erased users or given numbers in between: search everything
        offsets = _offsets_of(store, connection, users_to_erase, 0)
    _free_ids(store, connection, offsets)  # while the rows still have their ids
    for first in range(0, len(offsets), BATCH_SIZE):
        _overwrite_events(store, connection, offsets[first : first + BATCH_SIZE])
    _overwrite_users(store, connection, users_to_erase)
    connection.execute(delete(impressions).where(impressions.c.user_no.in_(users_to_erase)))


def _offsets_of(
    store: Store,
    connection: Connection,
    numbers: Iterable[int],
    after: int,
    until: int = 1 << 62,
) -> list[int]:
    """A scan of the rows: an index by user would slow down every append."""
    in_numbers, parameter = store.in_clause(sorted(numbers))
    sql = (
        f"SELECT seq FROM events WHERE seq > ? AND seq <= ? AND user_no {in_numbers}"  # noqa: S608 ours
        f" AND type <> {TYPE_CODES['erase']}"
    )
    return [row[0] for row in store.rows(connection, sql, after, until, parameter)]


def _overwrite_events(store: Store, connection: Connection, offsets: Sequence[int]) -> None:
    """The database makes the noise itself: a user may have a million rows."""
    in_offsets, parameter = store.in_clause(list(offsets))
    lengths = (store.byte_length(column) for column in ("id", "request_id", "fields"))
    length = " + ".join(
        f"CASE WHEN {size} > {_MAX_NOISE} THEN {_MAX_NOISE} ELSE COALESCE({size}, 0) END"
        for size in lengths
    )
    nothing = ", ".join(
        f"{name} = NULL"
        for name in (
            *("kind_no", "user_no", "item_no", "time", "position", "value", "request_id"),
            "fields",
        )
    )
    noise, digest = store.random_text(f"({length})"), store.random_text("16", is_binary=True)
    sql = (
        f"UPDATE events SET type = {ERASED}, id = {noise}, digest = {digest}, {nothing}"  # noqa: S608 ours
        f" WHERE seq {in_offsets}"
    )
    store.rows(connection, sql, parameter)


def _free_ids(store: Store, connection: Connection, offsets: Sequence[int]) -> None:
    """Remove the rows from the index of ids, each of its pages touched once."""
    numbers = np.sort(np.array(offsets, np.int64))
    runs = numbers >> RUN_BITS
    for run in np.unique(runs).tolist():
        own = numbers[runs == run].tolist()
        in_offsets, parameter = store.in_clause(own)
        if len(own) > _MANY_ROWS:
            sql = f"DELETE FROM event_ids WHERE run = ? AND seq {in_offsets}"  # noqa: S608 ours
            store.rows(connection, sql, run, parameter)
            continue
        sql = f"SELECT seq, id FROM events WHERE seq {in_offsets}"  # noqa: S608 ours
        rows = sorted((id_hash(row[1]), row[0]) for row in store.rows(connection, sql, parameter))
        for hash_, seq in rows:
            sql = "DELETE FROM event_ids WHERE run = ? AND hash = ? AND seq = ?"
            store.rows(connection, sql, run, hash_, seq)


def _overwrite_users(store: Store, connection: Connection, numbers: Sequence[int]) -> None:
    in_numbers, parameter = store.in_clause(numbers)
    sql = f"SELECT number, id FROM users WHERE number {in_numbers}"  # noqa: S608 ours
    rows: list[Any] = list(store.rows(connection, sql, parameter))
    connection.execute(
        update(users)
        .where(users.c.number == bindparam("at"))
        .values(id=bindparam("new"), hash=bindparam("noise"), erased=1),
        [
            {"at": row[0], "new": _noise(row[1:]), "noise": id_hash(secrets.token_hex(8))}
            for row in rows
        ],
    )


def _noise(texts: Iterable[str | None]) -> str:
    """Random text as long as `texts` together."""
    length = sum(min(len(text.encode()), _MAX_NOISE) for text in texts if text)
    return secrets.token_hex(length // 2 + 1)[: max(length, 1)]
