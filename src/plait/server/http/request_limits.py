"""Bounds of a request, enforced before it is held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plait.errors import SlowClientError, TooLargeError
from plait.server.http.errors import error_response

__all__ = ["BodyLimitMiddleware", "too_many_rows"]

MIN_BYTES_PER_SECOND = 16 * 1024
"""How fast a body must arrive on average, once the time limit is over."""


class BodyLimitMiddleware:
    """ASGI middleware: a body that is too long gets 413, announced or not; a slow one gets 408.

    Slow is a body that has not arrived within `timeout_s`, plus a second for every
    `MIN_BYTES_PER_SECOND` bytes of it: no client can hold a connection for ever.

    Args:
        app: The application.
        limit: The longest body in bytes.
        timeout_s: The time limit in seconds.
    """

    def __init__(self, app: ASGIApp, limit: int, timeout_s: float) -> None:
        self.app = app
        self.limit = limit
        self.timeout_s = timeout_s

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self.limit:
                return error_response(self._too_long())(scope, receive, send)
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
            if size > self.limit:
                raise self._too_long()
            return message

        return self.app(scope, receive_limited, send)

    def _too_slow(self) -> SlowClientError:
        return SlowClientError(
            f"the body did not arrive within {self.timeout_s:g} seconds",
            hint="send it again, or raise client_timeout_ms",
            field="body",
        )

    def _too_long(self) -> TooLargeError:
        return TooLargeError(
            f"the body is longer than {self.limit} bytes",
            hint="send several smaller requests, or raise body_limit",
            field="body",
        )


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
