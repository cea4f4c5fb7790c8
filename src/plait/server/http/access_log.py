"""The outermost middleware: request ids, the access log, the meters, and the last safety net.

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
_log = logging.getLogger("plait.server")

CLIENT_LEFT = 499
"""The status under which a request is counted whose client went away."""


class AccessLogMiddleware:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, meters: PrometheusMetrics) -> None:
        self.app = app
        self.meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = uuid.uuid4().hex
        status = 0

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += (
                    (b"x-request-id", state["request_id"].encode()),
                    (b"cache-control", b"no-store"),  # answers are about people
                )
            await send(message)

        try:
            await self.app(scope, receive, marked)
        except ClientDisconnect:
            status = CLIENT_LEFT
        except Exception as problem:  # noqa: BLE001  the last net: no trace may reach the client
            _report(problem, state["request_id"])
            if status == 0:
                await internal_error(state["request_id"])(scope, receive, marked)
        self._note(scope, status, time.perf_counter() - begun)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = template(scope)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.meters.request(method, route, status, seconds)
        milliseconds = seconds * 1000
        request_id = scope["state"]["request_id"]
        level = logging.DEBUG if route in OPEN_PATHS else logging.INFO
        _access.log(level, "%s %s %d %.1fms %s", method, route, status, milliseconds, request_id)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def template(scope: Scope) -> str:
    """The route's path with its placeholders, "unmatched" where no route was found."""
    route = scope.get("route")
    return str(getattr(route, "path_format", getattr(route, "path", "unmatched")))


def _report(problem: BaseException, request_id: str) -> None:
    """The types and places of an exception and of what caused it; its words only for debugging."""
    links: list[BaseException] = []
    one: BaseException | None = problem
    while one is not None and one not in links:
        links.append(one)
        one = one.__cause__ or one.__context__
    for link in reversed(links):
        frames = "".join(traceback.format_tb(link.__traceback__))
        _log.error("%s in request %s\n%s", type(link).__name__, request_id, frames)
        _log.debug("%s: %s", type(link).__name__, link)
