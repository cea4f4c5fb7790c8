"""POST /v1/rank: order the caller's own list."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.body_limit import check_batch
from plait.server.http.route import Route, service_of
from plait.server.http.schemas import Rank, parsed

__all__ = ["ROUTES"]


async def rank(request: Request) -> Response:
    """The caller's items in the order that suits the user, each with its reasons."""
    service = service_of(request)
    body = parsed(Rank, await request.body())
    check_batch(body.items, service.settings.batch_limit, "items")
    check_batch(body.history, service.settings.batch_limit, "history")
    return await service.answer(request, lambda: service.shop.rank(**dict(body)), body.at_least)


ROUTES = (Route("POST", "/v1/rank", "read", "Order a list", rank, Rank),)
