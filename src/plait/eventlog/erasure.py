"""Forgetting a user: that user's rows are overwritten in place, and nobody's offsets move.

In SQLite a page keeps stale copies of rows that were moved within it or off it. So nothing moves:
rows grow only at the end of their tables, no index holds the text of a user's id, and what
overwrites a row is about as long as what was there. `secure_delete` zeroes the rest.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, update

from plait.eventlog.event_validation import id_hash
from plait.eventlog.id_allocation import read_head
from plait.eventlog.store import Store
from plait.eventlog.tables import ERASED, TYPE_CODES, event_ids, events, impressions, run_of, users

__all__ = ["UserRowOffsets", "erase_users", "find_traces", "new_id"]

PIECE = 20_000
"""How many rows are overwritten at a time."""

_LONGEST = 400
"""How much of a long field's length its replacement keeps."""


class UserRowOffsets(NamedTuple):
    """The offsets of the rows of some users' numbers, up to the offset `seen`."""

    numbers: frozenset[int] = frozenset()
    offsets: Sequence[int] = ()
    seen: int = 0


def new_id() -> str:
    """An id that says nothing."""
    return f"erased-{secrets.token_hex(12)}"


def find_traces(store: Store, ids: Iterable[str]) -> UserRowOffsets:
    """Read through the log for the users `ids`, before the transaction: others can still write."""
    wanted = set(ids)
    with store.reading() as connection:
        seen = read_head(store, connection).seq
        among, keys = store.in_clause(sorted({id_hash(one) for one in wanted}))
        sql = f"SELECT number, id FROM users WHERE erased = 0 AND hash {among}"  # noqa: S608 ours
        found = store.rows(connection, sql, keys)
        numbers = frozenset(number for number, one in found if one in wanted)
        return UserRowOffsets(numbers, _offsets_of(store, connection, numbers, 0, seen), seen)


def erase_users(
    store: Store, connection: Connection, gone: list[int], traces: UserRowOffsets
) -> None:
    """Overwrite everything that belongs to the numbers `gone`; their erase events stay."""
    if traces.numbers == set(gone):
        newer = _offsets_of(store, connection, gone, traces.seen, None)
        offsets = [*traces.offsets, *newer]
    else:  # somebody else has erased or numbered in between: look at everything
        offsets = _offsets_of(store, connection, gone, 0, None)
    for first in range(0, len(offsets), PIECE):
        _overwrite(store, connection, offsets[first : first + PIECE])
    _overwrite_users(connection, store, gone)
    connection.execute(delete(impressions).where(impressions.c.user_no.in_(gone)))


def _offsets_of(
    store: Store,
    connection: Connection,
    numbers: Iterable[int],
    after: int,
    until: int | None,
) -> list[int]:
    """A walk through the rows: an index by user would cost every append for the sake of a few."""
    among, keys = store.in_clause(sorted(numbers))
    sql = (
        f"SELECT seq FROM events WHERE seq > ? AND seq <= ? AND user_no {among}"  # noqa: S608 ours
        f" AND type <> {TYPE_CODES['erase']}"
    )
    last = (1 << 62) if until is None else until
    return [row[0] for row in store.rows(connection, sql, after, last, keys)]


def _overwrite(store: Store, connection: Connection, offsets: Sequence[int]) -> None:
    among, keys = store.in_clause(list(offsets))
    sql = f"SELECT seq, id, request_id, fields FROM events WHERE seq {among}"  # noqa: S608 ours
    old = list(store.rows(connection, sql, keys))
    if not old:
        return
    nothing = dict.fromkeys(
        ("kind_no", "user_no", "item_no", "time", "position", "value", "request_id", "fields")
    )
    connection.execute(
        update(events)
        .where(events.c.seq == bindparam("at"))
        .values(type=ERASED, id=bindparam("new"), digest=bindparam("noise"), **nothing),
        [{"at": row[0], "new": _noise(row[1:]), "noise": os.urandom(16)} for row in old],
    )
    connection.execute(
        delete(event_ids).where(
            event_ids.c.run == bindparam("in_run"),
            event_ids.c.hash == bindparam("was"),
            event_ids.c.seq == bindparam("at"),
        ),
        [{"at": row[0], "was": id_hash(row[1]), "in_run": run_of(row[0])} for row in old],
    )


def _overwrite_users(connection: Connection, store: Store, gone: list[int]) -> None:
    among, keys = store.in_clause(gone)
    sql = f"SELECT number, id FROM users WHERE number {among}"  # noqa: S608 ours
    old: list[Any] = list(store.rows(connection, sql, keys))
    connection.execute(
        update(users)
        .where(users.c.number == bindparam("at"))
        .values(id=bindparam("new"), hash=bindparam("noise"), erased=1),
        [
            {"at": number, "new": _noise((one,)), "noise": id_hash(secrets.token_hex(8))}
            for number, one in old
        ],
    )


def _noise(texts: Iterable[str | None]) -> str:
    """Random text as long as `texts` together."""
    length = sum(min(len(text.encode()), _LONGEST) for text in texts if text)
    return secrets.token_hex(length // 2 + 1)[: max(length, 1)]
