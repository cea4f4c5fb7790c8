"""Serves /openapi.json and /docs; both are open, because they hold no data of the home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from plait.schema.event_bounds import MAX_ID_LENGTH
from plait.schema.schema import MAX_FIELDS, MAX_NAME
from plait.server.http.dependencies import reply
from plait.server.http.docs_page import docs_page
from plait.server.http.ndjson import MEDIA_TYPE
from plait.server.http.response_models import AnyObject, ErrorResponse
from plait.server.http.route import Route

__all__ = ["ROUTES", "describe", "operation", "responses"]

_REF = "#/components/schemas/{model}"
_ANY_OBJECT = {
    "type": "object",
    "additionalProperties": True,
    "propertyNames": {"minLength": 1, "maxLength": MAX_NAME},
    "maxProperties": MAX_FIELDS,
}
_PATH_ID = {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH}
_ROWS = {"Events": "events", "Items": "items"}
"""The models of batches, and the lists in them."""
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


async def openapi(request: Request) -> Response:
    """The routes as OpenAPI, for tools."""
    return reply(request.app.openapi())


async def page(request: Request) -> Response:
    """The routes as a page, for people."""
    return HTMLResponse(
        docs_page(request.app.openapi()),
        headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


ROUTES = (
    Route("GET", "/docs", "open", "The routes, as a page", page, media_type="text/html"),
    Route("GET", "/openapi.json", "open", "The routes, as OpenAPI", openapi, response=AnyObject),
)


def operation(route: Route) -> dict[str, Any]:
    """Describe a route beyond its path, summary and responses.

    Args:
        route: The route.

    Returns:
        What `openapi_extra` of FastAPI takes.
    """
    described: dict[str, Any] = {"x-permission": route.permission}
    if route.also:
        described["x-also"] = list(route.also)
    if route.permission != "open":
        described["security"] = [{name: []} for name in _SECURITY]
    if route.body is not None or route.free:
        schema = _reference(route.body) if route.body else _ANY_OBJECT
        content = {"application/json": {"schema": schema}}
        if route.lines is not None:
            content[MEDIA_TYPE] = {"schema": _reference(route.lines)}
        described["requestBody"] = {"required": True, "content": content}
    names = [step[1:-1].partition(":")[0] for step in route.path.split("/") if step[:1] == "{"]
    described["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_ID} for name in names
    ]
    return described


def responses(route: Route) -> dict[int | str, dict[str, Any]]:
    """Describe what a route responds with.

    Args:
        route: The route.

    Returns:
        What `responses` of FastAPI takes: models for the documentation, not for rendering.
    """
    described: dict[int | str, dict[str, Any]] = {
        "default": {"model": ErrorResponse, "description": "Error"}
    }
    if route.permission != "open":
        described[429] = {
            "model": ErrorResponse,
            "description": "The key or the user asks for more than its rate",
            "headers": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
        }
    if route.response is not None:
        described[200] = {"model": route.response, "description": "OK"}
    elif route.media_type:
        content = {route.media_type: {"schema": {"type": "string"}}}
        described[200] = {"content": content, "description": "OK"}
    return described


def describe(app: FastAPI, routes: Sequence[Route], batch_limit: int) -> None:
    """Let `app.openapi()` hold the models of the request bodies too.

    Args:
        app: The application.
        routes: Its routes.
        batch_limit: The most rows in one request.
    """
    generate = app.openapi
    cached: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not cached:
            models = [(route.body, "validation") for route in routes if route.body is not None]
            _, bodies = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
            cached.update(generate())
            components = cached.setdefault("components", {})
            components.setdefault("schemas", {}).update(bodies.get("$defs", {}))
            components["securitySchemes"] = _SECURITY
            for model, name in _ROWS.items():
                components["schemas"][model]["properties"][name]["maxItems"] = batch_limit
        return cached

    app.openapi = openapi  # type: ignore[method-assign]


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}
