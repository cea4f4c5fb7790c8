"""/v1/users/{id}: describe a user, change it, read it, erase it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import json_object, path_id, reply, service_of
from plait.server.http.response_models import ChangeResponse, EntityResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]

PATH = "/v1/users/{id:text}"
User = Annotated[str, Depends(path_id)]
Fields = Annotated[dict[str, Any], Depends(json_object)]


async def put_user(request: Request, user: User, fields: Fields) -> Response:
    """The fields of a user, all of them: what is not named is gone."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.put_user(user, fields))
    return reply({"id": user, "version": version})


async def patch_user(request: Request, user: User, fields: Fields) -> Response:
    """Change some fields, as a JSON merge patch (RFC 7396): null removes a field."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.patch_user(user, fields))
    return reply({"id": user, "version": version})


async def get_user(request: Request, user: User) -> Response:
    """What is known of a user; 404 for an unknown id."""
    service = service_of(request)
    described = await service.wait(lambda: service.workspace.get_user(user))
    return reply({**described, "version": service.workspace.version})


async def erase_user(request: Request, user: User) -> Response:
    """Erase a user: the description and every event; this cannot be undone."""
    service = service_of(request)
    version = await service.wait(lambda: service.workspace.erase_user(user))
    return reply({"id": user, "version": version})


ROUTES = (
    Route("PUT", PATH, "ingest", "Describe a user", put_user, free=True, response=ChangeResponse),
    Route("PATCH", PATH, "ingest", "Change a user", patch_user, free=True, response=ChangeResponse),
    Route("GET", PATH, "read", "Read a user", get_user, response=EntityResponse),
    Route("DELETE", PATH, "ingest", "Erase a user", erase_user, response=ChangeResponse),
)
