"""/v1/items/{id}: describe an item, change it, read it, delete it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import json_object, path_id, reply, service_of
from plait.server.http.response_models import ChangeResponse, EntityResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]

PATH = "/v1/items/{id:text}"
Item = Annotated[str, Depends(path_id)]
Fields = Annotated[dict[str, Any], Depends(json_object)]


async def put_item(request: Request, item: Item, fields: Fields) -> Response:
    """The fields of an item, all of them: what is not named is gone."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.put_item(item, fields))
    return reply({"id": item, "version": version})


async def patch_item(request: Request, item: Item, fields: Fields) -> Response:
    """Change some fields, as a JSON merge patch (RFC 7396): null removes a field."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.patch_item(item, fields))
    return reply({"id": item, "version": version})


async def get_item(request: Request, item: Item) -> Response:
    """What is known of an item; 404 for an unknown id."""
    service = service_of(request)
    described = await service.wait(lambda: service.workspace.get_item(item))
    return reply({**described, "version": service.workspace.version})


async def delete_item(request: Request, item: Item) -> Response:
    """Delete an item: it is gone from every response within a second."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.delete_item(item))
    return reply({"id": item, "version": version})


ROUTES = (
    Route("PUT", PATH, "ingest", "Describe an item", put_item, free=True, response=ChangeResponse),
    Route(
        "PATCH", PATH, "ingest", "Change an item", patch_item, free=True, response=ChangeResponse
    ),
    Route("GET", PATH, "read", "Read an item", get_item, response=EntityResponse),
    Route("DELETE", PATH, "ingest", "Delete an item", delete_item, response=ChangeResponse),
)
