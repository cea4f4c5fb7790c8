"""Who may ask: a key on every route but a few open ones, checked before anything else is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from plait.errors import AuthError, ScopeError
from plait.server.api_keys import KeyRing
from plait.server.http.errors import error_response

__all__ = ["OPEN_PATHS", "AuthMiddleware", "Permission", "requires"]

Permission = Literal["open", "read", "ingest", "admin"]

OPEN_PATHS = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
"""The paths that need no key: is it alive, is it ready, and what the routes are."""


class AuthMiddleware:
    """ASGI middleware: 401 without a known key, on paths that do not exist too."""

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        presented = _presented(scope)
        granted = self.keys.scopes(presented)
        if not granted:
            await error_response(_refusal(presented))(scope, receive, send)
            return
        scope.setdefault("state", {})["granted"] = granted
        await self.app(scope, receive, send)


def requires(permission: Permission) -> Callable[[Request], Awaitable[None]]:
    """A dependency that raises ScopeError unless the request's key has `permission`."""

    async def check(request: Request) -> None:
        if permission != "open" and permission not in request.state.granted:
            raise ScopeError(
                f"this key may not do that; it takes the scope {permission}",
                hint="use the admin key, or one listed in PLAIT_READ_KEYS or PLAIT_INGEST_KEYS",
                field="authorization",
            )

    return check


def _refusal(presented: bytes) -> AuthError:
    """Whether a key came is no secret; whether it was near to one is, and is not said."""
    if presented:
        message, hint = "this key is unknown", "is it whole, and a key of this home?"
    else:
        message = "this needs a key"
        hint = "send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
    return AuthError(message, hint=hint, field="authorization")


def _presented(scope: Scope) -> bytes:
    """The key in the headers; a bearer token goes before X-API-Key."""
    found = b""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:].strip())
        if name == b"x-api-key":
            found = value.strip()
    return found
