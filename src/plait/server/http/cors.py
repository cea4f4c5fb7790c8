"""Cross-origin requests: which web pages may call the server from a browser."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from plait.errors import ScopeError
from plait.server.http.errors import error_response

__all__ = ["CorsMiddleware"]

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = ("Authorization", "X-API-Key", "Content-Type")
_MAX_AGE = 3600


class CorsMiddleware(CORSMiddleware):
    """ASGI middleware: answers preflight requests, which carry no key, and names allowed origins.

    Keys come in headers and never in cookies, so credentials are not allowed.

    Args:
        app: The application.
        origins: The allowed origins; "*" allows any.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_HEADERS,
            expose_headers=("X-Request-ID", "Retry-After"),
            max_age=_MAX_AGE,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        refusal = error_response(
            ScopeError(
                "this web page may not send such a request",
                hint="cors_origins lists the pages that may; "
                f"methods are {', '.join(_METHODS)}, headers {', '.join(_HEADERS)}",
                field="origin",
            )
        )
        refusal.headers["vary"] = "Origin"
        return refusal
