"""POST /v1/similar: items like one item."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.body_limit import check_batch
from plait.server.http.route import Route, service_of
from plait.server.http.schemas import Similar, parsed

__all__ = ["ROUTES"]


async def similar(request: Request) -> Response:
    """Items like one item, in the light of the user if one is named."""
    service = service_of(request)
    body = parsed(Similar, await request.body())
    check_batch(body.exclude, service.settings.batch_limit, "exclude")
    check_batch(body.history, service.settings.batch_limit, "history")
    return await service.answer(request, lambda: service.shop.similar(**dict(body)), body.at_least)


ROUTES = (Route("POST", "/v1/similar", "read", "Items like one item", similar, Similar),)
