"""POST /v1/search: items for words."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.body_limit import check_batch
from plait.server.http.route import Route, service_of
from plait.server.http.schemas import Search, parsed

__all__ = ["ROUTES"]


async def search(request: Request) -> Response:
    """Items for words, and for the user who typed them if one is named."""
    service = service_of(request)
    body = parsed(Search, await request.body())
    check_batch(body.exclude, service.settings.batch_limit, "exclude")
    check_batch(body.history, service.settings.batch_limit, "history")
    return await service.answer(request, lambda: service.shop.search(**dict(body)), body.at_least)


ROUTES = (Route("POST", "/v1/search", "read", "Items for words", search, Search),)
