"""POST /v1/recommend: items for a user."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.body_limit import check_batch
from plait.server.http.route import Route, service_of
from plait.server.http.schemas import Recommend, parsed

__all__ = ["ROUTES"]


async def recommend(request: Request) -> Response:
    """Items for a user, known or not, best first, each with its reasons."""
    service = service_of(request)
    body = parsed(Recommend, await request.body())
    check_batch(body.exclude, service.settings.batch_limit, "exclude")
    check_batch(body.history, service.settings.batch_limit, "history")
    return await service.answer(
        request, lambda: service.shop.recommend(**dict(body)), body.at_least
    )


ROUTES = (Route("POST", "/v1/recommend", "read", "Items for a user", recommend, Recommend),)
