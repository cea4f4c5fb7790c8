"""GET /v1/requests/{request_id}: why an answer was as it was."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.route import Route, reply, service_of

__all__ = ["ROUTES"]


async def get_request(request: Request) -> Response:
    """An earlier answer: what was asked, what was shown and why."""
    service = service_of(request)
    request_id = str(request.path_params["request_id"])
    return reply(await service.ask(lambda: service.shop.why(request_id)))


ROUTES = (Route("GET", "/v1/requests/{request_id}", "read", "Why this answer", get_request),)
