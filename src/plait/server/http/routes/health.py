"""/health and /ready: whether the process runs, and whether it can answer. Both are open."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.errors import NotReadyError
from plait.server.http.dependencies import reply, service_of
from plait.server.http.response_models import StatusResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]


async def health(_request: Request) -> Response:
    """200 as long as the process lives."""
    return reply({"status": "ok"})


async def ready(request: Request) -> Response:
    """200 once queries are answered, 503 with the reasons before.

    `degraded` says what answers lack: "stale" where the log cannot be followed right now.
    """
    service = service_of(request)
    reasons = service.health.readiness()
    if reasons:
        raise NotReadyError(
            "; ".join(reasons),
            hint="wait while it starts; without a bundle, plait fit --home DIR --recipe NAME;"
            " /v1/info says more",
        )
    degraded = service.workspace.host.degraded()
    return reply({"status": "ready", **({"degraded": degraded} if degraded else {})})


ROUTES = (
    Route("GET", "/health", "open", "Is the process alive", health, response=StatusResponse),
    Route("GET", "/ready", "open", "Can it answer", ready, response=StatusResponse),
)
