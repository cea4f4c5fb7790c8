"""Joins the ids of one person: a guest's session and the customer's account."""

from __future__ import annotations

import time
import uuid

from plait.data.types import Event
from plait.errors import ConflictError, InputError, NotFoundError
from plait.schema.event_bounds import id_problem
from plait.schema.missing_words import BLANKS, MISSING_WORDS
from plait.workspace.write_api import DataApi

__all__ = ["UserMerging"]


class UserMerging(DataApi):
    """Merges users and takes merges back; each is a record that is appended to the log."""

    def merge_users(self, source: str, into: str) -> int:
        """Join the events of a user to those of another: a guest becomes a customer.

        Nothing that is stored changes: the history, seen items, the next fit and erasing count
        both ids as one person. Of the two descriptions that of `into` holds.

        Args:
            source: The id of the guest, such as "session:3f9a"; it may be unknown so far.
            into: The id of the customer; it may be unknown so far.

        Returns:
            The version that holds the merge; nothing is stored if they are merged already.

        Raises:
            InputError: If an id cannot be stored, or both are the same.
            ConflictError: If the guest has become another customer, or the customer the guest.
        """
        source, into = self._merge_id(source, "from"), self._merge_id(into, "into")
        if source == into:
            raise InputError("from and into are the same user", field="into")
        state = self.host.sync()
        numbers = state.users.number(source), state.users.number(into)
        target = state.merges.targets.get(numbers[0])
        if target is not None and target == numbers[1]:
            return state.version
        if target is not None:
            raise ConflictError(
                f"{source!r} was merged into {state.users.ids[target]!r}",
                hint="POST /v1/users/unmerge takes that back",
                field="from",
            )
        if numbers[0] >= 0 and state.merges.root(numbers[1]) == numbers[0]:
            raise ConflictError(
                f"{into!r} was merged into {source!r}",
                hint="POST /v1/users/unmerge takes that back",
                field="into",
            )
        return self._append_merge(source, into)

    def unmerge_users(self, source: str) -> int:
        """Take a merge back: both users have their own events again.

        Args:
            source: The id of the user who was merged into another.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If the user was not merged.
        """
        source = self._merge_id(source, "from")
        state = self.host.sync()
        if state.users.number(source) not in state.merges.targets:
            raise NotFoundError(
                f"{source!r} was not merged into another user",
                hint="from is the guest, the user that was merged",
                field="from",
            )
        return self._append_merge(source, None)

    def _append_merge(self, source: str, into: str | None) -> int:
        change = "merge" if into else "unmerge"
        now = time.time_ns() // 1000
        event = Event("merge", uuid.uuid4().hex, change, source, into, now)
        result = self._importer.append([event])
        self.host.catch_up(result.version, result.chunk)
        row = result.rows[0]
        if row.status == "rejected":
            raise InputError(row.error, field="from" if row.field == "user" else row.field)
        return result.version

    def _merge_id(self, user: str, field: str) -> str:
        try:
            name = self._stored_id(user, "user")
        except InputError as problem:
            problem.field = field
            raise
        expected = "an id" if name.strip(BLANKS) in MISSING_WORDS else id_problem(name)
        if expected:
            raise InputError(f"expected {expected}", field=field)
        return self._consent.user_id(name)
