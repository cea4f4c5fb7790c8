"""POST /v1/items: describe, change or delete many items."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import service_of
from plait.server.http.posted_rows import append_rows
from plait.server.http.request_models import ItemRow, Items
from plait.server.http.response_models import EventsResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]


async def post_items(request: Request) -> Response:
    """Describe, change or delete many items in one commit.

    The body is {"items": [...]}, or one row a line as application/x-ndjson. A row has an `id`, an
    `op` (upsert, merge or delete) and `fields`. Every row gets a status, in their order: stored or
    rejected (with the reason). One bad row does not stop the others.
    """
    return await append_rows(request, "items", service_of(request).workspace.post_items)


ROUTES = (
    Route(
        "POST",
        "/v1/items",
        "ingest",
        "Change many items",
        post_items,
        Items,
        lines=ItemRow,
        response=EventsResponse,
    ),
)
