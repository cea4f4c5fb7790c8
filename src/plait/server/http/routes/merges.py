"""POST /v1/users/merge and /v1/users/unmerge: a guest becomes a customer."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import json_body, reply, service_of
from plait.server.http.request_models import Merge, Unmerge
from plait.server.http.response_models import MergeResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]


async def merge_users(
    request: Request, body: Annotated[Merge, Depends(json_body(Merge))]
) -> Response:
    """Join the events of a guest to those of a customer; can be taken back."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.merge_users(body.source, body.into))
    return reply({"from": body.source, "into": body.into, "version": version})


async def unmerge_users(
    request: Request, body: Annotated[Unmerge, Depends(json_body(Unmerge))]
) -> Response:
    """Take a merge back: both users have their own events again."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.unmerge_users(body.source))
    return reply({"from": body.source, "into": None, "version": version})


ROUTES = (
    Route(
        "POST",
        "/v1/users/merge",
        "ingest",
        "A guest becomes a customer",
        merge_users,
        Merge,
        response=MergeResponse,
    ),
    Route(
        "POST",
        "/v1/users/unmerge",
        "ingest",
        "Take a merge back",
        unmerge_users,
        Unmerge,
        response=MergeResponse,
    ),
)
