"""The routes that answer queries: recommend, search, similar, rank, next, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import json_body, reply, service_of
from plait.server.http.request_models import (
    Next,
    Rank,
    Recommend,
    RecommendBatch,
    Search,
    Similar,
)
from plait.server.http.response_models import (
    ItemsResponse,
    ManyItemsResponse,
    RequestResponse,
)
from plait.server.http.route import Route
from plait.server.http.workspace_service import Service

__all__ = ["ROUTES"]


async def recommend(
    request: Request, body: Annotated[Recommend, Depends(json_body(Recommend))]
) -> Response:
    """Items for a user, known or not, best first, each with its reasons."""
    service: Service = request.app.state.service
    return await service.answer(request, body, "recommend")


async def recommend_batch(
    request: Request, body: Annotated[RecommendBatch, Depends(json_body(RecommendBatch))]
) -> Response:
    """Items for each of many users, as for a newsletter; each has a request id of its own."""
    service = service_of(request)
    service.limits.admit_users(request.state.key, body.users, "recommend")
    return await service.answer_many(body, "recommend")


async def search(request: Request, body: Annotated[Search, Depends(json_body(Search))]) -> Response:
    """Items for words, and for the user who typed them if one is named."""
    service: Service = request.app.state.service
    return await service.answer(request, body, "search")


async def similar(
    request: Request, body: Annotated[Similar, Depends(json_body(Similar))]
) -> Response:
    """Items like one item, in the light of the user if one is named."""
    service: Service = request.app.state.service
    return await service.answer(request, body, "similar")


async def rank(request: Request, body: Annotated[Rank, Depends(json_body(Rank))]) -> Response:
    """The caller's items in the order that suits the user, each with its reasons."""
    service: Service = request.app.state.service
    return await service.answer(request, body, "rank")


async def next_items(request: Request, body: Annotated[Next, Depends(json_body(Next))]) -> Response:
    """More items to the query of an earlier response, none of which it showed."""
    return await service_of(request).continue_chain(request, body.request_id, body.k)


async def get_request(request: Request) -> Response:
    """An earlier response: the query, what was shown and why."""
    request_id = str(request.path_params["request_id"])
    return reply(await service_of(request).explain(request_id))


ROUTES = (
    Route(
        "POST",
        "/v1/recommend",
        "read",
        "Items for a user",
        recommend,
        Recommend,
        response=ItemsResponse,
    ),
    Route(
        "POST",
        "/v1/recommend/batch",
        "read",
        "Items for many users",
        recommend_batch,
        RecommendBatch,
        response=ManyItemsResponse,
    ),
    Route("POST", "/v1/search", "read", "Items for words", search, Search, response=ItemsResponse),
    Route(
        "POST",
        "/v1/similar",
        "read",
        "Items like one item",
        similar,
        Similar,
        response=ItemsResponse,
    ),
    Route("POST", "/v1/rank", "read", "Order a list", rank, Rank, response=ItemsResponse),
    Route(
        "POST",
        "/v1/next",
        "read",
        "More of an earlier answer",
        next_items,
        Next,
        response=ItemsResponse,
        operation_id="more",
    ),
    Route(
        "GET",
        "/v1/requests/{request_id}",
        "read",
        "Why this answer",
        get_request,
        response=RequestResponse,
        operation_id="why",
    ),
)
