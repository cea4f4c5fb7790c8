"""POST /v1/list: the complete listing of the catalogue."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import json_body, reply, service_of
from plait.server.http.request_limits import too_many_rows
from plait.server.http.response_models import ListResponse
from plait.server.http.route import Route
from plait.workspace.listing_query import ListQuery

__all__ = ["ROUTES"]


async def list_items(
    request: Request, body: Annotated[ListQuery, Depends(json_body(ListQuery))]
) -> Response:
    """All items that pass a filter, in a stated order, page by page; needs no fit.

    `cursor` of a response leads to the next page: nothing comes twice and nothing is left out,
    regardless of what is posted meanwhile. `total` counts the whole listing.
    """
    service = service_of(request)
    count, limit = len(body.exclude), service.settings.batch_limit
    if count > limit:
        raise too_many_rows("exclude", count, limit)
    page = await service.list_items(body)
    return reply(page.to_dict())


ROUTES = (
    Route(
        "POST",
        "/v1/list",
        "read",
        "List the catalogue",
        list_items,
        ListQuery,
        response=ListResponse,
        operation_id="list",
    ),
)
