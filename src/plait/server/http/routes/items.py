"""/v1/items/{id}: describe an item, change it, read it, take it away."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.route import Route, path_id, reply, service_of
from plait.server.http.schemas import object_of

__all__ = ["ROUTES"]

PATH = "/v1/items/{id:text}"


async def put_item(request: Request) -> Response:
    """The fields of an item, all of them: what is not named is gone."""
    service, name = service_of(request), path_id(request)
    fields = object_of(await request.body())
    version = await service.wait(lambda: service.shop.put_item(name, fields))
    return reply({"id": name, "version": version})


async def patch_item(request: Request) -> Response:
    """Change some fields, as a JSON merge patch (RFC 7396): null takes a field away."""
    service, name = service_of(request), path_id(request)
    patch = object_of(await request.body())
    version = await service.wait(lambda: service.shop.patch_item(name, patch))
    return reply({"id": name, "version": version})


async def get_item(request: Request) -> Response:
    """What is known of an item; 404 for an id nobody has described."""
    service, name = service_of(request), path_id(request)
    found = await service.wait(lambda: service.shop.get_item(name))
    return reply({**found, "version": service.shop.version})


async def delete_item(request: Request) -> Response:
    """Take an item away: it is gone from every answer within a second."""
    service, name = service_of(request), path_id(request)
    version = await service.wait(lambda: service.shop.delete_item(name))
    return reply({"id": name, "version": version})


ROUTES = (
    Route("PUT", PATH, "ingest", "Describe an item", put_item, free=True),
    Route("PATCH", PATH, "ingest", "Change an item", patch_item, free=True),
    Route("GET", PATH, "read", "Read an item", get_item),
    Route("DELETE", PATH, "ingest", "Delete an item", delete_item),
)
