"""POST /v1/next: more of an earlier answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.route import Route, service_of
from plait.server.http.schemas import Next, parsed

__all__ = ["ROUTES"]


async def next_items(request: Request) -> Response:
    """More items to the question of an earlier answer, none of which it showed."""
    service = service_of(request)
    body = parsed(Next, await request.body())
    return await service.answer_in_thread(
        request, lambda: service.shop.next(body.request_id, k=body.k)
    )


ROUTES = (Route("POST", "/v1/next", "read", "More of an earlier answer", next_items, Next),)
