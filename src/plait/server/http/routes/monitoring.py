"""GET /v1/info and GET /metrics."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import reply, service_of
from plait.server.http.response_models import InfoResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]


async def info(request: Request) -> Response:
    """The home: its version, bundles, counts and fields."""
    service = service_of(request)
    return reply(await service.wait(service.workspace.info))


async def metrics(request: Request) -> Response:
    """Prometheus' text format, summed over all workers."""
    service = service_of(request)
    return Response(await service.wait(service.health.scrape), media_type=CONTENT_TYPE_LATEST)


ROUTES = (
    Route("GET", "/v1/info", "admin", "About this home", info, response=InfoResponse),
    Route("GET", "/metrics", "read", "Prometheus metrics", metrics, media_type="text/plain"),
)
