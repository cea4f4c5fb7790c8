"""Bounds of a request, enforced before it is held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plait.errors import SlowClientError, TooLargeError
from plait.server.http.errors import error_response

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_BATCH_ITEMS",
    "BodyLimitMiddleware",
    "check_batch_bytes",
    "check_batch_items",
    "too_many_rows",
    "too_many_values",
]

MIN_BYTES_PER_SECOND = 16 * 1024
"""How fast a body must arrive on average, once the time limit is over."""

MAX_BATCH_ITEMS = 50_000
"""How many items a query for many users may ask for in all."""

MAX_BATCH_BYTES = 32 * 1024 * 1024
"""How long the items of its response may be as JSON: all of them are held in memory."""


class BodyLimitMiddleware:
    """ASGI middleware: a body that is too long gets 413, announced or not; a slow one gets 408.

    Slow is a body that has not arrived within `timeout_s`, plus a second for every
    `MIN_BYTES_PER_SECOND` bytes of it: no client can hold a connection for ever.

    Args:
        app: The application.
        limit: The longest body in bytes.
        timeout_s: The time limit in seconds.
        query_limit: The longest body of a query in bytes.
        query_paths: The paths of queries.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        timeout_s: float,
        *,
        query_limit: int,
        query_paths: Collection[str] = (),
    ) -> None:
        self.app = app
        self.limit = limit
        self.timeout_s = timeout_s
        self.query_limit = min(query_limit, limit)
        self.query_paths = frozenset(query_paths)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        is_query = scope["path"] in self.query_paths
        limit = self.query_limit if is_query else self.limit
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > limit:
                return error_response(_too_long(limit, is_query))(scope, receive, send)
        size, is_complete = 0, False
        start = asyncio.get_running_loop().time()

        async def receive_limited() -> Message:
            nonlocal size, is_complete
            if is_complete:
                return await receive()
            deadline = start + self.timeout_s + size / MIN_BYTES_PER_SECOND
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise self._too_slow() from None
            size += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if size > limit:
                raise _too_long(limit, is_query)
            return message

        return self.app(scope, receive_limited, send)

    def _too_slow(self) -> SlowClientError:
        return SlowClientError(
            f"the body did not arrive within {self.timeout_s:g} seconds",
            hint="send it again, or raise client_timeout_ms",
            field="body",
        )


def _too_long(limit: int, is_query: bool) -> TooLargeError:
    hint = "send several smaller requests, or raise body_limit"
    if is_query:
        hint = "send a shorter query, or raise query_body_limit"
    return TooLargeError(f"the body is longer than {limit} bytes", hint=hint, field="body")


def too_many_rows(field: str, count: int, limit: int) -> TooLargeError:
    """Make the error for a list that is too long.

    Args:
        field: The name of the list in the request.
        count: How many rows it has.
        limit: How many it may have.

    Returns:
        The error.
    """
    return TooLargeError(
        f"{field} has {count} rows, the limit is {limit}",
        hint="send several smaller requests, or raise batch_limit",
        field=field,
    )


def too_many_values(limit: int) -> TooLargeError:
    """Make the error for a body that holds too many values.

    Args:
        limit: How many it may hold.

    Returns:
        The error.
    """
    return TooLargeError(
        f"the body holds more than {limit} values",
        hint="send several smaller requests",
        field="body",
    )


def check_batch_items(users: int, k: int) -> None:
    """Refuse a query for many users that asks for too many items.

    Args:
        users: How many users it names.
        k: How many items it asks for, for each of them.

    Raises:
        TooLargeError: If they are more than `MAX_BATCH_ITEMS` in all.
    """
    if users * k > MAX_BATCH_ITEMS:
        raise TooLargeError(
            f"{users} users with {k} items each are {users * k} items, "
            f"the limit is {MAX_BATCH_ITEMS}",
            hint="name fewer users in one request, or ask for fewer items",
            field="users",
        )


def check_batch_bytes(size: int) -> None:
    """Refuse a response to many users that is too long.

    Args:
        size: The bytes of its items so far.

    Raises:
        TooLargeError: If they are more than `MAX_BATCH_BYTES`.
    """
    if size > MAX_BATCH_BYTES:
        raise TooLargeError(
            f"the items of the response have more than {MAX_BATCH_BYTES} bytes",
            hint="name fewer users in one request, or ask for fewer items or fields",
            field="users",
        )
