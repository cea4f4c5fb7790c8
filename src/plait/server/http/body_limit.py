"""Bounds on what a request may carry, enforced before it is held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plait.errors import SlowClientError, TooLargeError
from plait.server.http.errors import error_response

__all__ = ["BodyLimitMiddleware", "check_batch"]


SLOWEST = 16 * 1024
"""How many bytes of a body must come in a second on average, once the patience is over."""


class BodyLimitMiddleware:
    """ASGI middleware: a body above `limit` bytes is answered 413, announced or not.

    One that has not come whole within `patience` seconds, and `SLOWEST` bytes a second for what has
    come of it, is answered 408: who sends a byte now and then holds no connection for ever.
    """

    def __init__(self, app: ASGIApp, limit: int, patience: float) -> None:
        self.app = app
        self.limit = limit
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _announced(scope) > self.limit:
            await error_response(self._complaint())(scope, receive, send)
            return
        taken, whole = 0, False
        begun = asyncio.get_running_loop().time()

        async def counted() -> Message:
            nonlocal taken, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(begun + self.patience + taken / SLOWEST):
                    message = await receive()
            except TimeoutError:
                raise self._too_slow() from None
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if taken > self.limit:
                raise self._complaint()
            return message

        await self.app(scope, counted, send)

    def _too_slow(self) -> SlowClientError:
        return SlowClientError(
            f"the body did not arrive within {self.patience:g} seconds",
            hint="send it again, or raise client_timeout_ms",
            field="body",
        )

    def _complaint(self) -> TooLargeError:
        return TooLargeError(
            f"the body is longer than {self.limit} bytes",
            hint="send several smaller requests, or raise body_limit",
            field="body",
        )


def check_batch(rows: Sized, limit: int, field: str) -> None:
    """Raise TooLargeError for more than `limit` rows in `field`."""
    if len(rows) > limit:
        raise TooLargeError(
            f"{field} has {len(rows)} rows, the limit is {limit}",
            hint="send several smaller requests, or raise batch_limit",
            field=field,
        )


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
