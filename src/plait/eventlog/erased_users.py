"""Refuses rows of erased users: an export that still holds them must not bring them back.

An erase event keeps a keyed hash of the user's id. A row of a user whom the log does not know is
compared with these hashes inside the transaction that would store it. A user who gives consent
again, after the erasure, starts as a new person: the log knows the id then, and lets it pass.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import Connection

from plait.eventlog.base_store import Store
from plait.eventlog.id_allocation import find_numbers
from plait.eventlog.log_counters import LogHead, read_head
from plait.eventlog.tables import TYPE_CODES
from plait.privacy.consent import consent_in
from plait.privacy.erasure_hashes import erasure_hash, key_mark
from plait.schema.schema import FieldProblem

if TYPE_CHECKING:
    from plait.eventlog.append import EventBatch

__all__ = ["ErasedUsers"]

KeySource = Callable[[bool], bytes]
"""Returns the key of the hashes; the argument says whether to make one where there is none."""

_LACKS_KEY = (
    "a user whom the log knows: users were erased under another key, so that this home cannot tell "
    "whether the user is one of them; copy erasure.key from the home that erased them"
)


class ErasedUsers:
    """The hashes of erased users, read from the log as it grows.

    Args:
        key: The key of the hashes.
    """

    def __init__(self, key: KeySource) -> None:
        self._key_source = key
        self._key = b""
        self._erased_at: dict[str, int] = {}
        self._has_other_key = False
        self._erasures = 0
        self.seen = 0

    def fields_of_erasure(self, user_id: str) -> str:
        """Return the fields of an erase event.

        Args:
            user_id: The id of the erased user.

        Returns:
            The text of a JSON object.
        """
        key = self._key_source(True)
        return orjson.dumps({"hash": erasure_hash(key, user_id), "key": key_mark(key)}).decode()

    def prepare(self, store: Store) -> None:
        """Read the erasures before the first transaction: a scan of a long log takes a while.

        Args:
            store: The database.
        """
        with store.reading() as connection:
            self._load(store, connection, read_head(store, connection))

    def refuse(
        self, store: Store, connection: Connection, head: LogHead, batch: EventBatch
    ) -> None:
        """Reject the pending events of a batch whose users were erased.

        Args:
            store: The database.
            connection: The connection of the open transaction.
            head: The counters of the log.
            batch: The batch.
        """
        self._load(store, connection, head)
        if not (self._erased_at or self._has_other_key or batch.erased_ids):
            return
        pending = [batch.events[index] for index in batch.pending]
        users = {event.user for event in pending}
        users.update(event.item for event in pending if str(event.record_type) == "merge")
        refused = self._unknown(store, connection, {user for user in users if user is not None})
        if not (refused or batch.erased_ids):
            return
        admitted = []
        for index, event in zip(batch.pending, pending, strict=True):
            is_merge = str(event.record_type) == "merge"  # of two users, the second as its item
            names = (event.user, event.item) if is_merge else (event.user,)
            user = next((name for name in names if name in refused), None)
            if event.record_type == "erase" and event.user is not None:
                refused[event.user] = event.time or 0
            elif user is not None:
                erased_at = refused[user]
                is_later = event.time is None or erased_at is None or event.time >= erased_at
                if event.record_type == "user" and consent_in(event) and is_later:
                    del refused[user]
                else:
                    expected = _LACKS_KEY if erased_at is None else _expectation(erased_at)
                    # No report may name an erased user.
                    fault = FieldProblem(index, "user", "an erased user", expected)
                    batch.reject(index, "user", f"expected {expected}", fault)
                    continue
            admitted.append(index)
        batch.pending = admitted

    def _load(self, store: Store, connection: Connection, head: LogHead) -> None:
        if head.erasures == self._erasures:
            self.seen = head.seq
            return
        self._key = self._key or self._key_source(False)
        own_mark = key_mark(self._key) if self._key else ""
        sql = (
            "SELECT time, fields FROM events WHERE seq > ? AND seq <= ?"  # noqa: S608 ours
            f" AND type = {TYPE_CODES['erase']} AND fields IS NOT NULL"
        )
        for time, text in store.rows(connection, sql, self.seen, head.seq):
            erasure = orjson.loads(text)
            if erasure["key"] == own_mark:
                self._erased_at[erasure["hash"]] = time
            else:
                self._has_other_key = True
        self._erasures, self.seen = head.erasures, head.seq

    def _unknown(
        self, store: Store, connection: Connection, user_ids: set[str]
    ) -> dict[str, int | None]:
        """When each of the users was erased; None where this home cannot tell."""
        hashes = {user: erasure_hash(self._key, user) for user in user_ids} if self._key else {}
        suspects: dict[str, int | None] = {
            user: self._erased_at[digest]
            for user, digest in hashes.items()
            if digest in self._erased_at
        }
        if self._has_other_key:
            suspects = {**dict.fromkeys(user_ids), **suspects}
        for user in find_numbers(store, connection, "users", suspects):
            del suspects[user]
        return suspects


def _expectation(erased_at: int) -> str:
    day = datetime.fromtimestamp(erased_at / 1e6, UTC).date()
    return (
        f"a user who was not erased, as this one was on {day}; a later row of the user with "
        "consent = true starts a new person"
    )
