"""/v1/items/{id} and /v1/users/{id}: describe, change, read, and delete or erase."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import json_object, path_id, reply, service_of
from plait.server.http.rate_limits import KeyNameBudget
from plait.server.http.response_models import ChangeResponse, EntityResponse
from plait.server.http.route import Route
from plait.workspace import Workspace

__all__ = ["ROUTES"]

Id = Annotated[str, Depends(path_id)]
Fields = Annotated[dict[str, Any], Depends(json_object)]
Endpoint = Callable[..., Awaitable[Response]]

_DESCRIPTIONS = {
    "put": "The fields of {a} {entity}, all of them: what is not named is gone.",
    "patch": "Change some fields, as a JSON merge patch (RFC 7396): null removes a field.",
    "get": "What is known of {a} {entity}; 404 for an unknown id.",
    "delete": "Delete an item: it is gone from every response within a second.",
    "erase": "Erase a user, with who was merged into the user: the descriptions and every event; "
    "this cannot be undone.",
}


def _change(call: Callable[..., int]) -> Endpoint:
    async def change(request: Request, external_id: Id, fields: Fields) -> Response:
        service = service_of(request)
        names = partial(KeyNameBudget, service.limits, request.state.key)
        version = await service.wait(
            lambda: call(service.workspace, external_id, fields, names=names)
        )
        return reply({"id": external_id, "version": version})

    return change


def _remove(call: Callable[[Workspace, str], int]) -> Endpoint:
    async def remove(request: Request, external_id: Id) -> Response:
        service = service_of(request)
        version = await service.wait(lambda: call(service.workspace, external_id))
        return reply({"id": external_id, "version": version})

    return remove


def _read(call: Callable[[Workspace, str], dict[str, Any]]) -> Endpoint:
    async def read(request: Request, external_id: Id) -> Response:
        service = service_of(request)
        described = await service.wait(lambda: call(service.workspace, external_id))
        return reply({**described, "version": service.workspace.version})

    return read


def _routes(entity: Literal["item", "user"]) -> Iterator[Route]:
    article = "an" if entity == "item" else "a"
    removal = "delete" if entity == "item" else "erase"
    path = f"/v1/{entity}s/{{id:text}}"
    for method, name, endpoint in (
        ("PUT", "put", _change(getattr(Workspace, f"put_{entity}"))),
        ("PATCH", "patch", _change(getattr(Workspace, f"patch_{entity}"))),
        ("GET", "get", _read(getattr(Workspace, f"get_{entity}"))),
        ("DELETE", removal, _remove(getattr(Workspace, f"{removal}_{entity}"))),
    ):
        verb = {"put": "Describe", "patch": "Change", "get": "Read"}.get(name, name.capitalize())
        endpoint.__name__ = f"{name}_{entity}"
        endpoint.__doc__ = _DESCRIPTIONS[name].format(a=article, entity=entity)
        yield Route(
            method,
            path,
            "read" if method == "GET" else "ingest",
            f"{verb} {article} {entity}",
            endpoint,
            free=method in ("PUT", "PATCH"),
            response=EntityResponse if method == "GET" else ChangeResponse,
        )


ROUTES = (*_routes("item"), *_routes("user"))
