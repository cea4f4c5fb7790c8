"""Checks the API key of a request, and its rate, before anything else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from plait.errors import AuthError, ScopeError
from plait.server.api_keys import KeyRing
from plait.server.http.errors import error_response
from plait.server.http.rate_limits import RateLimits

__all__ = ["OPEN_PATHS", "AuthMiddleware", "Permission", "requires"]

Permission = Literal["open", "read", "ingest", "events", "admin"]

OPEN_PATHS = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
"""The paths that need no key: health, readiness and the documentation of the routes."""

_HINT = (
    "use the admin key, or one listed in PLAIT_READ_KEYS, PLAIT_INGEST_KEYS or PLAIT_EVENTS_KEYS"
)


class AuthMiddleware:
    """ASGI middleware: 401 without a known key, on paths that do not exist too; 429 for a key that
    asks for more than its rate, before its body is read.

    Args:
        app: The application.
        keys: The known keys.
        limits: What they may ask for.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing, limits: RateLimits) -> None:
        self.app = app
        self.keys = keys
        self.limits = limits

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            return self.app(scope, receive, send)
        presented = b""
        for name, value in scope["headers"]:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                presented = value[7:].strip()
                break  # a bearer token goes before X-API-Key
            if name == b"x-api-key":
                presented = value.strip()
        number, granted = self.keys.find(presented)
        if granted:
            limits = self.limits
            wait_s = limits.keys.take(number, limits.costs.get(scope["path"], limits.other))
            if wait_s:
                return error_response(limits.refused_key(wait_s))(scope, receive, send)
            scope.setdefault("state", {}).update(granted=granted, key=number)
            return self.app(scope, receive, send)
        # Whether a key came is no secret; whether it resembles one is, and is not said.
        message = "this key is unknown" if presented else "this needs a key"
        hint = (
            "check that it is complete, and a key of this home"
            if presented
            else "send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
        )
        refusal = error_response(AuthError(message, hint=hint, field="authorization"))
        return refusal(scope, receive, send)


def requires(permission: Permission, *also: Permission) -> Callable[[Request], Awaitable[None]]:
    """Make the dependency that checks the scope of a request's key.

    Args:
        permission: The scope that the route needs.
        also: Other scopes that suffice.

    Returns:
        A dependency that raises ScopeError unless the key has one of them.
    """

    async def check(request: Request) -> None:
        if permission != "open" and request.state.granted.isdisjoint((permission, *also)):
            raise ScopeError(
                f"this key lacks the scope {permission}",
                hint=_HINT,
                field="authorization",
            )

    return check
