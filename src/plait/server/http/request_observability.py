"""The outermost middleware: request ids, the access log, the metrics, the last safety net.

What it logs is a method, a route's template, a status, a time and a request id: never a path, a
body, a header, or the message of an unexpected exception, which may all hold ids of people.
"""

from __future__ import annotations

import logging
import time
import traceback
import uuid

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plait.server.http.auth import OPEN_PATHS
from plait.server.http.errors import internal_error
from plait.server.http.prometheus import PrometheusMetrics

__all__ = ["AccessLogMiddleware"]

_access = logging.getLogger("plait.access")
_log = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""The status under which a request is counted whose client went away."""


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AccessLogMiddleware:
    """ASGI middleware around everything else.

    Args:
        app: The application.
        metrics: Counts the requests.
    """

    def __init__(self, app: ASGIApp, metrics: PrometheusMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = uuid.uuid4().hex
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += (
                    (b"x-request-id", state["request_id"].encode()),
                    (b"cache-control", b"no-store"),  # responses are about people
                )
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = CLIENT_LEFT
        except Exception as problem:  # noqa: BLE001  the last net: no trace may reach the client
            _log_failure(problem, state["request_id"])
            if status == 0:
                await internal_error(state["request_id"])(scope, receive, send_with_headers)
        seconds = time.perf_counter() - start
        # The template of the route: the path itself may hold ids.
        route = scope.get("route")
        template = str(getattr(route, "path_format", getattr(route, "path", "unmatched")))
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.metrics.request(method, template, status, seconds)
        level = logging.DEBUG if template in OPEN_PATHS else logging.INFO
        details = (method, template, status, seconds * 1000, state["request_id"])
        _access.log(level, "%s %s %d %.1fms %s", *details)


def _log_failure(problem: BaseException, request_id: str) -> None:
    """Log the types and places of an exception and its causes; its words only for debugging."""
    chain: list[BaseException] = []
    cause: BaseException | None = problem
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for link in reversed(chain):
        frames = "".join(traceback.format_tb(link.__traceback__))
        _log.error("%s in request %s\n%s", type(link).__name__, request_id, frames)
        _log.debug("%s: %s", type(link).__name__, link)
