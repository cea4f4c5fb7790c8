"""Bounds on what a request may carry, enforced before it is held in memory."""

from __future__ import annotations

from collections.abc import Sized

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plait.errors import TooLargeError
from plait.serve.http.errors import error_response

__all__ = ["BodyLimit", "check_batch"]


class BodyLimit:
    """ASGI middleware: a body above `limit` bytes is answered 413, announced or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _announced(scope) > self.limit:
            await error_response(self._complaint())(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise self._complaint()
            return message

        await self.app(scope, counted, send)

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
