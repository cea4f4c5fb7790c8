"""How much a key and a user may ask for: what each kind of request costs, and who has to wait."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from plait.errors import RateLimitError
from plait.server.http.token_buckets import TokenBuckets
from plait.settings import RATE_COSTS, Settings, metrics_folder

__all__ = ["KeyNameBudget", "RateLimits"]

DAY_S = 86_400

USER_BUCKETS = 2**18
"""Two of a thousand busy users share a bucket with another one of them."""

_PATHS = {
    "/v1/search": "search",
    "/v1/recommend": "recommend",
    "/v1/recommend/batch": "recommend",
    "/v1/similar": "similar",
    "/v1/rank": "rank",
    "/v1/next": "next",
    "/v1/list": "list",
}
"""The kind of each route that is not "other"."""


class RateLimits:
    """The buckets of one worker, which it shares with the other workers of its server.

    A request pays its kind before its body is read, and what its body holds beyond the first row
    or user afterwards.

    Args:
        settings: The settings of the home.
        n_keys: How many keys there are.
        count_refusal: Called with "key" or "user" whenever one of them has to wait.

    Attributes:
        keys: The buckets of the keys, by their numbers.
        users: The buckets of the users, by name.
        new_names: For fields and for event types: how many may be new in a request, and the buckets
            of the keys, from which each new one takes a token.
        count_refusal: Called with "key" or "user" whenever one of them has to wait.
        costs: What a request costs, in tokens, by its path; others cost `other`.
        costs_by_kind: The same by the kind of request.
        other: What any other request costs.
    """

    def __init__(
        self, settings: Settings, n_keys: int, count_refusal: Callable[[str], None]
    ) -> None:
        self.count_refusal = count_refusal
        folder = metrics_folder() if settings.workers > 1 else None
        names = ("rate-limit-keys", "rate-limit-users", "new-fields", "new-kinds")
        keys_file, users_file, *new_names = (folder and folder / name for name in names)
        window, self._key_rate = settings.rate_limit_window_s, settings.rate_limit_key
        self._user_rate = settings.rate_limit_user
        self.keys = TokenBuckets(self._key_rate, window, n_keys, keys_file)
        self.users = TokenBuckets(self._user_rate, window, USER_BUCKETS, users_file)
        self.new_names = tuple(
            (limit, TokenBuckets(per_day / DAY_S, DAY_S, n_keys, file))
            for limit, per_day, file in (
                (settings.new_fields_per_request, settings.new_fields_per_day, new_names[0]),
                (settings.new_kinds_per_request, settings.new_kinds_per_day, new_names[1]),
            )
        )
        named = (entry.partition("=")[::2] for entry in settings.rate_costs)
        self.costs_by_kind = {**RATE_COSTS, **{kind.strip(): float(cost) for kind, cost in named}}
        self.other = self.costs_by_kind["other"]
        self.costs = {path: self.costs_by_kind[kind] for path, kind in _PATHS.items()}
        self.costs["/metrics"] = 0.0  # who watches sees an overload

    def refused_key(self, wait_s: float) -> RateLimitError:
        """Make the error for a key that asks for too much.

        Args:
            wait_s: Seconds until it may ask again.

        Returns:
            The error.
        """
        self.count_refusal("key")
        return RateLimitError(
            f"this key asks for more than {self._key_rate:g} tokens a second",
            wait_s,
            hint="ask again after Retry-After seconds, or raise rate_limit_key",
            field="authorization",
        )

    def refused_user(self, user: str, wait_s: float) -> RateLimitError:
        """Make the error for a user who asks for too much.

        Args:
            user: The external id of the user.
            wait_s: Seconds until the user may ask again.

        Returns:
            The error.
        """
        self.count_refusal("user")
        return RateLimitError(
            f"user {user!r} asks for more than {self._user_rate:g} tokens a second",
            wait_s,
            hint="ask again after Retry-After seconds, or raise rate_limit_user",
            field="user",
        )

    def admit_users(self, key: int, users: Sequence[str], kind: str) -> None:
        """Let a key pay for the users of a batch beyond the first, and each of them for a question.

        Args:
            key: The number of the key.
            users: The external ids of the users.
            kind: The kind of the question.

        Raises:
            RateLimitError: If one of the users has to wait.
        """
        cost = self.costs_by_kind[kind]
        self.keys.take(key, (len(users) - 1) * cost, on_credit=True)
        for user in users:
            if wait_s := self.users.take_for(user, cost):
                raise self.refused_user(user, wait_s)

    def pay_rows(self, key: int, scopes: Collection[str], rows: Sequence[Any]) -> None:
        """Let a key pay for the rows of a body beyond the first.

        Where the key may post events and nothing else, as those of web pages, the user of each row
        pays too; a backend posts for all of its users.

        Args:
            key: The number of the key.
            scopes: What it permits.
            rows: The rows, as they came.

        Raises:
            RateLimitError: If one of the users has to wait.
        """
        if len(rows) > 1:
            cost = (len(rows) - 1) * self.costs_by_kind["row"]
            self.keys.take(key, cost, on_credit=True)
        for row in rows if scopes == {"events"} else ():
            user = row.get("user") if isinstance(row, dict) else None
            if isinstance(user, str) and (wait_s := self.users.take_for(user, self.other)):
                raise self.refused_user(user, wait_s)


class KeyNameBudget:
    """The new fields and event types that a request may still bring, a `NameBudget`.

    Args:
        limits: The limits of the server.
        key: The number of the key that the request came by.
    """

    def __init__(self, limits: RateLimits, key: int) -> None:
        self._limits = limits
        self._key = key

    def left(self) -> tuple[int, int]:
        """Return how many fields, and how many event types, may still be new."""
        fields, kinds = (
            max(0, int(min(limit, buckets.level(self._key))))
            for limit, buckets in self._limits.new_names
        )
        return fields, kinds

    def spend(self, fields: int, kinds: int) -> None:
        """Count names that were let in.

        Args:
            fields: How many fields.
            kinds: How many event types.
        """
        for count, (_, buckets) in zip((fields, kinds), self._limits.new_names, strict=True):
            buckets.take(self._key, count, on_credit=True)
