"""/v1/users/{id}: describe a user, change it, read it, erase it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.route import Route, path_id, reply, service_of
from plait.server.http.schemas import object_of

__all__ = ["ROUTES"]

PATH = "/v1/users/{id:text}"


async def put_user(request: Request) -> Response:
    """The fields of a user, all of them: what is not named is gone."""
    service, name = service_of(request), path_id(request)
    fields = object_of(await request.body())
    version = await service.wait(lambda: service.shop.put_user(name, fields))
    return reply({"id": name, "version": version})


async def patch_user(request: Request) -> Response:
    """Change some fields, as a JSON merge patch (RFC 7396): null takes a field away."""
    service, name = service_of(request), path_id(request)
    patch = object_of(await request.body())
    version = await service.wait(lambda: service.shop.patch_user(name, patch))
    return reply({"id": name, "version": version})


async def get_user(request: Request) -> Response:
    """What is known of a user; 404 for an id nobody has described."""
    service, name = service_of(request), path_id(request)
    found = await service.wait(lambda: service.shop.get_user(name))
    return reply({**found, "version": service.shop.version})


async def erase_user(request: Request) -> Response:
    """Erase a user: the description and every event; not to be undone."""
    service, name = service_of(request), path_id(request)
    version = await service.wait(lambda: service.shop.erase_user(name))
    return reply({"id": name, "version": version})


ROUTES = (
    Route("PUT", PATH, "ingest", "Describe a user", put_user, free=True),
    Route("PATCH", PATH, "ingest", "Change a user", patch_user, free=True),
    Route("GET", PATH, "read", "Read a user", get_user),
    Route("DELETE", PATH, "ingest", "Erase a user", erase_user),
)
