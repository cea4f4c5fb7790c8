"""/openapi.json and /docs: what the routes are. Open, because they hold nothing of the home.

The page is plain HTML made here: FastAPI's own loads scripts from elsewhere, this one also works
offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from plait.server.http.dependencies import reply
from plait.server.http.ndjson import MEDIA_TYPE
from plait.server.http.response_models import AnyObject, ErrorResponse
from plait.server.http.route import Route

__all__ = ["ROUTES", "describe", "operation", "responses"]

_REF = "#/components/schemas/{model}"
_ANY_OBJECT = {"type": "object", "additionalProperties": True}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
section{border-top:1px solid #ccc;padding:.5rem 0}
table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"""


async def openapi(request: Request) -> Response:
    """The routes as OpenAPI, for tools."""
    return reply(request.app.openapi())


async def page(request: Request) -> Response:
    """The routes as a page, for people."""
    return HTMLResponse(
        _page(request.app.openapi()),
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
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
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
    if route.response is not None:
        described[200] = {"model": route.response, "description": "OK"}
    elif route.media_type:
        content = {route.media_type: {"schema": {"type": "string"}}}
        described[200] = {"content": content, "description": "OK"}
    return described


def describe(app: FastAPI, routes: Sequence[Route]) -> None:
    """Let `app.openapi()` hold the models of the request bodies too.

    Args:
        app: The application.
        routes: Its routes.
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
        return cached

    app.openapi = openapi  # type: ignore[method-assign]


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _page(api: dict[str, Any]) -> str:
    schemas = api["components"]["schemas"]
    sections = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', operation['summary']))}</p>"
        f"<p>Permission: {escape(operation['x-permission'])}</p>"
        f"{_body_table(operation.get('requestBody'), schemas)}</section>"
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    info = {name: escape(text) for name, text in api["info"].items()}
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{info['title']}</title><style>{_STYLE}</style>"
        f"<h1>{info['title']} {info['version']}</h1>"
        f"<p>{info['description']}</p>{''.join(sections)}</html>"
    )


def _body_table(body: dict[str, Any] | None, schemas: dict[str, Any]) -> str:
    if body is None:
        return ""
    schema = body["content"]["application/json"]["schema"]
    if "$ref" not in schema:
        return "<p>Body: a JSON object with the fields of your choice.</p>"
    model = schemas[schema["$ref"].rpartition("/")[2]]
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{'needed' if name in model.get('required', ()) else ''}</td>"
        f"<td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in model["properties"].items()
    )
    return f"<table>{rows}</table>"
